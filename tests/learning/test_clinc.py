"""Clusters agree with CLINC150's intents, come out the same again, keep when more comes: in a small part.

The whole is measured by `liminal bench clusters`.
"""

from __future__ import annotations

from pathlib import Path

from liminal.bench.clusters import measure
from liminal.learning.clusters.workshop import prepare

CACHE = Path(__file__).parents[2] / ".cache"


def test_a_tenth_of_the_intents_is_found_again_and_kept() -> None:
    prepare(str(CACHE), nice=False)
    figures = {figure.name: figure for figure in measure(10, 15, 1, CACHE, lambda done, total: None)}
    assert figures["NMI of 150 utterances"].value > 0.9
    assert figures["members kept when a tenth more arrives"].value > 0.95
    assert figures["made again, byte by byte the same"].value == 1
    assert 12 <= figures["clusters"].value <= 20

"""Clusters against CLINC150's intents: how well they agree, how they keep when more comes, how long it takes.

What is measured is what the gather reaction runs: its encoder and points, the method that its policy chooses,
settling and matching.
"""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated
from uuid import UUID

import numpy as np
import typer
from numpy.typing import NDArray

from liminal.bench.figures import Figure, Json, report
from liminal.bench.progress import progress_bar
from liminal.learning.clusters.matching import Members
from liminal.learning.clusters.passes import method_for
from liminal.learning.clusters.workshop import Found, embed, encoder_name, find, prepare
from liminal.log.events import ClusterChange
from liminal.settings import read_settings
from liminal.steering.learning_policy import Clustering

Labels = NDArray[np.int64]
Clusters = Mapping[UUID, Members]
NMI, STABLE = 0.85, 0.95


@dataclass(frozen=True)
class Row:
    """One pass: agreement with the intents, share of members kept, clusters, and what it took."""

    nmi: float
    kept: float
    clusters: int
    seconds: float


def read_utterances(of_each: int, intents: int) -> tuple[list[str], Labels]:
    """The first ``of_each`` utterances of so many intents, one of each in turn."""
    packed = files("liminal.bench").joinpath("data/clinc150.tsv.gz").read_bytes()
    by_intent: dict[str, list[str]] = {}
    for line in gzip.decompress(packed).decode().splitlines():
        intent, _, text = line.partition("\t")
        by_intent.setdefault(intent, []).append(text)
    names = sorted(by_intent)
    chosen = [names[len(names) * number // intents] for number in range(intents)]
    texts = [by_intent[name][turn] for turn in range(of_each) for name in chosen]
    return texts, np.tile(np.arange(intents), of_each)


def clusters(
    of_each: Annotated[int, typer.Option(help="Utterances of each intent, 50 at most.")] = 30,
    intents: Annotated[int, typer.Option(help="Intents, 150 at most.")] = 150,
    steps: Annotated[int, typer.Option(help="Times that a tenth more arrives.")] = 3,
    json: Json = False,
) -> None:
    """Cluster CLINC150's utterances, then again each time a tenth more has arrived."""
    cache = read_settings().cache.absolute()
    prepare(str(cache), nice=False)
    with progress_bar("clustering") as bar:
        figures = measure(of_each, intents, steps, cache, bar)
    report(figures, json)


def measure(
    of_each: int, intents: int, steps: int, cache: Path, step: Callable[[int, int], None]
) -> list[Figure]:
    """The figures; ``step`` is told how far it is."""
    texts, labels = read_utterances(50, intents)
    first = of_each * intents
    end = min(len(texts), first + steps * first // 10)
    began = time.perf_counter()
    vectors = embed(texts[:end], cache)
    embedding = time.perf_counter() - began
    ids = [UUID(int=number + 1) for number in range(end)]
    step(1, steps + 3)
    before: dict[UUID, Members] = {}
    rows: list[Row] = []
    passes: list[Found] = []
    for size in range(first, end + 1, first // 10):
        began = time.perf_counter()
        found = find(vectors[:size], ids[:size], before, method_for(size, Clustering()), "bench")
        seconds = time.perf_counter() - began
        after = follow(before, found)
        rows.append(Row(agreement(after, labels[:size]), kept(before, after), len(after), seconds))
        passes.append(found)
        before = after
        step(len(rows) + 1, steps + 3)
    again = find(vectors[:first], ids[:first], {}, method_for(first, Clustering()), "bench")
    same = again.changes == passes[0].changes and again.places.tobytes() == passes[0].places.tobytes()
    name = encoder_name().partition("@")[0]
    return [
        Figure(name=f"NMI of {first:,} utterances", value=rows[0].nmi, unit="").at_least(NMI),
        Figure(name="clusters", value=rows[0].clusters, unit=""),
        Figure(name="the pass", value=rows[0].seconds, unit="s"),
        Figure(name="made again, byte by byte the same", value=float(same), unit="").at_least(1),
        *_later(rows[1:], end),
        Figure(name=f"{name}, eight at a time", value=end / embedding, unit="texts/s"),
    ]


def _later(rows: Sequence[Row], end: int) -> list[Figure]:
    if not rows:
        return []
    worst = min(row.kept for row in rows)
    return [
        Figure(name="members kept when a tenth more arrives", value=rows[0].kept, unit="").at_least(STABLE),
        Figure(name=f"members kept, worst of {len(rows)} times", value=worst, unit="").at_least(STABLE),
        Figure(name=f"NMI then, of {end:,} utterances", value=rows[-1].nmi, unit="").at_least(NMI),
        Figure(name="clusters then", value=rows[-1].clusters, unit=""),
    ]


def follow(before: Clusters, found: Found) -> dict[UUID, Members]:
    """The clusters after a pass."""
    after = dict(before)
    for change in found.changes:
        _apply(after, change)
    return after


def _apply(clusters: dict[UUID, Members], change: ClusterChange) -> None:
    if change.change in ("formed", "assigned"):
        members = clusters.get(change.cluster_id, frozenset()) - frozenset(change.removed)
        clusters[change.cluster_id] = members | frozenset(change.added)
    elif change.cluster_id not in change.into:
        clusters.pop(change.cluster_id)


def agreement(clusters: Clusters, intents: Labels) -> float:
    """Normalised mutual information with the intents; what is left over counts as a cluster of its own."""
    from sklearn.metrics import normalized_mutual_info_score

    found = np.full(len(intents), -1)
    for number, members in enumerate(clusters.values()):
        found[[member.int - 1 for member in members]] = number
    return float(normalized_mutual_info_score(intents, found))


def kept(before: Clusters, after: Clusters) -> float:
    """Share of the members before that are in the cluster of the same identity after."""
    total = sum(map(len, before.values()))
    same = sum(len(members & after.get(identity, frozenset())) for identity, members in before.items())
    return same / total if total else 1.0

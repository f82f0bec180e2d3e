"""The reactions that need the model, as a table.

They live in the process that has it loaded, beside ``respond``, and share its one backend: a second copy of a
large model does not fit the machine. Each is a reaction like any other (a consumer group and positions of its
own), and can be had alone: ``python -m consumers.respond <name>``. Their requests have ``Priority.BATCH``, so
that whoever waits for an answer comes first. Where there is no model they do not run, and catch up on the log
once there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from liminal.chat.summarise import summarise_reaction
from liminal.engine.backend import Backend
from liminal.learning.clusters.labelling import label_reaction
from liminal.log.log import Log
from liminal.log.reaction import Reaction
from liminal.replay.backtest import backtest_reaction
from liminal.settings import Settings

Builder = Callable[[Settings, Log, Backend], Reaction]
"""Makes a reaction; it is called once, when the model is loaded."""

ENGINE_REACTIONS: Mapping[str, Builder] = {
    "summarise": summarise_reaction,
    "backtest": backtest_reaction,
    "label": label_reaction,
}
"""By name, which is the reaction's name too. A room adds a line."""

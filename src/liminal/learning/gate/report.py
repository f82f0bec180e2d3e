"""The gate's report as a blob: its figures, and examples side by side (asked, before, after, wanted)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import orjson

from liminal.engine.peft import Adapter
from liminal.engine.training import Completion
from liminal.learning.evidence.dataset import DataSet
from liminal.learning.evidence.lessons import Prompt
from liminal.learning.gate.judge import Judged, Report
from liminal.learning.gate.stored_report import report_context
from liminal.learning.training.recipe import CANDIDATE, fold_name
from liminal.learning.training.runs import Run
from liminal.learning.training.workbench import Workbench
from liminal.log.events import BlobRef
from liminal.storage.blobs import BlobStore
from liminal.storage.vault import Vault

FORMAT = "liminal.gate.v1"
LESSONS = 3
"""Lessons of the owner's shown, the newest; each answered by an adapter of the run that did not learn it."""
GENERAL = 2
"""General questions shown, answered by the candidate itself."""


async def write_report(
    vault: Vault,
    blobs: BlobStore,
    bench: Workbench,
    run: Run,
    report: Report,
    adapters: Mapping[str, Adapter],
    serving: Adapter | None,
    data: DataSet,
) -> BlobRef:
    """Answer the examples with and without, and store everything; personal words under their owner's key."""
    examples = await _of_lessons(vault, bench, run, report, adapters, serving, data)
    examples += await _of_general(bench, adapters[CANDIDATE], serving)
    payload = {
        "format": FORMAT,
        "run_id": str(run.id),
        "passed": report.passed,
        "figures": [figure.model_dump() for figure in report.figures],
        "lessons": [_scores(item) for item in report.judged],
        "examples": examples,
    }
    blob = await blobs.put(orjson.dumps(payload, default=str))
    return BlobRef(hash=blob.hash, size=blob.size)


async def _of_lessons(
    vault: Vault,
    bench: Workbench,
    run: Run,
    report: Report,
    adapters: Mapping[str, Adapter],
    serving: Adapter | None,
    data: DataSet,
) -> list[dict[str, Any]]:
    folds = dict(zip((lesson.id for lesson in data.lessons), data.folds(), strict=True))
    shown = [item for item in report.judged if item.after is not None][-LESSONS:]
    if not shown:
        return []
    keys = await vault.make_keys({str(item.lesson.owner) for item in shown})
    said = await bench.decode_each(
        [
            (item.lesson.prompt, adapter)
            for item in shown
            for adapter in (serving, adapters[fold_name(folds[item.lesson.id])])
        ]
    )
    found: list[dict[str, Any]] = []
    for item, before, after in zip(shown, said[0::2], said[1::2], strict=True):
        words = {"prompt": item.lesson.prompt, "before": before, "after": after, "wanted": item.lesson.wanted}
        owner = str(item.lesson.owner)
        context = report_context(run.id, owner, str(item.lesson.id))
        found.append(
            {"kind": "lesson", **_scores(item), "sealed": keys[owner].seal(orjson.dumps(words), context)}
        )
    return found


async def _of_general(bench: Workbench, candidate: Adapter, serving: Adapter | None) -> list[dict[str, Any]]:
    chosen = (await bench.general("held_out")).told[:GENERAL]
    prompts = [cast(Prompt, item.prompt) for item in chosen]
    said = await bench.decode_each([(prompt, own) for prompt in prompts for own in (serving, candidate)])
    return [
        {"kind": "general", "prompt": prompt, "before": old, "after": new, "wanted": _text(item)}
        for item, prompt, old, new in zip(chosen, prompts, said[0::2], said[1::2], strict=True)
    ]


def _text(item: Completion) -> str:
    assert not isinstance(item.completion, str)
    return str(item.completion[0]["content"])


def _scores(item: Judged) -> dict[str, Any]:
    return {
        "feedback_id": str(item.lesson.id),
        "owner": str(item.lesson.owner),
        "learned_as": item.lesson.kind,
        "nll_before": round(item.before, 4),
        "nll_after": None if item.after is None else round(item.after, 4),
        "kept_before": item.kept_before,
        "kept_after": item.kept_after,
        "fresh": item.fresh,
    }

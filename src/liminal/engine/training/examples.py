"""What can be learned from, and the files it comes in: TRL's dataset formats as JSONL or Parquet.

https://huggingface.co/docs/trl/dataset_formats; each format is recognised by its columns.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from liminal.engine.request import Message
from liminal.engine.training.errors import TrainingDataInvalid

Content = str | Sequence[Message]
"""Plain text, or messages to be rendered with the model's chat template."""

Tools = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Completion:
    """An answer worth giving (TRL: prompt-completion); only the completion's tokens are learned.

    closed: the answer ends here; else it was cut off, and its end is not learned.
    said: what the model had said, where the completion corrects it: what the correction kept of it is held to
      what the base model would say there, and only what it changed is learned.
    """

    prompt: Content
    completion: Content
    tools: Tools | None = None
    closed: bool = True
    said: Content | None = None


@dataclass(frozen=True)
class Conversation:
    """A whole chat (TRL: conversational language modeling); the assistant's turns are learned."""

    messages: Sequence[Message]
    tools: Tools | None = None


@dataclass(frozen=True)
class Document:
    """Plain text (TRL: language modeling); every token but the first is learned."""

    text: str


@dataclass(frozen=True)
class Preference:
    """One answer preferred to another (TRL: preference), learned with DPO."""

    prompt: Content
    chosen: Content
    rejected: Content
    tools: Tools | None = None


@dataclass(frozen=True)
class Judgement:
    """A thumb up or down (TRL: unpaired preference), learned with KTO or its unpaired variant."""

    prompt: Content
    completion: Content
    label: bool
    tools: Tools | None = None


@dataclass(frozen=True)
class Distillation:
    """What the base says after ``teacher_prompt``, to be said after ``prompt`` (arXiv:2412.14964).

    At each token of the completion the base's whole distribution there is learned: it needs no better answer
    than one that the base gave with rules or corrections in its prompt.
    """

    prompt: Content
    completion: Content
    teacher_prompt: Content
    tools: Tools | None = None


Example = Completion | Conversation | Document | Preference | Judgement | Distillation


def parse_example(row: Mapping[str, Any]) -> Example:
    """The example that a row of a dataset is.

    A preference without ``prompt`` (TRL's implicit prompt) gets the longest beginning that both sides share.
    Raises TrainingDataInvalid when the columns are those of no format, or of the wrong type.
    """
    columns = {name for name, value in row.items() if value is not None}
    if {"chosen", "rejected"} <= columns:
        return _preference(row)
    if {"prompt", "completion", "label"} <= columns:
        label = row["label"]
        if not isinstance(label, bool | int) or label not in (0, 1):
            raise TrainingDataInvalid(f"label must be true or false, not {label!r}")
        return Judgement(_content(row, "prompt"), _content(row, "completion"), bool(label), _tools(row))
    if {"prompt", "completion", "teacher_prompt"} <= columns:
        prompt, completion = _content(row, "prompt"), _content(row, "completion")
        return Distillation(prompt, completion, _content(row, "teacher_prompt"), _tools(row))
    if {"prompt", "completion"} <= columns:
        return Completion(_content(row, "prompt"), _content(row, "completion"), _tools(row))
    if "messages" in columns:
        messages = _content(row, "messages")
        if isinstance(messages, str):
            raise TrainingDataInvalid("messages must be a list of messages, not text")
        return Conversation(messages, _tools(row))
    if "text" in columns:
        text = row["text"]
        if not isinstance(text, str):
            raise TrainingDataInvalid(f"text must be a string, not {type(text).__name__}")
        return Document(text)
    raise TrainingDataInvalid(
        f"columns {sorted(columns)} are those of no format; give prompt+completion, messages, text, "
        "prompt+chosen+rejected, prompt+completion+label or prompt+completion+teacher_prompt"
    )


def read_examples(path: str | Path) -> list[Example]:
    """Every example of a ``.jsonl``, ``.json`` (a list) or ``.parquet`` file, in its order.

    Raises TrainingDataInvalid naming the row that cannot be read.
    """
    file = Path(path)
    if not file.is_file():
        raise TrainingDataInvalid(f"no data file at {file}", path=str(file))
    examples: list[Example] = []
    for number, row in enumerate(_rows(file), 1):
        try:
            examples.append(parse_example(row))
        except TrainingDataInvalid as error:
            raise TrainingDataInvalid(f"{file.name}, row {number}: {error.message}", row=number) from error
    if not examples:
        raise TrainingDataInvalid(f"{file.name} holds no examples", path=str(file))
    return examples


def _rows(file: Path) -> Iterator[Mapping[str, Any]]:
    match file.suffix:
        case ".jsonl" | ".ndjson":
            with file.open(encoding="utf-8") as lines:
                for number, line in enumerate(lines, 1):
                    if line.strip():
                        yield _object(_json(line, f"{file.name}, line {number}"))
        case ".json":
            rows = _json(file.read_text("utf-8"), file.name)
            if not isinstance(rows, list):
                raise TrainingDataInvalid(f"{file.name} must hold a list of objects")
            yield from (_object(row) for row in cast("list[Any]", rows))
        case ".parquet":
            yield from _parquet(file)
        case other:
            raise TrainingDataInvalid(f"{other!r} is not a data format; give .jsonl, .json or .parquet")


def _parquet(file: Path) -> Iterator[Mapping[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(file)
        for batch in table.iter_batches(batch_size=1024):
            yield from cast("list[dict[str, Any]]", batch.to_pylist())
    except pa.ArrowException as error:
        raise TrainingDataInvalid(f"{file.name} is not a readable Parquet file: {error}") from error


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise TrainingDataInvalid(f"{where} is not valid JSON: {error}") from error


def _object(row: Any) -> Mapping[str, Any]:
    if not isinstance(row, dict):
        raise TrainingDataInvalid(f"every row must be an object, not {type(row).__name__}")
    return cast("dict[str, Any]", row)


def _content(row: Mapping[str, Any], name: str) -> Content:
    value = row[name]
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(
        isinstance(item, dict) and isinstance(cast("dict[str, Any]", item).get("role"), str)
        for item in cast("list[Any]", value)
    ):
        # Parquet fills absent keys of a message with null; a template would print them
        return [
            {key: part for key, part in message.items() if part is not None or key == "content"}
            for message in cast("list[dict[str, Any]]", value)
        ]
    raise TrainingDataInvalid(f"{name} must be text or a list of messages with roles")


def _tools(row: Mapping[str, Any]) -> Tools | None:
    tools = row.get("tools")
    if isinstance(tools, str):
        tools = _json(tools, "tools")
    if tools is None or isinstance(tools, list):
        return cast("Tools | None", tools or None)
    raise TrainingDataInvalid("tools must be a list of tool descriptions")


def _preference(row: Mapping[str, Any]) -> Preference:
    chosen, rejected = _content(row, "chosen"), _content(row, "rejected")
    if row.get("prompt") is not None:
        return Preference(_content(row, "prompt"), chosen, rejected, _tools(row))
    shared = 0
    for ours, theirs in zip(chosen, rejected, strict=False):
        if ours != theirs:
            break
        shared += 1
    if isinstance(chosen, str) and shared and chosen[shared - 1] == " ":
        # tokens carry the space before a word, so it belongs to the completion
        shared -= 1
    if shared == min(len(chosen), len(rejected)):
        raise TrainingDataInvalid("chosen and rejected do not differ after what they share")
    return Preference(chosen[:shared], chosen[shared:], rejected[shared:], _tools(row))

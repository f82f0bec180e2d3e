"""A read model as it is written down: one folder of projections/.

``projection.toml`` holds its version (int), a description, and optionally ``barriers``: event types that
nothing may be folded across. ``tables.sql`` makes its tables, ``indexes.sql`` (optional) the indexes that a
rebuild leaves for the end, ``views.sql`` (optional) the views and functions in schema ``read`` that are more
than the table itself. ``folds/<event.type>.sql`` is one statement over ``jsonb_to_recordset($1::jsonb)``.

``folds/_any.sql`` gets how many events (``_events``) each ``_partition``, ``_type`` and minute (``_time``)
has.
``folds/_verdict.sql`` gets the envelope of every versioned record with ``accepted`` and ``version``; who has
it keeps a table ``verdicts (partition, "offset", accepted, version)``, where who folds later looks them up.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from liminal.log.errors import UnknownEvent
from liminal.log.events import event_class
from liminal.projector.errors import BadDefinition, UnknownProjection

ANY = "_any"
VERDICT = "_verdict"
SPECIAL = frozenset({ANY, VERDICT})

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
ROWS = "jsonb_to_recordset($1::jsonb)"
ENVELOPE = re.compile(r"\b_(?:id|type|time|stream|owner|tenant|actor|causation|correlation)\b")
KEYS = frozenset({"version", "description", "barriers"})


@dataclass(frozen=True, slots=True)
class Definition:
    """One read model of one version.

    Attributes:
        name: name of the folder.
        version: raised by hand with every change of what follows.
        description: one sentence.
        tables: DDL without schema names.
        indexes: DDL run when a rebuild is done, or at once for a projection that starts empty.
        views: DDL of views and functions in ``read``; the search path leads to the tables.
        folds: SQL statement by event type, and by ``_any`` and ``_verdict``.
        barriers: event types that nothing may be folded across.
    """

    name: str
    version: int
    description: str
    tables: str
    indexes: str
    views: str
    folds: Mapping[str, str]
    barriers: tuple[str, ...]

    @property
    def digest(self) -> str:
        """SHA-256 in hex over everything that decides the rows."""
        parts = (str(self.version), self.tables, self.indexes, self.views, *sorted(self.barriers))
        folds = (text for item in sorted(self.folds.items()) for text in item)
        return hashlib.sha256("\0".join((*parts, *folds)).encode()).hexdigest()

    @property
    def columns(self) -> dict[str, list[str]]:
        """By fold, the columns of the envelope that its statement names."""
        return {fold: sorted(set(ENVELOPE.findall(statement))) for fold, statement in self.folds.items()}

    def as_json(self) -> str:
        """The whole definition, to be kept beside what was made from it."""
        return orjson.dumps(asdict(self)).decode()

    @classmethod
    def from_json(cls, text: str) -> Definition:
        """The definition that ``as_json`` wrote."""
        values: dict[str, Any] = orjson.loads(text)
        values["barriers"] = tuple(values["barriers"])
        return cls(**values)


def projections_folder() -> Path:
    """The folder ``projections`` of the checkout. Raises BadDefinition where there is none."""
    folder = Path(__file__).parents[3] / "projections"
    if not folder.is_dir():
        raise BadDefinition("there is no folder projections beside src; run liminal from a checkout")
    return folder


def load_definitions(folder: Path | None = None) -> dict[str, Definition]:
    """Every read model by name, in order of name. Raises BadDefinition for the first that is wrong."""
    root = folder or projections_folder()
    names = sorted(path.parent.name for path in root.glob("*/projection.toml"))
    return {name: load_definition(root / name) for name in names}


def choose(definitions: Mapping[str, Definition], names: Iterable[str] | None) -> list[Definition]:
    """The definitions with these names, or all of them. Raises UnknownProjection."""
    if names is None:
        return list(definitions.values())
    chosen = list(dict.fromkeys(names))
    for name in chosen:
        if name not in definitions:
            known = ", ".join(definitions)
            raise UnknownProjection(f"there is no projection {name}; there are: {known}", name=name)
    return [definitions[name] for name in chosen]


def load_definition(folder: Path) -> Definition:
    """The read model of one folder. Raises BadDefinition."""
    if not NAME.fullmatch(folder.name):
        raise BadDefinition(f"{folder.name}: a projection's name has small letters, digits and _ only")
    about = _read_toml(folder / "projection.toml")
    folds = {file.stem: _statement(file) for file in sorted((folder / "folds").glob("*.sql"))}
    if not folds:
        raise BadDefinition(f"{folder.name} has no folds/<event.type>.sql")
    barriers = tuple(about.get("barriers", ()))
    for kind in {*folds, *barriers} - SPECIAL:
        _check_type(folder, kind)
    return Definition(
        name=folder.name,
        version=about["version"],
        description=about["description"],
        tables=_read(folder / "tables.sql"),
        indexes=_read(folder / "indexes.sql", optional=True),
        views=_read(folder / "views.sql", optional=True),
        folds=folds,
        barriers=barriers,
    )


def _read_toml(file: Path) -> dict[str, Any]:
    where = f"{file.parent.name}/{file.name}"
    try:
        about = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise BadDefinition(f"{where} can't be read: {error}") from error
    if unknown := about.keys() - KEYS:
        raise BadDefinition(f"{where} has {min(unknown)}, which is not one of {', '.join(sorted(KEYS))}")
    version = about.get("version")
    if not isinstance(version, int) or version < 1 or not isinstance(about.get("description"), str):
        raise BadDefinition(f"{where} needs a version, a whole number from 1, and a description")
    return about


def _read(file: Path, *, optional: bool = False) -> str:
    if optional and not file.exists():
        return ""
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise BadDefinition(f"{file.parent.name}/{file.name} can't be read: {error}") from error


def _statement(file: Path) -> str:
    statement = _read(file).rstrip().removesuffix(";")
    where = f"{file.parents[1].name}/folds/{file.name}"
    if ROWS not in statement:
        raise BadDefinition(f"{where} does not read {ROWS}")
    if "$fold$" in statement:
        raise BadDefinition(f"{where} holds $fold$, which quotes it")
    return statement


def _check_type(folder: Path, kind: str) -> None:
    try:
        event_class(kind)
    except UnknownEvent as error:
        raise BadDefinition(f"{folder.name} folds {kind}, and no event type has that name") from error

"""What an event type is, and the one registry that holds them all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, ValidationError, model_validator

from liminal.log.errors import MalformedEvent, unknown_event
from liminal.log.personal import AS_STORED, PARTLY_SEALED

Data = dict[str, Any]
Upcaster = Callable[[Data], Data]


CONFIG = ConfigDict(
    frozen=True,
    extra="forbid",
    use_attribute_docstrings=True,
    revalidate_instances="always",
    # a process meets few of the types, and to build all of them takes longer than most commands
    defer_build=True,
)
"""Of every event and of every part of one."""


class Part(BaseModel):
    """A structured value inside an event."""

    model_config = CONFIG


class Event(BaseModel):
    """Something that happened, immutable. A subclass with a ``type`` registers itself.

    Building one with data that does not fit raises MalformedEvent with the path of the first field. A rule
    between fields is a validator of one of them, so that it has a path too.
    """

    model_config = CONFIG

    type: ClassVar[str]
    """Name of the event type, past tense, dotted: ``message.posted``."""
    version: ClassVar[int] = 1
    """Version of its data; a published version never changes."""
    category: ClassVar[str]
    """Prefix of the streams it belongs to: ``conversation`` for ``conversation-<uuid>``."""
    other_categories: ClassVar[frozenset[str]] = frozenset()
    """Prefixes of further streams that it may lie on."""

    @model_validator(mode="wrap")
    @classmethod
    def _at_the_door(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(data)
        except ValidationError as error:
            raise malformed(cls.type, error) from error

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if len(cls.__pydantic_decorators__.model_validators) > 1:
            raise TypeError(f"{cls.__name__}: a model validator's error has no path; use a field validator")
        if "type" in cls.__dict__:
            _register(cls)

    @classmethod
    def categories(cls) -> frozenset[str]:
        """Prefixes of all streams that it may lie on."""
        return cls.other_categories | {cls.category}

    @classmethod
    def dataschema(cls) -> str:
        """Name of this version of the type: ``message.posted.v1``."""
        return f"{cls.type}.v{cls.version}"

    @classmethod
    def check_stored(cls, data: Data, *, partly: bool = False) -> None:
        """Check data as it lies on the log: personal fields sealed (``partly``: or not), all else valid.

        Raises MalformedEvent.
        """
        cls.model_validate(data, context=PARTLY_SEALED if partly else AS_STORED)


_registry: dict[tuple[str, int], type[Event]] = {}
_newest: dict[str, type[Event]] = {}
_upcasters: dict[tuple[str, int], Upcaster] = {}


def _register(cls: type[Event]) -> None:
    key = (cls.type, cls.version)
    if key in _registry:
        raise TypeError(f"{cls.dataschema()} is registered twice")
    _registry[key] = cls
    if cls.type not in _newest or _newest[cls.type].version < cls.version:
        _newest[cls.type] = cls


def event_types() -> Mapping[tuple[str, int], type[Event]]:
    """Every registered event class by (type, version)."""
    return _registry


def event_class(type_: str, version: int | None = None) -> type[Event]:
    """The class of a type: its newest version, or the one asked for. Raises UnknownEvent."""
    found = _newest.get(type_) if version is None else _registry.get((type_, version))
    if found is None:
        raise unknown_event(type_ if version is None else f"{type_}.v{version}")
    return found


def make_event(type_: str, data: Mapping[str, Any]) -> Event:
    """An event of the newest version from plain data. Raises UnknownEvent or MalformedEvent."""
    return event_class(type_).model_validate(dict(data))


def upcaster(type_: str, from_version: int) -> Callable[[Upcaster], Upcaster]:
    """Register the pure function that turns plaintext data of ``from_version`` into the next version's.

    An erased personal field reaches it as None; a field that was None may be absent.
    """

    def register(function: Upcaster) -> Upcaster:
        if (type_, from_version) in _upcasters:
            raise TypeError(f"{type_}.v{from_version} has two upcasters")
        _upcasters[type_, from_version] = function
        return function

    return register


def upcasters_from(type_: str, version: int) -> tuple[Upcaster, ...]:
    """The chain of upcasters from a version to the newest. Raises UnknownEvent where a link is missing."""
    chain: list[Upcaster] = []
    for step in range(version, event_class(type_).version):
        if (type_, step) not in _upcasters:
            raise unknown_event(f"{type_}.v{step} has no upcaster")
        chain.append(_upcasters[type_, step])
    return tuple(chain)


def malformed(type_: str, error: ValidationError) -> MalformedEvent:
    """MalformedEvent for pydantic's first complaint."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    path = ".".join(str(step) for step in first["loc"]) or "(whole event)"
    return MalformedEvent(
        f"{type_}: {path}: {first['msg']}", event=type_, path=path, reason=first["msg"], kind=first["type"]
    )

"""Everything the engine refuses or fails on, each with a stable code."""

from __future__ import annotations

from typing import ClassVar

from liminal.errors import LiminalError


class EngineError(LiminalError):
    """Root of the engine's errors."""

    code: ClassVar[str] = "engine_error"


class ModelNotFound(EngineError):
    """No model folder or hub repository of that name."""

    code = "model_not_found"


class ModelUnsupported(EngineError):
    """The model is well-formed and uses something this engine does not compute; the message names it."""

    code = "model_unsupported"


class ModelInvalid(EngineError):
    """A file of the model is truncated, mis-shaped or hostile; the message says which and how."""

    code = "model_invalid"


class MemoryShort(EngineError):
    """The model, its cache and its bank do not fit into the memory that is free."""

    code = "memory_short"


class AdapterNotFound(EngineError):
    """No adapter of that name is registered."""

    code = "adapter_not_found"


class AdapterUnsupported(EngineError):
    """The adapter is well-formed and uses something a bank cannot hold (DoRA, modules_to_save, …)."""

    code = "adapter_unsupported"


class AdapterInvalid(EngineError):
    """An adapter file is truncated, mis-shaped or does not fit the base model."""

    code = "adapter_invalid"


class NumbersOverflowed(EngineError):
    """The model computed no number, most likely because an adapter or its gate is far too strong."""

    code = "numbers_overflowed"


class BankFull(EngineError):
    """The adapters of one request need more rank rows than the bank has, or all rows are pinned."""

    code = "bank_full"


class RequestInvalid(EngineError):
    """A generation request that can never run: empty, too long, or with values out of range."""

    code = "request_invalid"


class QueueFull(EngineError):
    """The waiting queue is at its bound; try again later."""

    code = "queue_full"


class RequestTimeout(EngineError):
    """The request did not finish within its time."""

    code = "request_timeout"


class EngineClosed(EngineError):
    """The engine was closed, or its decoding thread died (the cause is chained)."""

    code = "engine_closed"


class CapabilityMissing(EngineError):
    """The chosen backend cannot do what was asked; nothing imitates it."""

    code = "capability_missing"


class BackendUnavailable(EngineError):
    """A remote endpoint did not answer, or answered with a server error, after all retries."""

    code = "backend_unavailable"


class BackendRefused(EngineError):
    """A remote endpoint refused the request (credentials, quota, bad parameters)."""

    code = "backend_refused"

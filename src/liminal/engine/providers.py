"""What the known OpenAI-compatible endpoints understand beyond the common part, as one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

AdapterStyle = Literal["model", "parameter", "prompt"]

COMMON = frozenset(
    {"temperature", "top_p", "presence_penalty", "frequency_penalty", "seed", "logprobs", "json_schema"}
)
LOCAL = COMMON | {"top_k", "min_p", "repetition_penalty"}


@dataclass(frozen=True)
class Provider:
    """How an endpoint takes adapters and sampling rules.

    Attributes:
      adapters: ``model`` (an adapter is a model id), ``parameter`` (a field of the request) or
        ``prompt`` (its distilled instructions go before the system prompt).
      mixtures: whether several adapters with gates other than 1 can be asked for.
      fields: {adapter: gate} → the extra fields of the request, for ``parameter``.
      model_id: (base, adapter) → the model to ask for, for ``model``.
      rules: the sampling fields that it honours; others raise CapabilityMissing when asked for.
      names: fields that it calls differently.
    """

    adapters: AdapterStyle
    rules: frozenset[str] = COMMON
    mixtures: bool = False
    fields: Callable[[Mapping[str, float]], dict[str, Any]] | None = None
    model_id: Callable[[str, str], str] | None = None
    names: Mapping[str, str] | None = None


def _mixture(adapters: Mapping[str, float]) -> dict[str, Any]:
    return {"liminal": {"adapters": dict(adapters)}}


def _llama_cpp(adapters: Mapping[str, float]) -> dict[str, Any]:
    return {"lora": [{"id": int(name), "scale": gate} for name, gate in adapters.items()]}


def _own_name(base: str, adapter: str) -> str:
    return adapter


def _after_base(base: str, adapter: str) -> str:
    return f"{base}:{adapter}"


def _on_deployment(base: str, adapter: str) -> str:
    return f"{adapter}#{base}"


PROVIDERS: Mapping[str, Provider] = {
    "liminal": Provider("parameter", LOCAL, mixtures=True, fields=_mixture),
    "vllm": Provider("model", LOCAL, model_id=_own_name),
    "sglang": Provider("model", LOCAL, model_id=_after_base),
    # README of predibase/lorax, "Chat via OpenAI API": the adapter is the model; read on 2026-12-01
    "lorax": Provider("model", LOCAL - {"min_p"}, model_id=_own_name),
    # adapters are known to llama.cpp's server by number, in the order of its command line
    "llama.cpp": Provider(
        "parameter", LOCAL, mixtures=True, fields=_llama_cpp, names={"repetition_penalty": "repeat_penalty"}
    ),
    # docs.fireworks.ai, "Deploying fine-tuned models", multi-LoRA: adapter#deployment; read on 2026-12-01
    "fireworks": Provider("model", LOCAL, model_id=_on_deployment),
    "together": Provider("model", LOCAL, model_id=_own_name),
    "openrouter": Provider("prompt", LOCAL),
    "openai": Provider("prompt", COMMON),
    "other": Provider(
        "prompt", frozenset({"temperature", "top_p", "presence_penalty", "frequency_penalty", "seed"})
    ),
}
"""By name. Sources: each project's API reference, read in November 2026."""

"""The kernels by name, each compiled once a process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from liminal.engine.blocks import Form
from liminal.engine.kernels import ATTENTION, BLOCK_PRODUCTS, INT8_PRODUCT, LAYERS, PAGE_PRODUCT, kernel_name
from liminal.engine.kernels.attention import decode_attention
from liminal.engine.kernels.layers import Layers, Sizes, turns
from liminal.engine.kernels.llvm import Native, Phase, forget_compiler, processor_has
from liminal.engine.kernels.matrices import block_products
from liminal.engine.kernels.products import int8_product, page_product
from liminal.engine.kernels.tiles import Dots
from liminal.engine.kernels.vectors import LANES
from liminal.engine.params import TARGETS

KINDS: dict[str, tuple[str, ...]] = {
    "vnni512": ("avx512vnni", "avx512f", "avx512bw", "avx512dq", "avx512vl"),
    "vnni256": ("avxvnni", "avx2", "fma", "f16c"),
    "avx2": ("avx2", "fma", "f16c"),
}
"""Ways to multiply bytes, best first, by what LLVM calls the extensions that they need."""


def kinds() -> list[str]:
    """Those that this processor has, best first."""
    return [kind for kind, needed in KINDS.items() if all(processor_has(each) for each in needed)]


@cache
def available(name: str, *of: Any) -> bool:
    """Compile a kernel of these sizes for this processor and make it known to JAX; whether there is one."""
    made = _PHASES[name](*of)
    if made is None:
        return False
    Native(kernel_name(name, *of), made, turns if name == LAYERS else None).register(
        wide="vnni256" not in of and "avx2" not in of
    )
    forget_compiler()
    return True


def _int8() -> list[Phase] | None:
    """A unit is an output."""
    if not processor_has("avx512vnni"):
        return None
    return [Phase(lambda _, call: call.result(0).size(1), int8_product)]


def _pages() -> list[Phase]:
    """A unit is a row."""
    return [Phase(lambda _, call: call.given(0).size(0), page_product)]


def _attention(groups: int, dim: int) -> list[Phase] | None:
    return None if dim % LANES else [decode_attention(groups, dim)]


def _blocks(kind: str, *forms: int) -> list[Phase] | None:
    """``forms``: a number for each matrix, its bits and 1 if its blocks have minima."""
    if kind not in kinds():
        return None
    return block_products([_form(form) for form in forms], Dots(kind))


def _layers(kind: str, heads: int, kv_heads: int, dim: int, *forms: int) -> list[Phase] | None:
    """``forms``: of TARGETS, as above."""
    if kind not in kinds():
        return None
    each = {target: _form(form) for target, form in zip(TARGETS, forms, strict=True)}
    return Layers(Sizes(heads, kv_heads, dim, each), Dots(kind)).phases()


def _form(said: int) -> Form:
    return Form(said & 14, bool(said & 1), 0)


_PHASES: Mapping[str, Callable[..., list[Phase] | None]] = {
    INT8_PRODUCT: _int8,
    PAGE_PRODUCT: _pages,
    ATTENTION: _attention,
    BLOCK_PRODUCTS: _blocks,
    LAYERS: _layers,
}
"""None where this processor lacks what the kernel needs."""

"""The kernels by name, each compiled once a process."""

from __future__ import annotations

from functools import cache

from liminal.engine.kernels import ATTENTION, INT8_PRODUCT, PAGE_PRODUCT, kernel_name
from liminal.engine.kernels.attention import decode_attention
from liminal.engine.kernels.llvm import Native, forget_compiler, processor_has
from liminal.engine.kernels.products import int8_product, page_product
from liminal.engine.kernels.vectors import LANES, PARTS


@cache
def available(name: str, *of: int) -> bool:
    """Compile a kernel of these sizes for this processor and make it known to JAX; whether there is one."""
    if name == INT8_PRODUCT and not processor_has("avx512vnni"):
        return False
    if name == ATTENTION and of[1] % LANES:
        return False
    arguments, body = {
        INT8_PRODUCT: (2, lambda: int8_product),
        PAGE_PRODUCT: (5, lambda: page_product),
        ATTENTION: (5, lambda: decode_attention(*of)),
    }[name]
    Native(kernel_name(name, *of), arguments, PARTS, body()).register()
    forget_compiler()
    return True

"""What a processor has for the kernels, and what it lacks, in words."""

from __future__ import annotations

from liminal.engine import kernels

SAID = {
    "vnni512": "products of bytes with AVX-512 VNNI, 64 at once",
    "vnni256": "products of bytes with AVX-VNNI, 32 at once (no AVX-512 VNNI here)",
    "avx2": "products of bytes with AVX2 (no VNNI here: a third of the speed where rows are many)",
    "": "JAX's own operations (no kernels for this device or processor: AVX2, FMA and F16C at least)",
}


def by_what(numbers: str) -> str:
    """By which kernels a model in these numbers is computed here."""
    kind = kernels.byte_products()
    if numbers == "blocks":
        return SAID[kind]
    if numbers == "int8":
        return SAID["vnni512"] if kind == "vnni512" else SAID[""]
    return "XLA's products of floats" + ("" if not kind else "; attention and adapters by kernels")

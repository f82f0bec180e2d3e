"""What the kernels say in vectors of 64 bytes; LLVM halves them where the processor's are shorter."""

from __future__ import annotations

from collections.abc import Sequence

from llvmlite import ir

from liminal.engine.kernels.llvm import F32, I8, I32, Buffer, Code, Value, number

LANES = 16
"""f32 or int32 in a vector; it has four times as many bytes."""
FLOATS, INTS, BYTES = ir.VectorType(F32, LANES), ir.VectorType(I32, LANES), ir.VectorType(I8, 4 * LANES)
ZERO = ir.Constant(FLOATS, None)


def row(code: Code, buffer: Buffer, index: Value, length: Value, of: ir.Type) -> Value:
    """The address of a row of a matrix."""
    return code.at(buffer.data, code.mul(index, length), of)


def every(value: float, of: ir.VectorType = FLOATS) -> Value:
    """A constant in every lane."""
    return ir.Constant(of, [value] * of.count)


def spread(code: Code, value: Value) -> Value:
    """The f32 or int32 in every lane."""
    none = ir.Constant(FLOATS if value.type == F32 else INTS, None)
    one = code.insert_element(none, value, number(0, I32))
    return code.shuffle_vector(one, none, every(0, INTS))


def lower(code: Code, vector: Value) -> Value:
    """The first half of the lanes."""
    return _lanes(code, vector, 0, vector.type.count // 2)


def upper(code: Code, vector: Value) -> Value:
    """The second half of the lanes."""
    return _lanes(code, vector, vector.type.count // 2, vector.type.count // 2)


def _lanes(code: Code, vector: Value, first: int, count: int) -> Value:
    lanes = ir.Constant(ir.VectorType(I32, count), list(range(first, first + count)))
    return code.shuffle_vector(vector, vector, lanes)


def joined(code: Code, first: Value, second: Value) -> Value:
    """Two vectors side by side."""
    count = 2 * first.type.count
    return code.shuffle_vector(first, second, ir.Constant(ir.VectorType(I32, count), list(range(count))))


def multiply_add(code: Code, a: Value, b: Value, c: Value) -> Value:
    """a * b + c, rounded once."""
    return code.call(code.external("llvm.fma.v16f32", FLOATS, FLOATS, FLOATS, FLOATS), [a, b, c])


def largest(code: Code, a: Value, b: Value) -> Value:
    """The larger in each lane."""
    return code.call(code.external("llvm.maxnum.v16f32", FLOATS, FLOATS, FLOATS), [a, b])


def total(code: Code, vector: Value) -> Value:
    """The sum of the lanes."""
    add = code.external("llvm.vector.reduce.fadd.v16f32", F32, F32, FLOATS)
    return code.call(add, [number(0, F32), vector], fastmath=("reassoc",))


def totals(code: Code, vectors: Sequence[Value]) -> Value:
    """The sums of the lanes of LANES vectors, side by side in one: a third of what they take one by one."""
    add = code.fadd if vectors[0].type == FLOATS else code.add
    evens = ir.Constant(INTS, list(range(0, 2 * LANES, 2)))
    odds = ir.Constant(INTS, list(range(1, 2 * LANES, 2)))
    left = list(vectors)
    while len(left) > 1:
        left = [
            add(code.shuffle_vector(a, b, evens), code.shuffle_vector(a, b, odds))
            for a, b in zip(left[::2], left[1::2], strict=True)
        ]
    return left[0]


def exponential(code: Code, x: Value) -> Value:
    """e to the power of each lane, none of them above 0; within 2 units in the last place (Cephes' expf)."""
    x = largest(code, x, every(-87.0))
    whole = code.call(
        code.external("llvm.roundeven.v16f32", FLOATS, FLOATS), [code.fmul(x, every(1.44269504088896341))]
    )
    rest = multiply_add(code, whole, every(-0.693359375), x)
    rest = multiply_add(code, whole, every(2.12194440e-4), rest)
    found = every(1.9875691500e-4)
    for term in (1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1):
        found = multiply_add(code, found, rest, every(term))
    found = multiply_add(code, found, code.fmul(rest, rest), code.fadd(rest, every(1.0)))
    exponent = code.shl(code.add(code.fptosi(whole, INTS), every(127, INTS)), every(23, INTS))
    return code.fmul(found, code.bitcast(exponent, FLOATS))

"""Functions of this processor's own machine code, called from inside JAX's programs on CPU.

XLA's CPU backend has no product of bytes and none that gives every row of a batch matrices of its own. What
it lacks is written in LLVM's language, compiled for the processor at hand by llvmlite (which UMAP brings, as
part of numba) and handed to XLA's typed FFI. The structs are those of ``xla/ffi/api/c_api.h``, which jaxlib
ships; a jaxlib that changes them refuses the registration.
"""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
from llvmlite import binding, ir

I8, I32, I64, F32 = ir.IntType(8), ir.IntType(32), ir.IntType(64), ir.FloatType()
POINTER, NOTHING = ir.PointerType(), ir.VoidType()
NULL = ir.Constant(POINTER, None)
ABI = (0, 3)

_START = (I64, POINTER)  # struct_size, extension_start
_LIST = ir.LiteralStructType([*_START, I64, POINTER, POINTER])
_FRAME = ir.LiteralStructType([*_START, POINTER, POINTER, I32, _LIST, _LIST])
_BUFFER = ir.LiteralStructType([*_START, I32, POINTER, I64, POINTER])
_EXTENSION = ir.LiteralStructType([I64, I32, POINTER, POINTER])
_METADATA = ir.LiteralStructType([I64, ir.LiteralStructType([*_START, I32, I32])])
_API = ir.LiteralStructType([*_START, *_METADATA.elements[1:], *[POINTER] * 18])
_SCHEDULE = ir.LiteralStructType([*_START, POINTER, POINTER, POINTER])
_SCHEDULE_TASK = 15
"""Where XLA_FFI_ThreadPool_Schedule stands in the table of functions."""
_LINE = ir.ArrayType(I32, 15)
_STATE = ir.LiteralStructType([I32, _LINE, I32, _LINE, I32, POINTER, _SCHEDULE, I32])
"""Of one call: the next part, parts done, who holds the state, the frame, how a task is asked for, turns.
The first two are written by all threads, and each has 64 bytes to itself."""
_NEXT, _DONE, _HOLDERS, _CALLED, _TASK, _TURNS = 0, 2, 4, 5, 6, 7
_STATE_BYTES = 200
"""After them stands how many units each phase has."""
LOOKS = 64
"""At the parts done before a waiting thread lets others have its core."""

MOST_THREADS, PARTS = 8, 4
"""Threads that share one call; more wait for memory. Parts for each: what is shared is looked at seldom, and
the last part is short enough to be waited for."""

_compiled: list[Any] = []
"""JAX keeps addresses: what was registered stays for as long as the process."""

Value = Any
"""A value of the program that is written; llvmlite has no types for them."""


def number(value: float, of: ir.Type = I64) -> Value:
    """A constant."""
    return ir.Constant(of, value)


class Code(ir.IRBuilder):
    """Writes one function."""

    def field(self, pointer: Value, struct: ir.Type, *path: int) -> Value:
        """The address of a field."""
        return self.gep(pointer, [number(index, I32) for index in (0, *path)], source_etype=struct)

    def at(self, pointer: Value, index: Value, of: ir.Type) -> Value:
        """The address of an element."""
        return self.gep(pointer, [index], source_etype=of)

    def fetch(self, pointer: Value, of: ir.Type) -> Value:
        """What stands at an address; vectors need not be aligned."""
        return self.load(pointer, typ=of, align=4 if of in (I32, F32) else 1 if of != POINTER else 8)

    def external(self, name: str, result: ir.Type, *arguments: ir.Type) -> Value:
        """A function that LLVM or the C library has."""
        found = self.module.globals.get(name)
        return found or ir.Function(self.module, ir.FunctionType(result, list(arguments)), name)

    def prefetch(self, pointer: Value) -> None:
        """Ask for a line of 64 bytes that is read soon; any address will do."""
        ask = self.external("llvm.prefetch.p0", NOTHING, POINTER, I32, I32, I32)
        self.call(ask, [pointer, number(0, I32), number(3, I32), number(1, I32)])

    def least(self, a: Value, b: Value) -> Value:
        """The smaller of two integers."""
        return self.select(self.icmp_signed("<", a, b), a, b)

    def loop(
        self, count: Value, step: int, body: Callable[..., Sequence[Value] | None], *carried: Value
    ) -> list[Value]:
        """``for i in range(0, count, step): carried = body(i, *carried)``; what is carried at its end."""
        before, head, inside, after = (self.block, *(self.append_basic_block() for _ in range(3)))
        self.branch(head)
        self.position_at_end(head)
        index, values = self.phi(I64), [self.phi(value.type) for value in carried]
        self.cbranch(self.icmp_signed("<", index, count), inside, after)
        self.position_at_end(inside)
        new = body(index, *values) or ()
        following = self.add(index, number(step))
        firsts, laters = (number(0), *carried), (following, *new)
        for phi, first, later in zip((index, *values), firsts, laters, strict=True):
            phi.add_incoming(first, before)
            phi.add_incoming(later, self.block)
        self.branch(head)
        self.position_at_end(after)
        return values

    def tiles(self, count: Value, sizes: Sequence[int], body: Callable[[Value, int], None]) -> None:
        """``body(start, size)`` over all of ``count``, in the largest sizes that are left; the last is 1."""
        start = number(0)
        for size in sizes:
            left = self.sub(count, start)
            whole = self.sub(left, self.srem(left, number(size)))

            def tile(index: Value, size: int = size, start: Value = start) -> None:
                body(self.add(start, index), size)

            self.loop(whole, size, tile)
            start = self.add(start, whole)


class Buffer:
    """An array that a function was given: its memory and its shape."""

    def __init__(self, code: Code, frame: Value, listed: int, index: int | Value) -> None:
        """The array number ``index`` among the arguments (``listed`` = 5) or the results (6) of a frame."""
        self._code = code
        pointers = code.fetch(code.field(frame, _FRAME, listed, 4), POINTER)
        place = number(index) if isinstance(index, int) else index
        own = code.fetch(code.at(pointers, place, POINTER), POINTER)
        self.data = code.fetch(code.field(own, _BUFFER, 3), POINTER)
        self._shape = code.fetch(code.field(own, _BUFFER, 5), POINTER)

    def size(self, axis: int) -> Value:
        """The length of an axis."""
        return self._code.load(self._code.at(self._shape, number(axis), I64), typ=I64)


class Call:
    """What one call of a function was given, as the code sees it that runs in it."""

    def __init__(self, code: Code, frame: Value, turn: Value) -> None:
        """``turn``: how often the phases were gone through before."""
        self._code, self._frame, self.turn = code, frame, turn

    def given(self, index: int | Value) -> Buffer:
        """An argument."""
        return Buffer(self._code, self._frame, 5, index)

    def result(self, index: int | Value) -> Buffer:
        """A result."""
        return Buffer(self._code, self._frame, 6, index)


@dataclass(frozen=True)
class Phase:
    """Work in units that may be done at once; the next phase begins when all are done.

    Attributes:
      units: writes how many there are; asked once a call.
      body: writes what computes some of them: (first, how many).
    """

    units: Callable[[Code, Call], Value]
    body: Callable[[Code, Call, tuple[Value, Value]], None]


class Native:
    """One function: its phases, one after the other, ``turns`` times over, on several threads.

    A phase's units are divided into PARTS parts for each thread. The thread that calls, and tasks in XLA's
    own pool, take one part after the other; everyone waits for parts that another has begun, never for a
    task that has not: all threads of the pool may be waiting.
    """

    def __init__(
        self, name: str, phases: Sequence[Phase], turns: Callable[[Code, Call], Value] | None = None
    ) -> None:
        """Nothing is compiled yet."""
        self.name, self.phases = name, phases
        self.helpers = min(os.cpu_count() or 1, MOST_THREADS) - 1
        self.module = ir.Module(name)
        self.module.triple = binding.get_default_triple()
        parts = [self._part(place, phase) for place, phase in enumerate(phases)]
        claim, leave = self._claim(parts), self._leave()
        self._entry(claim, leave, self._task(claim, leave), turns)

    def register(self, wide: bool = True) -> None:
        """Compile it for this processor and make it known to JAX under its name.

        ``wide``: with vectors of 64 bytes, if the processor has them.
        """
        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
        target = binding.Target.from_default_triple()
        has = dict(binding.get_host_cpu_features())
        processor = binding.get_host_cpu_name()
        if binding.get_default_triple().startswith("x86_64"):
            # half the width, which LLVM likes where that once kept the clock up
            has["prefer-256-bit"] = False
            if not wide:
                has |= dict.fromkeys((name for name in has if name.startswith("avx512")), False)
                processor = "haswell"
        features = ",".join(f"{'+' if there else '-'}{name}" for name, there in has.items())
        machine = target.create_target_machine(processor, features, opt=3, jit=True)
        module = binding.parse_assembly(str(self.module))
        module.verify()
        compiled = binding.create_mcjit_compiler(module, machine)
        compiled.finalize_object()
        _compiled.append(compiled)
        capsule = ctypes.pythonapi.PyCapsule_New
        capsule.restype, capsule.argtypes = ctypes.py_object, (ctypes.c_void_p,) * 3
        address = compiled.get_function_address(self.name)
        jax.ffi.register_ffi_target(self.name, capsule(address, None, None), platform="cpu")

    def _function(self, suffix: str, result: ir.Type, *arguments: ir.Type) -> tuple[Any, Code]:
        function = ir.Function(self.module, ir.FunctionType(result, list(arguments)), self.name + suffix)
        function.linkage = "internal" if suffix else ""
        return function, Code(function.append_basic_block())

    def _part(self, place: int, phase: Phase) -> Any:
        function, code = self._function(f".part{place}", NOTHING, POINTER, I64, I64, I64)
        frame, first, count, turn = function.args
        phase.body(code, Call(code, frame, turn), (first, count))
        code.ret_void()
        return function

    def _claim(self, parts: Sequence[Any]) -> Any:
        """Take parts until there are none, each phase's after all of the one before."""
        function, code = self._function(".claim", NOTHING, POINTER)
        (state,) = function.args
        turns = code.zext(code.fetch(code.field(state, _STATE, _TURNS), I32), I64)
        sizes = [code.fetch(_count(code, state, place), I32) for place in range(len(parts))]

        def turn(index: Value, before: Value) -> list[Value]:
            for part, units in zip(parts, sizes, strict=True):
                count = code.least(units, number(PARTS * (self.helpers + 1), I32))
                end = code.add(before, count)
                self._take(code, state, part, (before, end, units), index)
                self._wait(code, state, end)
                before = end
            return [before]

        code.loop(turns, 1, turn, number(0, I32))
        code.ret_void()
        return function

    def _take(
        self, code: Code, state: Value, part: Any, span: tuple[Value, Value, Value], turn: Value
    ) -> None:
        """Do parts whose numbers lie in the span (first, last, units) for as long as nobody did."""
        next_one, one = code.field(state, _STATE, _NEXT), number(1, I32)
        head, trying, inside, after = (code.append_basic_block() for _ in range(4))
        code.branch(head)
        code.position_at_end(head)
        mine = code.load_atomic(next_one, "monotonic", 4, typ=I32)
        code.cbranch(code.icmp_unsigned("<", mine, span[1]), trying, after)
        code.position_at_end(trying)
        won = code.extract_value(
            code.cmpxchg(next_one, mine, code.add(mine, one), "monotonic", "monotonic"), 1
        )
        code.cbranch(won, inside, head)
        code.position_at_end(inside)
        frame = code.fetch(code.field(state, _STATE, _CALLED), POINTER)
        before, end, units = (code.zext(each, I64) for each in span)
        at, parts = code.sub(code.zext(mine, I64), before), code.sub(end, before)
        edges = [code.sdiv(code.mul(each, units), parts) for each in (at, code.add(at, number(1)))]
        code.call(part, [frame, edges[0], code.sub(edges[1], edges[0]), turn])
        code.atomic_rmw("add", code.field(state, _STATE, _DONE), one, "release")
        code.branch(head)
        code.position_at_end(after)

    def _wait(self, code: Code, state: Value, end: Value) -> None:
        """Until ``end`` parts are done in all."""
        before = code.block
        head, waiting, yielding, again, after = (code.append_basic_block() for _ in range(5))
        code.branch(head)
        code.position_at_end(head)
        looks = code.phi(I32)
        done = code.load_atomic(code.field(state, _STATE, _DONE), "acquire", 4, typ=I32)
        code.cbranch(code.icmp_unsigned("<", done, end), waiting, after)
        code.position_at_end(waiting)
        if self.module.triple.startswith("x86_64"):
            code.call(code.external("llvm.x86.sse2.pause", NOTHING), [])
        more = code.add(looks, number(1, I32))
        often = code.icmp_unsigned("==", code.and_(more, number(LOOKS - 1, I32)), number(0, I32))
        code.cbranch(often, yielding, again)
        code.position_at_end(yielding)  # whoever has the last part may need this very core
        code.call(code.external("sched_yield", I32), [])
        code.branch(again)
        code.position_at_end(again)
        code.branch(head)
        looks.add_incoming(number(0, I32), before)
        looks.add_incoming(more, again)
        code.position_at_end(after)

    def _leave(self) -> Any:
        """Let go of the state; the last who does frees it."""
        function, code = self._function(".leave", NOTHING, POINTER)
        (state,) = function.args
        holders = code.atomic_rmw("sub", code.field(state, _STATE, _HOLDERS), number(1, I32), "acq_rel")
        with code.if_then(code.icmp_unsigned("==", holders, number(1, I32))):
            code.call(code.external("free", NOTHING, POINTER), [state])
        code.ret_void()
        return function

    def _task(self, claim: Any, leave: Any) -> Any:
        function, code = self._function(".task", NOTHING, POINTER)
        code.call(claim, [function.args[0]])
        code.call(leave, [function.args[0]])
        code.ret_void()
        return function

    def _entry(self, claim: Any, leave: Any, task: Any, turns: Callable[[Code, Call], Value] | None) -> None:
        """What XLA calls: with an extension it asks which interface this is, else it wants the work done."""
        function, code = self._function("", POINTER, POINTER)
        (frame,) = function.args
        extension = code.fetch(code.field(frame, _FRAME, 1), POINTER)
        with code.if_then(_is_set(code, extension)):
            metadata = code.fetch(code.field(extension, _EXTENSION, 3), POINTER)
            for place, version in enumerate(ABI, 2):
                code.store(number(version, I32), code.field(metadata, _METADATA, 1, place))
            code.ret(NULL)
        size = _STATE_BYTES + 4 * len(self.phases)
        state = code.call(code.external("malloc", POINTER, I64), [number(size)])
        for place, value in ((_NEXT, 0), (_DONE, 0), (_HOLDERS, 1 + self.helpers)):
            code.store(number(value, I32), code.field(state, _STATE, place))
        code.store(frame, code.field(state, _STATE, _CALLED))
        call = Call(code, frame, number(0))
        often = number(1) if turns is None else turns(code, call)
        code.store(code.trunc(often, I32), code.field(state, _STATE, _TURNS))
        for place, phase in enumerate(self.phases):
            code.store(code.trunc(phase.units(code, call), I32), _count(code, state, place))
        context = code.fetch(code.field(frame, _FRAME, 3), POINTER)
        for place, value in enumerate((number(40), NULL, context, task, state)):
            code.store(value, code.field(state, _STATE, _TASK, place))
        api = code.fetch(code.field(frame, _FRAME, 2), POINTER)
        calling = ir.FunctionType(POINTER, [POINTER]).as_pointer()
        schedule = code.load(code.field(api, _API, _SCHEDULE_TASK), typ=calling)
        for _ in range(self.helpers):
            refused = code.call(schedule, [code.field(state, _STATE, _TASK)])
            with code.if_then(_is_set(code, refused)):  # no pool: the caller does it all
                code.call(leave, [state])
        code.call(claim, [state])
        code.call(leave, [state])
        code.ret(NULL)


def _count(code: Code, state: Value, phase: int) -> Value:
    """Where the state has how many parts a phase has."""
    return code.at(state, number(_STATE_BYTES // 4 + phase), I32)


def _is_set(code: Code, pointer: Value) -> Value:
    return code.icmp_unsigned("!=", code.ptrtoint(pointer, I64), number(0))


def processor_has(feature: str) -> bool:
    """Whether the processor at hand has an extension, by LLVM's name."""
    return bool(binding.get_host_cpu_features().get(feature))


def forget_compiler() -> None:
    """Let the code of LLVM's library go, some 50 MB that are read again from its file when it is needed.

    Its code alone: where the loader has written addresses the file does not have them.
    """
    maps = Path("/proc/self/maps")
    if not maps.exists():
        return
    advise = ctypes.CDLL(None).madvise
    advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for found in re.finditer(_CODE, maps.read_text()):
        start, end = (int(found[name], 16) for name in ("start", "end"))
        advise(start, end - start, _DONT_NEED)


_DONT_NEED = 4
_CODE = r"(?m)^(?P<start>[0-9a-f]+)-(?P<end>[0-9a-f]+) r-xp .*libllvmlite"

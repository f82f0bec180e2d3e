"""The engine: a model's files in, streamed answers out.

    with Engine.load("path/to/folder or file.gguf") as engine:
        for delta in engine.stream(Request(prompt="Once upon a time")):
            print(delta.text, end="")

The decoding loop has a thread of its own; the asyncio side hands requests over and receives deltas.
"""

from __future__ import annotations

import asyncio
import dataclasses
import queue
import secrets
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from liminal.engine.bank import AdapterRegistry
from liminal.engine.compile_cache import keep_compiled
from liminal.engine.config import ModelConfig
from liminal.engine.errors import (
    BankFull,
    CapabilityMissing,
    EngineClosed,
    ModelInvalid,
    QueueFull,
    RequestInvalid,
)
from liminal.engine.grammar import GrammarFactory
from liminal.engine.numerics import compute_dtype, quantise
from liminal.engine.options import EngineOptions, check_memory
from liminal.engine.params import PAGE, Params
from liminal.engine.peft import Adapter
from liminal.engine.prefix import PrefixCache
from liminal.engine.request import NEUTRAL, Delta, Message, Request, Sampling
from liminal.engine.runner import Runner, needed_first
from liminal.engine.scheduler import Scheduler
from liminal.engine.sequence import Answer
from liminal.engine.sharding import shard_params, tensor_mesh
from liminal.engine.source import open_model
from liminal.engine.tokenizer import TextStream, Tokenizer


class Engine:
    """One model, its adapters, and the thread that decodes."""

    def __init__(
        self,
        config: ModelConfig,
        params: Params,
        tokenizer: Tokenizer,
        options: EngineOptions | None = None,
        defaults: Sampling = NEUTRAL,
        ends: Sequence[int] = (),
        name: str = "model",
        identity: str = "",
    ) -> None:
        """``params`` in their computing type; ``defaults`` complete; ``ends``: tokens that end an answer.

        ``identity``: of the model's files (ModelFiles.identity); empty where there are none.
        """
        self.config, self.tokenizer, self.name, self.identity = config, tokenizer, name, identity
        self.options = options or EngineOptions()
        self.shapes = self.options.shapes(config)
        self.defaults = defaults
        self.ends = frozenset(ends)
        self.adapters = AdapterRegistry(config, self.options.adapter_bytes)
        self.prefixes = PrefixCache(self.options.prefix_bytes)
        mesh = tensor_mesh(config, self.options.devices)
        self.runner = Runner(config, shard_params(params, mesh), self.shapes, mesh, self.options.compiled)
        self._scheduler = Scheduler(self.runner, self.adapters, self.prefixes, tokenizer, self._left_queue)
        self._grammars = GrammarFactory(tokenizer, config.vocab_size, sorted(self.ends))
        self._waiting = 0
        self._lock = threading.Lock()
        self._work = threading.Condition()
        self._closed: BaseException | None = None
        self._warming = threading.Thread(target=self._keep_programs, name=f"warm-{name}", daemon=True)
        if self.options.warm:
            first = [key for key in self.runner.program_keys() if needed_first(key)]
            self.runner.programs.warm(first, workers=2)
            if self.options.ahead:
                self._warming.start()
        self._thread = threading.Thread(target=self._run, name=f"decode-{name}", daemon=True)
        self._thread.start()

    @classmethod
    def load(
        cls,
        path: str | Path,
        options: EngineOptions | None = None,
        adapters: Mapping[str, str | Path | Adapter] | None = None,
    ) -> Engine:
        """An engine from a Hugging Face folder or a GGUF file, with adapters by name.

        Raises ModelNotFound, ModelUnsupported, ModelInvalid, MemoryShort before memory is spent.
        """
        options = options or EngineOptions()
        files = open_model(path)
        check_memory(options.memory_for(files))
        tokenizer = files.tokenizer()
        if tokenizer.vocab_size > files.config.vocab_size:
            raise ModelInvalid(
                f"the tokenizer has {tokenizer.vocab_size} tokens, "
                f"the model {files.config.vocab_size} embeddings"
            )
        if options.compiled is not None:
            keep_compiled(options.compiled)
        numbers = options.numbers_for(files)
        if numbers == "blocks" and options.devices > 1:
            raise CapabilityMissing("weights in blocks are not split over devices; choose float32 or int8")
        params = files.packed() if numbers == "blocks" else files.params(compute_dtype(numbers))
        defaults, ends = files.generation(tokenizer)
        engine = cls(
            files.config,
            quantise(params) if options.int8 else params,
            tokenizer,
            options,
            defaults,
            ends,
            files.name,
            files.identity,
        )
        for name, source in (adapters or {}).items():
            engine.adapters.register(name, source)
        return engine

    async def generate(self, request: Request) -> AsyncIterator[Delta]:
        """Stream the deltas of every answer of a request; leaving the loop early cancels the rest.

        Raises RequestInvalid, AdapterNotFound, BankFull or QueueFull at once; RequestTimeout or
        EngineClosed while it runs.
        """
        loop = asyncio.get_running_loop()
        arrived: asyncio.Queue[Delta | BaseException] = asyncio.Queue()

        def sink(item: Delta | BaseException) -> None:
            loop.call_soon_threadsafe(arrived.put_nowait, item)

        answers = self.submit(request, sink)
        try:
            left = len(answers)
            while left:
                item = await arrived.get()
                if isinstance(item, BaseException):
                    raise item
                left -= item.finish is not None
                yield item
        finally:
            self.cancel(answers)

    def stream(self, request: Request) -> Iterator[Delta]:
        """As generate, for programs without an event loop."""
        arrived: queue.SimpleQueue[Delta | BaseException] = queue.SimpleQueue()
        answers = self.submit(request, arrived.put)
        try:
            left = len(answers)
            while left:
                item = arrived.get()
                if isinstance(item, BaseException):
                    raise item
                left -= item.finish is not None
                yield item
        finally:
            self.cancel(answers)

    async def complete(self, request: Request) -> str:
        """The whole text of a single answer."""
        async with aclosing(self.generate(request)) as deltas:  # pyright: ignore[reportArgumentType]
            return "".join([delta.text async for delta in deltas])

    def submit(self, request: Request, sink: Callable[[Delta | BaseException], None]) -> list[Answer]:
        """Queue a request; ``sink`` is called from the decoding thread. Raises as generate does."""
        held = self._hold(request.adapters)
        left = request.n

        def watch(item: Delta | BaseException) -> None:
            nonlocal left
            if isinstance(item, BaseException) or item.finish is not None:
                left -= 1
                if left == 0:
                    self._let_go(held)
            sink(item)

        try:
            answers = self._answers(request, tuple(sorted(held.items())), watch)
            self._count_in(len(answers))
        except BaseException:
            self._let_go(held)
            raise
        for answer in answers:
            self._scheduler.submit(answer)
        with self._work:
            self._work.notify()
        return answers

    def cancel(self, answers: Sequence[Answer]) -> None:
        """Stop these answers within a step; finished ones are not touched."""
        for answer in answers:
            answer.cancelled = True
        with self._work:
            self._work.notify()

    def warm_up(self) -> None:
        """Compile every program that serving can need; returns when all are there or the engine closes."""
        for key in self.runner.program_keys():
            if self._closed is None:
                self.runner.programs.get(key)

    def _keep_programs(self) -> None:
        for key in self.runner.program_keys():
            if self._closed is None:
                self.runner.programs.keep(key)

    @property
    def kind(self) -> Literal["jax", "openai"]:
        """``jax``."""
        return "jax"

    @property
    def model(self) -> str:
        """The model's name."""
        return self.name

    @property
    def context_length(self) -> int:
        """Most tokens of a prompt and its answer together."""
        return self.shapes.context

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """Tokens of the prompt that the chat template makes of these messages."""
        return len(self.tokenizer.encode_chat(messages)[0])

    @property
    def waiting(self) -> int:
        """Answers in the queue."""
        return self._waiting

    @property
    def running(self) -> int:
        """Answers in slots."""
        return len(self._scheduler.running)

    def close(self) -> None:
        """Stop the decoding thread; what runs ends with EngineClosed."""
        with self._lock:
            self._closed = self._closed or EngineClosed("the engine was closed")
        with self._work:
            self._work.notify()
        self._thread.join()
        if self._warming.ident is not None:
            self._warming.join()

    async def aclose(self) -> None:
        """As close, without blocking the event loop."""
        await asyncio.to_thread(self.close)

    def __enter__(self) -> Self:
        """The engine itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _hold(self, adapters: Mapping[str, float]) -> dict[str, float]:
        """Content → gate, every content known until let go."""
        held: dict[str, float] = {}
        try:
            for name, gate in adapters.items():
                content = self.adapters.hold(name)
                if content in held:
                    self.adapters.let_go(content)
                held[content] = held.get(content, 0.0) + float(gate)
        except BaseException:
            self._let_go(held)
            raise
        return held

    def _let_go(self, contents: Mapping[str, float]) -> None:
        for content in contents:
            self.adapters.let_go(content)

    def _count_in(self, count: int) -> None:
        with self._lock:
            if self._closed is not None:
                raise EngineClosed("the engine is closed") from self._closed
            if self._waiting + count > self.options.queue:
                raise QueueFull(
                    f"{self._waiting} requests wait already; try again later", waiting=self._waiting
                )
            self._waiting += count

    def _answers(
        self,
        request: Request,
        held: Sequence[tuple[str, float]],
        sink: Callable[[Delta | BaseException], None],
    ) -> list[Answer]:
        prompt, system_tokens = self._prompt(request)
        mixture = tuple((content, gate) for content, gate in held if gate != 0.0)
        self._check_rows(mixture)
        sampling = request.sampling.over(self.defaults).over(NEUTRAL)
        room = self.shapes.context - len(prompt)
        if room < 1:
            raise RequestInvalid(
                f"the prompt has {len(prompt)} tokens; with its answer it may have {self.shapes.context}",
                tokens=len(prompt),
                context=self.shapes.context,
            )
        limit = min(sampling.max_tokens or room, room)
        if len(request.resume) >= limit:
            raise RequestInvalid("the answer to resume is already as long as it may be", field="resume")
        seed = secrets.randbits(63) if sampling.seed is None else sampling.seed
        deadline = None if request.timeout is None else time.monotonic() + request.timeout
        answers: list[Answer] = []
        for index in range(request.n):
            answer = Answer(
                prompt=prompt,
                system_tokens=system_tokens,
                sampling=dataclasses.replace(sampling, seed=(seed + index) % (1 << 64)),
                mixture=mixture,
                limit=limit,
                ends=self.ends,
                stream=TextStream(self.tokenizer, sampling.stop, prompt),
                sink=sink,
                index=index,
                tenant=request.tenant,
                owner=request.owner,
                priority=request.priority,
                deadline=deadline,
                constraint=None
                if sampling.json_schema is None
                else self._grammars.json(sampling.json_schema),
            )
            answer.resume(request.resume)
            answers.append(answer)
        return answers

    def _prompt(self, request: Request) -> tuple[list[int], int]:
        if request.messages is not None:
            prompt, system = self.tokenizer.encode_chat(request.messages, tools=request.tools)
        elif isinstance(request.prompt, str):
            prompt, system = self.tokenizer.encode_typed(request.prompt), 0
        else:
            prompt, system = list(request.prompt or ()), 0
        if not prompt:
            raise RequestInvalid("the prompt has no tokens")
        if min(prompt) < 0 or max(prompt) >= self.config.vocab_size:
            raise RequestInvalid(f"a token id is outside the vocabulary of {self.config.vocab_size}")
        return prompt, system

    def _check_rows(self, mixture: Sequence[tuple[str, float]]) -> None:
        needed = sum(-(-self.adapters.info(content).rows // PAGE) * PAGE for content, _ in mixture)
        if needed > self.shapes.rows:
            raise BankFull(
                f"these adapters need {needed} rank rows and the bank has {self.shapes.rows}",
                needed=needed,
                rows=self.shapes.rows,
            )

    def _left_queue(self) -> None:
        with self._lock:
            self._waiting -= 1

    def _run(self) -> None:
        try:
            while self._closed is None:
                with self._work:
                    while self._scheduler.idle and self._closed is None:
                        self._work.wait()
                if self._closed is None:
                    self._scheduler.step()
        except BaseException as error:
            with self._lock:
                self._closed = error
        closed = EngineClosed(f"the engine stopped: {self._closed}")
        closed.__cause__ = self._closed
        self._scheduler.fail_all(closed)

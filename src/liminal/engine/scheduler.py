"""Continuous batching: what happens in one step.

A step admits what waits, computes one chunk of one prompt, then advances every decoding answer by
one token. Prompts are cut the same way whatever else runs, so batching changes no answer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from liminal.engine.admission import AdmissionQueue
from liminal.engine.bank import AdapterBank, AdapterRegistry
from liminal.engine.errors import EngineError, NumbersOverflowed, RequestTimeout
from liminal.engine.prefix import SPAN, PrefixCache
from liminal.engine.request import Priority, TokenLogprob
from liminal.engine.runner import Runner
from liminal.engine.sampling import Choice
from liminal.engine.sequence import Answer
from liminal.engine.tokenizer import Tokenizer


class Scheduler:
    """Runs answers over the slots of a runner. Every method but ``submit`` belongs to one thread."""

    def __init__(
        self,
        runner: Runner,
        registry: AdapterRegistry,
        prefixes: PrefixCache,
        tokenizer: Tokenizer,
        left_queue: Callable[[], None],
    ) -> None:
        """``left_queue`` is called whenever an answer stops waiting."""
        self.runner = runner
        self.bank = AdapterBank(registry, runner.shapes.rows, runner.write_page)
        self.prefixes = prefixes
        self.running: list[Answer] = []
        self.queue: AdmissionQueue[Answer] = AdmissionQueue()
        self._tokenizer = tokenizer
        self._left_queue = left_queue
        self._inbox: deque[Answer] = deque()
        self._admissions = 0

    def submit(self, answer: Answer) -> None:
        """Hand over an answer; safe from any thread."""
        self._inbox.append(answer)

    @property
    def idle(self) -> bool:
        """Whether a step would have nothing to do."""
        return not (self._inbox or self.running or len(self.queue))

    def step(self) -> None:
        """Admit, prefill one chunk, decode one token of everything."""
        while self._inbox:
            self.queue.push(self._inbox.popleft())
        self._drop_unwanted()
        self._admit()
        self._prefill()
        self._decode()

    def fail_all(self, error: BaseException) -> None:
        """End everything that runs or waits with an error."""
        waiting = [*self._inbox, *self.queue.discard(lambda _: True)]
        self._inbox.clear()
        for answer in waiting:
            self._leave_queue(answer)
        for answer in self.running + waiting:
            answer.fail(error)
        self.running = []

    def _drop_unwanted(self) -> None:
        for answer in self.queue.discard(lambda waiting: waiting.cancelled or waiting.expired()):
            self._leave_queue(answer)
            self._end(answer)
        for answer in [item for item in self.running if item.cancelled or item.expired()]:
            self._release(answer)
            self._end(answer)

    def _end(self, answer: Answer) -> None:
        if answer.cancelled:
            answer.cancel()
        else:
            answer.fail(
                RequestTimeout("the request did not finish in its time", generated=len(answer.generated))
            )

    def _admit(self) -> None:
        may_preempt = True
        while len(self.queue):
            if not self._free_slots():
                # once a step, or an answer whose adapters do not fit would push others out for ever
                if not (may_preempt and self._preempt()):
                    return
                may_preempt = False
            answer = self.queue.pop(self._fits)
            if answer is None:
                return
            self._leave_queue(answer)
            if answer.failure is not None:
                answer.fail(answer.failure)
                continue
            self._admissions += 1
            answer.admitted = self._admissions
            answer.slot = min(self._free_slots())
            answer.gates = self.bank.gate_row(answer.mixture) if answer.mixture else None
            answer.filled = 0
            self.running.append(answer)

    def _free_slots(self) -> list[int]:
        taken = {answer.slot for answer in self.running}
        return [slot for slot in range(self.runner.shapes.slots) if slot not in taken]

    def _fits(self, answer: Answer) -> bool:
        """Whether its adapters are in the bank now (they are held then)."""
        if not answer.mixture:
            return True
        try:
            return self.bank.acquire(answer.contents)
        except EngineError as error:
            answer.failure = error
            return True

    def _preempt(self) -> bool:
        """Put the newest batch answer back in the queue if an interactive one waits for a slot."""
        batch = [answer for answer in self.running if answer.priority is Priority.BATCH]
        if not batch or not self.queue.waiting(Priority.INTERACTIVE):
            return False
        victim = max(batch, key=lambda answer: answer.admitted)
        self._keep_spans(victim)
        self._release(victim)
        self.queue.push(victim, front=True)
        return True

    def _leave_queue(self, answer: Answer) -> None:
        # a preempted answer waits for the second time and was counted out at the first
        if not answer.admitted:
            self._left_queue()

    def _prefill(self) -> None:
        pending = [answer for answer in self.running if not answer.decoding]
        if not pending:
            return
        answer = min(pending, key=lambda item: (item.priority, item.admitted))
        tokens = answer.tokens
        if answer.filled == 0:
            self._reuse(answer, tokens)
        chunk = tokens[answer.filled : answer.filled + self.runner.shapes.chunks[-1]]
        logits = self.runner.prefill(answer, chunk)
        self.queue.charge(answer.owner, len(chunk))
        if answer.filled < len(tokens):
            return
        self._keep_spans(answer)
        if answer.penalised:
            self.runner.start_penalties(answer)
        self._accept([answer], self.runner.sample(logits, [answer], answer.slot), answer.slot)

    def _reuse(self, answer: Answer, tokens: Sequence[int]) -> None:
        # at least one token must be computed: its logits choose the next
        keys = answer.span_keys()[: (len(tokens) - 1) // SPAN]
        spans = self.prefixes.match(keys)
        if spans:
            self.runner.write_spans(answer, spans)

    def _keep_spans(self, answer: Answer) -> None:
        if not self.prefixes.capacity:
            return
        for number, key in enumerate(answer.span_keys()[: answer.filled // SPAN]):
            if key not in self.prefixes:
                self.prefixes.put(key, self.runner.read_span(answer.slot, number))

    def _decode(self) -> None:
        active = [answer for answer in self.running if answer.decoding]
        if not active:
            return
        self._compact(active)
        logits = self.runner.decode(active)
        for answer in active:
            self.queue.charge(answer.owner, 1)
        self._accept(active, self.runner.sample(logits, active, 0), 0)

    def _compact(self, active: Sequence[Answer]) -> None:
        """Move answers into free lower slots where that makes the batch bucket smaller."""
        smaller = next(size for size in self.runner.shapes.batches if size >= len(active))
        high = sorted((answer for answer in active if answer.slot >= smaller), key=lambda item: -item.slot)
        low = [slot for slot in self._free_slots() if slot < smaller]
        if len(low) >= len(high):
            for answer, slot in zip(high, low, strict=False):
                self.runner.move(answer, slot)

    def _accept(self, answers: Sequence[Answer], choice: Choice, first: int) -> None:
        for answer in answers:
            row = answer.slot - first
            try:
                if not choice.finite[row]:
                    raise NumbersOverflowed(
                        "the model's logits are not numbers: is an adapter far too strong?"
                    )
                answer.accept(int(choice.tokens[row]), self._logprob(answer, choice, row))
            except EngineError as error:
                answer.fail(error)
            if answer.finished:
                if answer.failure is None:
                    self._keep_spans(answer)
                self._release(answer)

    def _logprob(self, answer: Answer, choice: Choice, row: int) -> TokenLogprob | None:
        wanted = answer.sampling.logprobs
        if wanted is None:
            return None
        text = self._tokenizer.token_text
        token = int(choice.tokens[row])
        top = tuple(
            (int(token), text(int(token)), float(value))
            for token, value in zip(
                choice.top_ids[row][:wanted], choice.top_logprobs[row][:wanted], strict=True
            )
        )
        return TokenLogprob(token, text(token), float(choice.logprob[row]), top)

    def _release(self, answer: Answer) -> None:
        self.running.remove(answer)
        self.bank.release(answer.contents)
        answer.slot = -1
        answer.gates = None

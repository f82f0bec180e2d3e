"""The training run: several adapters in the same batches, resumable, the same bytes every time."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from liminal.engine.config import ModelConfig
from liminal.engine.params import Lora, Params
from liminal.engine.peft import Adapter, check_adapter
from liminal.engine.training.bank import TrainingBank, fresh_adapter, stacked_gates
from liminal.engine.training.base import BaseModel
from liminal.engine.training.batch import Batch, ExpectedOf, LowerOf, Piece, Shape
from liminal.engine.training.checkpoint import (
    Position,
    load_checkpoint,
    remove_checkpoint,
    save_checkpoint,
)
from liminal.engine.training.config import TrainConfig
from liminal.engine.training.encoding import Encoder
from liminal.engine.training.errors import TrainingDataInvalid, TrainingDiverged
from liminal.engine.training.held import BaseTargets
from liminal.engine.training.lessons import Lesson, lesson_items
from liminal.engine.training.losses import Losses, batch_losses
from liminal.engine.training.lower import LowerStates
from liminal.engine.training.optimizer import Settings, apply_gradients, initial_state
from liminal.engine.training.outlook import Memory, fitted, run_memory
from liminal.engine.training.plan import Job, Kind, Plan, referred, with_references
from liminal.engine.training.progress import Progress
from liminal.engine.training.score import piece_logps, shape_for

RECENT = 20
"""Steps that the reported speed is measured over."""


@partial(jax.jit, static_argnames=("config", "first", "remat"))
def batch_gradients(
    trained: Lora,
    frozen: Lora | None,
    params: Params,
    table: jax.Array,
    batch: Batch,
    beta: jax.Array,
    kl: jax.Array,
    config: ModelConfig,
    first: int,
    remat: bool,
) -> tuple[Lora, Losses]:
    """Gradients of one batch's losses; arguments as in batch_losses."""

    def total(rows: Lora) -> tuple[jax.Array, Losses]:
        losses = batch_losses(rows, frozen, params, table, batch, beta, kl, config, first, remat)
        return losses.total, losses

    gradients, losses = jax.grad(total, has_aux=True)(trained)
    return gradients, losses


@partial(jax.jit, donate_argnums=0)
def _added(left: Any, right: Any) -> Any:
    return jax.tree.map(jnp.add, left, right)


class TrainingRun:
    """Trains one adapter for each lesson, all in the same batches, while it is iterated over.

        run = TrainingRun(model, {"brief": Lesson(examples)}, TrainConfig(), folder)
        for progress in run:
            print(progress.step, progress.loss)
        adapter = run.adapters["brief"]

    With a folder, a run that was killed goes on from its last checkpoint, to the same bytes that it would
    have reached. ``fingerprint`` names what the result is a function of: base, examples, settings, seed.
    """

    def __init__(
        self,
        model: BaseModel,
        lessons: Mapping[str, Lesson],
        config: TrainConfig | None = None,
        folder: str | Path | None = None,
    ) -> None:
        """Raises TrainingDataInvalid, TrainingConfigInvalid or AdapterInvalid before any work is done."""
        if not lessons:
            raise TrainingDataInvalid("there are no lessons")
        self.model, self.config = model, config or TrainConfig()
        self.folder = None if folder is None else Path(folder)
        self.lessons = dict(lessons)
        starts = [self._start(lesson) for lesson in self.lessons.values()]
        self.bank = TrainingBank.of(starts, model.config)
        self.plan = fitted(Plan(self._jobs(), self.config), self.bank)
        self.config = self.plan.config
        self.fingerprint = self._fingerprint()
        self.adapters: dict[str, Adapter] = {}

    @property
    def memory(self) -> Memory:
        """Bytes that the run takes beside the weights; never more than the settings' ``memory_bytes``."""
        return run_memory(self.plan, self.bank)

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole run."""
        return self.plan.steps

    def __iter__(self) -> Iterator[Progress]:
        """Runs to the end, a Progress after each step.

        Raises TrainingDiverged when a loss is not finite, CheckpointInvalid when the folder is another run's.
        """
        settings = Settings.of(self.config)
        trained = self.bank.lora()
        state, position = (trained, initial_state(trained, settings)), Position(0, 0)
        if self.folder is not None:
            state, position = load_checkpoint(self.folder, state, self.fingerprint) or (state, position)
        self.plan.lower = self._lower()
        self.plan.expected = self._expected()
        self._know_references()
        frozen, table = self._reference_bank()
        owners = jnp.asarray(self.bank.owners())
        clock = Clock(position.step, self.steps)
        for step in range(position.step, self.steps):
            gradients, losses = self._gradients(state[0], frozen, table, step)
            rates = jnp.asarray(self.plan.rates(step), jnp.float32)
            state = apply_gradients(*state, gradients, owners, rates, settings)
            position = Position(step + 1, position.tokens + self._tokens(step))
            progress = self._progress(position, losses, clock)
            if self.folder is not None and position.step % self.config.checkpoint_every == 0:
                save_checkpoint(self.folder, state, position, self.fingerprint)
            yield progress
        self.adapters = {
            job.name: self.bank.adapter(number, state[0]) for number, job in enumerate(self.plan.jobs)
        }

    def forget_checkpoint(self) -> None:
        """Remove the run's checkpoint, once its result is safe."""
        if self.folder is not None:
            remove_checkpoint(self.folder)

    def _start(self, lesson: Lesson) -> Adapter:
        if lesson.start is None:
            return fresh_adapter(self.model.config, self.config)
        check_adapter(lesson.start, self.model.config)
        return lesson.start

    def _jobs(self) -> list[Job]:
        encoder = Encoder(self.model.tokenizer, min(self.config.max_length, self.model.config.max_positions))
        jobs: list[Job] = []
        for number, (name, lesson) in enumerate(self.lessons.items()):
            items, replay = lesson_items(lesson, number, encoder, self.config)
            continues = lesson.start is not None and self.config.reference == "start"
            base = len(self.lessons)
            reference = base + 1 + number if continues else base
            jobs.append(Job(name, items, replay, lesson.places, reference))
        return jobs

    def _fingerprint(self) -> str:
        settings = {key: value for key, value in asdict(self.config).items() if key != "checkpoint_every"}
        digest = hashlib.sha256(self.model.identity.encode())
        digest.update(json.dumps(settings, sort_keys=True).encode())
        for job, start in zip(self.plan.jobs, self.bank.adapters, strict=True):
            digest.update(f"{job.name}\0{start.content_hash}\0{job.reference}\0{job.places}".encode())
            for item in (*job.items, *job.replay):
                digest.update(f"{item.kind.name}{item.sign}{item.replayed}".encode())
                for sequence in item.sequences:
                    digest.update(sequence.tokens.tobytes() + b"\0" + sequence.learn.tobytes())
                    digest.update(sequence.kept.tobytes() + sequence.read_by_base.tokens.tobytes())
        return digest.hexdigest()

    def _lower(self) -> LowerOf | None:
        """What enters the first adapted layer, computed once for every sequence of the run."""
        if self.bank.first == 0:
            return None
        # whatever is compared has a reference, seen or not; of what is replayed a run may see little
        items = [item for job in self.plan.jobs for item in job.items] + self.plan.seen()
        sequences = [sequence for item in items for sequence in item.sequences]
        sequences += [sequence.teacher for sequence in sequences if sequence.teacher]
        sequences += [item.mismatch for item in items if item.mismatch]
        return LowerStates(self.model, sequences, self.bank.first, self.config.micro_tokens).of

    def _expected(self) -> ExpectedOf | None:
        """What the base model says where sequences are held to it, computed once."""
        held = [item.taught for item in self.plan.seen() if len(item.taught.kept)]
        if not held:
            return None
        micro = self.config.micro_tokens
        return BaseTargets(self.model, held, self.bank.first, self.plan.lower, micro).of

    def _know_references(self) -> None:
        """Log-probabilities under the reference, which no step changes, are computed once."""
        jobs, joint = self.plan.jobs, self.plan.joint
        asked = [pair for job in jobs for pair in referred(job.items, joint)]
        # the reference of a job that continues an adapter is that adapter: the bank as it starts
        lines = [n if job.reference > self.plan.base else self.plan.base for n, job in enumerate(jobs)]
        pieces = [Piece(sequence, lines[item.job]) for item, sequence in asked]
        logps = iter(self._logps(pieces, self.bank.lora()).tolist())
        self.plan.jobs = tuple(replace(job, items=with_references(job.items, joint, logps)) for job in jobs)

    def _logps(self, pieces: list[Piece], bank: Lora, shape: Shape | None = None) -> NDArray[np.float64]:
        table = stacked_gates(self._gate_lines())
        return piece_logps(
            self.model, pieces, bank, table, self.config.micro_tokens, shape, self.bank.first, self.plan.lower
        )

    @cached_property
    def _mismatch_shape(self) -> Shape | None:
        mismatches = [item.mismatch for job in self.plan.jobs for item in job.items if item.mismatch]
        at_once = min(len(mismatches), len(self.plan.jobs) * self.config.batch_size)
        return shape_for(mismatches, at_once, self.config.micro_tokens) if mismatches else None

    def _kl_estimates(self, trained: Lora, step: int) -> jax.Array:
        """KTO's KL of each job, f32 [J]: the mean log-ratio of the step's mismatches, never below 0."""
        found = np.zeros(len(self.plan.jobs), np.float32)
        asked = [item for job in self.plan.jobs for item in job.step(step, self.config) if item.mismatch]
        if asked:
            pieces = [Piece(item.mismatch, item.job) for item in asked if item.mismatch]
            logps = self._logps(pieces, trained, self._mismatch_shape)
            for number in {item.job for item in asked}:
                own = [i for i, item in enumerate(asked) if item.job == number]
                ratios = [logps[i] - asked[i].mismatch_reference for i in own]
                found[number] = max(float(np.mean(ratios)), 0.0)
        return jnp.asarray(found)

    def _gate_lines(self) -> list[NDArray[np.float32]]:
        own = [self.bank.gates([(number, 1.0)]) for number in range(len(self.plan.jobs))]
        return [*own, self.bank.gates([])]

    def _reference_bank(self) -> tuple[Lora | None, jax.Array]:
        """(rows that stay as they are, gate table): a joint pass needs the adapters as they started."""
        lines = self._gate_lines()
        if not (self.plan.joint and any(job.reference > self.plan.base for job in self.plan.jobs)):
            return None, stacked_gates(lines)
        nothing = np.zeros(self.bank.total, np.float32)
        still = [np.concatenate([nothing, line]) for line in lines[:-1]]
        return self.bank.lora(), stacked_gates([np.concatenate([line, nothing]) for line in lines] + still)

    def _gradients(
        self, trained: Lora, frozen: Lora | None, table: jax.Array, step: int
    ) -> tuple[Lora, Losses]:
        sums: tuple[Lora, Losses] | None = None
        beta, kl = jnp.float32(self.config.beta), self._kl_estimates(trained, step)
        for batch in self.plan.batches(step):
            found = batch_gradients(
                trained,
                frozen,
                self.model.params,
                table,
                batch,
                beta,
                kl,
                self.model.config,
                self.bank.first,
                self.config.remat,
            )
            sums = found if sums is None else _added(sums, found)
        assert sums is not None, "every step has a batch"
        return sums

    def _tokens(self, step: int) -> int:
        items = [item for job in self.plan.jobs for item in job.step(step, self.config)]
        return sum(len(sequence) for item in items for sequence in item.sequences)

    def _progress(self, position: Position, losses: Losses, clock: Clock) -> Progress:
        step = position.step - 1
        items = [job.step(step, self.config) for job in self.plan.jobs]
        values = np.asarray(losses.jobs, np.float64)
        by_name = {
            job.name: float(value)
            for job, own, value in zip(self.plan.jobs, items, values, strict=True)
            if own
        }
        if not all(math.isfinite(value) for value in by_name.values()):
            raise TrainingDiverged(
                f"the loss is {by_name} at step {position.step}; lower the learning rate", step=position.step
            )
        compared = sum(item.kind is not Kind.ANSWER for own in items for item in own)
        clock.tick(position.tokens)
        return Progress(
            step=position.step,
            steps=self.steps,
            loss=sum(by_name.values()) / len(by_name),
            losses=by_name,
            margin=float(np.asarray(losses.margins).sum()) / compared if compared else None,
            learning_rate=max(self.plan.rates(step)),
            tokens=position.tokens,
            tokens_per_second=clock.speed,
            seconds=clock.seconds,
            eta_seconds=clock.eta(position.step),
        )


class Clock:
    """Speed over the last steps, and what it means for the rest."""

    def __init__(self, done: int, steps: int) -> None:
        self._began = time.monotonic()
        self._steps = steps
        # the first step compiles, so that its end is where measuring begins
        self._marks: deque[tuple[float, int]] = deque(maxlen=RECENT)

    def tick(self, tokens: int) -> None:
        """A step has ended, with ``tokens`` run so far."""
        self._marks.append((time.monotonic(), tokens))

    @property
    def seconds(self) -> float:
        """Since the run began."""
        return time.monotonic() - self._began

    @property
    def speed(self) -> float:
        """Tokens a second."""
        (first, before), (last, after) = self._marks[0], self._marks[-1]
        return (after - before) / (last - first) if last > first else 0.0

    def eta(self, step: int) -> float | None:
        """Seconds until the end, or None while nothing is known."""
        (first, _), (last, _) = self._marks[0], self._marks[-1]
        if last <= first:
            return None
        return (self._steps - step) * (last - first) / (len(self._marks) - 1)

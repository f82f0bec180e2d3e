"""Continuous batching: what runs together never changes an answer."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path

import jax
import numpy as np
import pytest
from tests.engine.conftest import OPTIONS, Reference, Run, text_in, tokens_in, tokens_of
from tests.engine.models import EOS, lively_adapter

from liminal.engine.engine import Engine
from liminal.engine.errors import (
    AdapterNotFound,
    BankFull,
    CapabilityMissing,
    EngineClosed,
    NumbersOverflowed,
    QueueFull,
    RequestInvalid,
    RequestTimeout,
)
from liminal.engine.request import Delta, Priority, Request, Sampling


@contextmanager
def compilations() -> Iterator[list[float]]:
    """Every compilation by XLA in this process while the block runs."""
    seen: list[float] = []
    live = True

    def listen(event: str, duration: float, **_: object) -> None:
        if live and event == "/jax/core/compile/backend_compile_duration":
            seen.append(duration)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield seen
    live = False


async def test_a_cached_answer_is_that_of_whole_forward_passes(run: Run, reference: Reference) -> None:
    prompt = tokens_of(0, 150)
    assert tokens_in(await run(prompt, 20)) == reference(prompt, 20)


async def test_answers_in_a_batch_are_those_they_would_be_alone(run: Run, reference: Reference) -> None:
    prompts = [tokens_of(seed, 10 + 37 * (seed % 4)) for seed in range(7)]
    together = await asyncio.gather(*(run(prompt) for prompt in prompts))
    assert [tokens_in(deltas) for deltas in together] == [reference(prompt, 12) for prompt in prompts]


async def test_an_answer_that_joins_late_is_the_one_that_joined_early(run: Run, reference: Reference) -> None:
    first, second = tokens_of(11, 40), tokens_of(12, 90)
    early = asyncio.ensure_future(run(first, 60))
    await asyncio.sleep(0.05)
    late = await run(second, 10)
    assert tokens_in(late) == reference(second, 10)
    assert tokens_in(await early) == reference(first, 60)


async def test_every_row_of_a_batch_has_its_own_mixture(run: Run, reference: Reference) -> None:
    mixtures = [
        {},
        {"low": 1.0},
        {"low": -0.5, "high": 0.7},
        {"high": 1.3},
        {"low": 0.2},
        {"high": 0.1, "low": 2.0},
    ]
    prompts = [tokens_of(20 + seed, 30) for seed in range(len(mixtures))]
    together = await asyncio.gather(*(run(p, adapters=m) for p, m in zip(prompts, mixtures, strict=True)))
    expected = [reference(p, 12, m) for p, m in zip(prompts, mixtures, strict=True)]
    assert [tokens_in(deltas) for deltas in together] == expected
    assert len({tuple(tokens) for tokens in (reference(prompts[0], 12, m) for m in mixtures)}) == len(
        mixtures
    )


@pytest.mark.parametrize("gate", [1e30, 1.0])
async def test_an_adapter_that_overflows_fails_its_own_answer_only(
    engine: Engine, run: Run, reference: Reference, gate: float
) -> None:
    wild = lively_adapter(engine.config, 4, 3)
    tensors = {key: (a * np.float32(1e37), b * np.float32(1e37)) for key, (a, b) in wild.tensors.items()}
    engine.adapters.register("wild", dataclasses.replace(wild, tensors=tensors))
    prompts = [tokens_of(80 + seed, 20) for seed in range(3)]
    beside = [
        asyncio.ensure_future(run(prompts[0], 25)),
        asyncio.ensure_future(run(prompts[1], 25, adapters={"high": 1.0})),
    ]
    with pytest.raises(NumbersOverflowed):
        await run(prompts[2], 25, adapters={"wild": gate})
    assert tokens_in(await beside[0]) == reference(prompts[0], 25)
    assert tokens_in(await beside[1]) == reference(prompts[1], 25, {"high": 1.0})
    engine.adapters.remove("wild")


async def test_nothing_compiles_over_load_evict_promote_and_gate_change(engine: Engine, run: Run) -> None:
    engine.warm_up()
    built = engine.runner.programs.compiled
    prompt = tokens_of(30, 20)
    loads = engine._scheduler.bank.loads
    versions = [lively_adapter(engine.config, 17 + seed, 40 + seed) for seed in range(4)]
    with compilations() as seen:
        for version in versions:
            engine.adapters.register("promoted", version)
            for gate in (0.25, 1.0):
                await asyncio.gather(
                    run(prompt, 4, adapters={"promoted": gate}),
                    run(prompt, 4, adapters={"high": gate, "low": 1.0}),
                    run(prompt, 4, sampling={"temperature": 1.0, "repetition_penalty": 1.2}),
                )
    engine.adapters.remove("promoted")
    assert engine._scheduler.bank.loads >= loads + 8, "adapters came and went"
    assert (seen, engine.runner.programs.compiled) == ([], built)


async def test_an_adapter_reloaded_under_its_name_is_a_new_adapter(
    engine: Engine, run: Run, reference: Reference
) -> None:
    prompt = tokens_of(31, 70)
    answers: list[list[int]] = []
    for seed in (51, 52):
        engine.adapters.register("renewed", lively_adapter(engine.config, 6, seed))
        answers.append(tokens_in(await run(prompt, adapters={"renewed": 1.0})))
        assert answers[-1] == reference(prompt, 12, {"renewed": 1.0})
    engine.adapters.remove("renewed")
    assert answers[0] != answers[1]


async def test_a_running_answer_keeps_the_adapter_it_began_with(
    engine: Engine, run: Run, reference: Reference
) -> None:
    prompt = tokens_of(32, 20)
    engine.adapters.register("changed", lively_adapter(engine.config, 6, 61))
    expected = reference(prompt, 30, {"changed": 1.0})
    running = asyncio.ensure_future(run(prompt, 30, adapters={"changed": 1.0}))
    await asyncio.sleep(0)
    engine.adapters.register("changed", lively_adapter(engine.config, 6, 62))
    assert tokens_in(await running) == expected
    engine.adapters.remove("changed")


async def test_the_same_seed_gives_the_same_tokens_whatever_else_is_in_the_batch(run: Run) -> None:
    prompt = tokens_of(33, 25)
    rules = {"temperature": 1.0, "top_p": 0.95, "seed": 7}
    alone = tokens_in(await run(prompt, sampling=rules))
    crowd = [run(tokens_of(s, 50), 20, sampling={"temperature": 2.0, "seed": s}) for s in range(4)]
    crowded, *_ = await asyncio.gather(run(prompt, sampling=rules), *crowd)
    assert tokens_in(crowded) == alone
    assert tokens_in(await run(prompt, sampling=rules | {"seed": 8})) != alone


async def test_answer_i_of_n_is_the_answer_of_seed_plus_i(run: Run) -> None:
    prompt = tokens_of(34, 25)
    both = await run(prompt, n=2, sampling={"temperature": 1.0, "seed": 5})
    second = await run(prompt, sampling={"temperature": 1.0, "seed": 6})
    assert tokens_in(both, 1) == tokens_in(second)
    assert sorted(delta.seed for delta in both if delta.finish) == [5, 6]


async def test_an_answer_resumed_by_another_worker_goes_on_without_a_seam(run: Run) -> None:
    prompt = tokens_of(35, 25)
    rules = {"temperature": 1.0, "seed": 9, "presence_penalty": 0.5}
    whole = tokens_in(await run(prompt, 20, sampling=rules))
    rest = tokens_in(await run(prompt, 20, sampling=rules, resume=whole[:8]))
    assert rest == whole[8:]


async def test_an_interactive_answer_takes_the_slot_of_a_batch_one_and_changes_nothing(
    run: Run, reference: Reference
) -> None:
    prompts = [tokens_of(40 + seed, 30) for seed in range(3)]
    alone = [tokens_in(await run(prompt, 500)) for prompt in prompts[:2]]
    batch = [asyncio.ensure_future(run(prompt, 500, priority=Priority.BATCH)) for prompt in prompts[:2]]
    await asyncio.sleep(0.05)
    assert tokens_in(await run(prompts[2], 5)) == reference(prompts[2], 5)
    assert not any(task.done() for task in batch)
    assert [tokens_in(await task) for task in batch] == alone


async def test_leaving_the_stream_cancels_within_a_step(engine: Engine) -> None:
    request = Request(prompt=tokens_of(50, 20), sampling=Sampling(max_tokens=600, ignore_eos=True))
    async with aclosing(engine.generate(request)) as deltas:
        async for _ in deltas:
            break
    for _ in range(200):
        if engine.running == 0:
            break
        await asyncio.sleep(0.01)
    assert engine.running == 0


async def test_a_request_past_its_time_ends_with_an_error(run: Run) -> None:
    with pytest.raises(RequestTimeout):
        await run(tokens_of(51, 20), 600, timeout=0.05)


async def test_a_full_queue_refuses_at_once(engine: Engine, run: Run) -> None:
    running = [asyncio.ensure_future(run(tokens_of(60 + i, 20), 300)) for i in range(2)]
    await asyncio.sleep(0.1)
    waiting = [asyncio.ensure_future(run(tokens_of(70 + i, 20), 2)) for i in range(16)]
    await asyncio.sleep(0)
    with pytest.raises(QueueFull):
        await run(tokens_of(90, 20), 2)
    for task in running + waiting:
        task.cancel()
    await asyncio.gather(*running, *waiting, return_exceptions=True)
    for _ in range(200):
        if engine.running + engine.waiting == 0:
            break
        await asyncio.sleep(0.01)
    assert (engine.running, engine.waiting) == (0, 0)


async def test_an_answer_ends_before_a_stop_string_and_at_an_end_token(engine: Engine, run: Run) -> None:
    prompt = tokens_of(52, 30)
    rules = {"temperature": 2.0, "seed": 1}
    whole = await run(prompt, 40, sampling=rules)
    text = text_in(whole)
    stop = next(char for char in text[3:] if " " < char < "~")
    stopped = await run(prompt, 40, sampling=rules | {"stop": (stop,)})
    assert text_in(stopped) == text[: text.index(stop)]
    assert stopped[-1].finish == "stop"
    end = tokens_in(whole)[5]
    ended = await run(prompt, 40, sampling=rules | {"stop_tokens": (end,)})
    assert tokens_in(ended) == tokens_in(whole)[: tokens_in(whole).index(end) + 1]
    assert ended[-1].usage is not None and ended[-1].usage.prompt_tokens == 30


async def test_a_constrained_answer_is_json_of_its_schema(run: Run) -> None:
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer"}, "kind": {"enum": ["a", "b"]}},
        "required": ["n", "kind"],
        "additionalProperties": False,
    }
    rules = {"json_schema": schema, "temperature": 1.0, "seed": 3, "ignore_eos": False, "max_tokens": 200}
    value = json.loads(text_in(await run(tokens_of(53, 20), sampling=rules)))
    assert isinstance(value["n"], int) and value["kind"] in ("a", "b")


@pytest.mark.parametrize("seed", range(6))
async def test_a_constrained_answer_has_no_blanks_that_the_form_does_not_need(run: Run, seed: int) -> None:
    schema = {"type": "object", "properties": {"yes": {"type": "boolean"}}, "required": ["yes"]}
    rules = {"json_schema": {**schema, "additionalProperties": False}, "temperature": 1.0, "seed": seed}
    rules |= {"ignore_eos": False, "max_tokens": 200}
    said = text_in(await run(tokens_of(53, 20), sampling=rules))
    assert said in ('{"yes": true}', '{"yes": false}')


async def test_log_probabilities_are_the_models_own(run: Run) -> None:
    deltas = await run(tokens_of(54, 20), 5, sampling={"logprobs": 3})
    for delta in deltas:
        (entry,) = delta.logprobs
        assert entry.token == delta.tokens[0] == entry.top[0][0]
        assert entry.logprob == pytest.approx(entry.top[0][2])
        assert entry.top[0][2] >= entry.top[1][2] >= entry.top[2][2]


async def test_penalties_lower_what_was_said_before(run: Run) -> None:
    prompt = tokens_of(55, 20)
    plain = tokens_in(await run(prompt, 40))
    penalised = tokens_in(await run(prompt, 40, sampling={"frequency_penalty": 2.0}))
    assert len(set(penalised)) > len(set(plain))


async def test_a_chat_is_rendered_by_the_models_template(engine: Engine) -> None:
    messages = [{"role": "user", "content": "hi"}]
    rules = Sampling(max_tokens=5, ignore_eos=True)
    by_messages = [d async for d in engine.generate(Request(messages=messages, sampling=rules))]
    text = "<user>hi<assistant>"
    prompt = engine.tokenizer.encode(text)
    assert len(prompt) == 4
    by_prompt = [d async for d in engine.generate(Request(prompt=prompt, sampling=rules))]
    assert tokens_in(by_messages) == tokens_in(by_prompt)
    typed = [d async for d in engine.generate(Request(prompt=text, sampling=rules))]
    assert typed[-1].usage is not None
    assert typed[-1].usage.prompt_tokens == len(text), "a prompt that somebody typed has no control tokens"


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (lambda: Request(prompt=[]), RequestInvalid),
        (lambda: Request(prompt=[1] * 2000), RequestInvalid),
        (lambda: Request(prompt=[1 << 20]), RequestInvalid),
        (lambda: Request(prompt=[1], messages=[]), RequestInvalid),
        (lambda: Request(prompt=[1], sampling=Sampling(top_p=1.5)), RequestInvalid),
        (lambda: Request(prompt=[1], sampling=Sampling(json_schema={"type": 5})), RequestInvalid),
        (lambda: Request(prompt=[1], adapters={"nobody": 1.0}), AdapterNotFound),
        (lambda: Request(prompt=[1], adapters={"huge": 1.0}), BankFull),
    ],
)
async def test_a_request_that_can_never_run_is_refused_at_once(engine: Engine, request_, error) -> None:
    engine.adapters.register("huge", lively_adapter(engine.config, 48, 9))
    with pytest.raises(error):
        async for _ in engine.generate(request_()):
            pass
    engine.adapters.remove("huge")


async def test_a_prefix_is_reused_but_never_between_tenants(engine: Engine, run: Run) -> None:
    prompt = tokens_of(56, 100)

    async def cached(**others: object) -> int:
        deltas = await run(prompt, 3, **others)
        assert deltas[-1].usage is not None
        return deltas[-1].usage.cached_tokens

    assert await cached(tenant="a") == 0
    assert await cached(tenant="a") == 96
    assert await cached(tenant="b") == 0
    assert await cached(tenant="a", adapters={"low": 1.0}) == 0
    assert await cached(tenant="a", adapters={"low": 1.0}) == 96
    assert await cached(tenant="a", adapters={"low": 0.5}) == 0


async def test_a_system_prompts_prefix_is_shared_by_all_tenants(engine: Engine) -> None:
    system = "You answer in one word. " * 6
    cached: list[int] = []
    for tenant, question in (("a", "one"), ("b", "two"), ("b", "two")):
        messages = [{"role": "system", "content": system}, {"role": "user", "content": question * 30}]
        request = Request(messages=messages, tenant=tenant, sampling=Sampling(max_tokens=2, ignore_eos=True))
        deltas = [delta async for delta in engine.generate(request)]
        assert deltas[-1].usage is not None
        cached.append(deltas[-1].usage.cached_tokens)
    assert cached[0] == 0
    assert 0 < cached[1] <= len(system) + 1, "the system prompt's spans only"
    assert cached[2] > cached[1], "within the tenant the question's too"


async def test_a_reused_prefix_changes_no_token(run: Run, reference: Reference) -> None:
    prompt = tokens_of(57, 130)
    await run(prompt, 2, tenant="t")
    deltas = await run(prompt, 12, tenant="t")
    assert deltas[-1].usage is not None and deltas[-1].usage.cached_tokens == 128
    assert tokens_in(deltas) == reference(prompt, 12)


async def test_a_closed_engine_ends_what_runs_and_refuses_what_comes(folder: Path) -> None:
    closing = Engine.load(folder, dataclasses.replace(OPTIONS, slots=1, rows=0))
    request = Request(prompt=[1, 2, 3], sampling=Sampling(max_tokens=600, ignore_eos=True))
    deltas: list[Delta] = []
    with pytest.raises(EngineClosed):
        async for delta in closing.generate(request):
            deltas.append(delta)
            if len(deltas) == 2:
                await closing.aclose()
    assert len(deltas) < 600
    with pytest.raises(EngineClosed):
        await closing.complete(request)


async def test_a_model_without_a_chat_template_refuses_messages(engine: Engine) -> None:
    from liminal.engine.tokenizer import Tokenizer

    bare = Tokenizer(engine.tokenizer.inner)
    with pytest.raises(CapabilityMissing):
        bare.render([{"role": "user", "content": "hi"}])


async def test_the_end_token_ends_an_answer_and_is_not_shown(engine: Engine) -> None:
    # a grammar of one value forces the end token after it
    rules = Sampling(json_schema={"const": "x"}, max_tokens=50)
    deltas = [delta async for delta in engine.generate(Request(prompt=[5], sampling=rules))]
    assert text_in(deltas) == '"x"'
    assert EOS not in tokens_in(deltas)[:-1]


async def test_owners_are_served_fairly(engine: Engine) -> None:
    order: list[str] = []
    rules = Sampling(max_tokens=8, ignore_eos=True)

    async def ask(owner: str, seed: int) -> None:
        request = Request(prompt=tokens_of(seed, 20), owner=owner, sampling=rules)
        async for _ in engine.generate(request):
            pass
        order.append(owner)

    greedy = [asyncio.ensure_future(ask("greedy", 200 + seed)) for seed in range(10)]
    await asyncio.sleep(0)
    await asyncio.gather(ask("modest", 300), *greedy)
    assert order.index("modest") < 7, order

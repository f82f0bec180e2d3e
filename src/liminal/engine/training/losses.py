"""The losses, as functions of a batch's token log-probabilities.

SFT: mean negative log-likelihood of the completion's tokens. DPO: arXiv:2305.18290, eq. 7. KTO:
arXiv:2402.01306, eq. 8. The unpaired variant: APO-zero without pairs, arXiv:2408.06266, which is KTO with its
KL estimate at zero. Each is normalised as TRL 1.16 does it; the weights in Batch carry the normalisers, so
that a step may be split over several batches and the gradients added.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import struct

from liminal.engine.config import ModelConfig
from liminal.engine.model import embed, rms_norm, through_layers
from liminal.engine.params import Lora, LoraPair, Params
from liminal.engine.training.batch import Batch
from liminal.engine.training.vocabulary import chunked, logits_of


@struct.dataclass
class Losses:
    """What one batch contributes to its step.

    total: f32 [], what is differentiated.
    jobs: f32 [J], the same by adapter.
    margins: f32 [J], sum over pairs of ρ_chosen − ρ_rejected and over thumbs of ±ρ, in nats.
    """

    total: jax.Array
    jobs: jax.Array
    margins: jax.Array


@jax.custom_vjp
def token_logps(states: jax.Array, head: jax.Array, targets: jax.Array, used: jax.Array) -> jax.Array:
    """log p(target | state): states [N, D], head [V, D], targets int32 [N] → f32 [N].

    used: int32 [], how many of the targets count; what is behind them may be zero.

    The gradient flows to ``states`` only; it is formed beside the value, while the logits are at hand, so
    that the logits [N, V] are neither kept nor computed twice.
    """

    def score(states: jax.Array, targets: jax.Array) -> tuple[jax.Array, ...]:
        logits = logits_of(states, head)
        return (_taken(logits, targets) - jax.nn.logsumexp(logits, axis=-1),)

    return chunked(score, head.shape[0], states, targets, used=used)[0]


def _taken(logits: jax.Array, targets: jax.Array) -> jax.Array:
    return jnp.take_along_axis(logits, targets[:, None], axis=-1)[:, 0]


def _token_logps_forward(
    states: jax.Array, head: jax.Array, targets: jax.Array, used: jax.Array
) -> tuple[jax.Array, jax.Array]:
    def score(states: jax.Array, targets: jax.Array) -> tuple[jax.Array, ...]:
        logits = logits_of(states, head)
        logps = logits - jax.nn.logsumexp(logits, axis=-1, keepdims=True)
        slope = head[targets] - jnp.exp(logps).astype(head.dtype) @ head
        return _taken(logps, targets), slope

    logps, slope = chunked(score, head.shape[0], states, targets, used=used)
    return logps, slope


def _token_logps_backward(slope: jax.Array, gradient: jax.Array) -> tuple[jax.Array, None, None, None]:
    return gradient[:, None].astype(slope.dtype) * slope, None, None, None


token_logps.defvjp(_token_logps_forward, _token_logps_backward)


@jax.custom_vjp
def token_kl(states: jax.Array, reference: jax.Array, head: jax.Array) -> jax.Array:
    """KL(policy ‖ reference) over the whole vocabulary: states and reference [M, D], head [V, D] → f32 [M].

    The gradient flows to ``states`` only.
    """
    return _token_kl_forward(states, reference, head)[0]


def token_drift(states: jax.Array, reference: jax.Array, head: jax.Array) -> tuple[jax.Array, jax.Array]:
    """(KL(reference ‖ policy), entropy of the reference) over the whole vocabulary, without a gradient.

    states and reference [M, D], head [V, D] → f32 [M] each, in nats.
    """

    def score(states: jax.Array, reference: jax.Array) -> tuple[jax.Array, ...]:
        theirs = jax.nn.log_softmax(logits_of(reference, head), axis=-1)
        p = jnp.exp(theirs)
        ours = jax.nn.log_softmax(logits_of(states, head), axis=-1)
        return (p * (theirs - ours)).sum(axis=-1), -(p * theirs).sum(axis=-1)

    drift, entropy = chunked(score, 2 * head.shape[0], states, reference)
    return drift, entropy


def _token_kl_forward(
    states: jax.Array, reference: jax.Array, head: jax.Array
) -> tuple[jax.Array, jax.Array]:
    def score(states: jax.Array, reference: jax.Array) -> tuple[jax.Array, ...]:
        ours = jax.nn.log_softmax(logits_of(states, head), axis=-1)
        ratio = ours - jax.nn.log_softmax(logits_of(reference, head), axis=-1)
        p = jnp.exp(ours)
        kl = (p * ratio).sum(axis=-1)
        return kl, (p * (ratio - kl[:, None])).astype(head.dtype) @ head

    kl, slope = chunked(score, 2 * head.shape[0], states, reference)
    return kl, slope


def _token_kl_backward(slope: jax.Array, gradient: jax.Array) -> tuple[jax.Array, None, None]:
    return gradient[:, None].astype(slope.dtype) * slope, None, None


token_kl.defvjp(_token_kl_forward, _token_kl_backward)


def expected_rows(states: jax.Array, head: jax.Array, used: jax.Array) -> tuple[jax.Array, jax.Array]:
    """(the head's row that each state expects [M, D], entropy of what it predicts [M]); states [M, D].

    used: int32 [], how many of the states count.
    """

    def expect(states: jax.Array) -> tuple[jax.Array, ...]:
        logps = jax.nn.log_softmax(logits_of(states, head), axis=-1)
        p = jnp.exp(logps)
        return p.astype(head.dtype) @ head, -(p * logps).sum(axis=-1)

    rows, entropy = chunked(expect, head.shape[0], states, used=used)
    return rows, entropy


@jax.custom_vjp
def expected_nll(states: jax.Array, head: jax.Array, expected: jax.Array, used: jax.Array) -> jax.Array:
    """The cross-entropy to fixed distributions p, of which ``expected`` [N, D] is the mean row of the head.

    log Σ exp(head·s) − Σ p·(head·s), and the second sum is expected·s: what p is over the whole vocabulary
    need not be kept. The gradient flows to ``states`` only. states [N, D], head [V, D] → f32 [N]; used: int32
    [], how many of them count.
    """
    return _expected_nll_forward(states, head, expected, used)[0]


def _expected_nll_forward(
    states: jax.Array, head: jax.Array, expected: jax.Array, used: jax.Array
) -> tuple[jax.Array, jax.Array]:
    def score(states: jax.Array, expected: jax.Array) -> tuple[jax.Array, ...]:
        logits = logits_of(states, head)
        total = jax.nn.logsumexp(logits, axis=-1)
        slope = jnp.exp(logits - total[:, None]).astype(head.dtype) @ head - expected
        return total - (states.astype(jnp.float32) * expected).sum(axis=-1), slope

    nll, slope = chunked(score, head.shape[0], states, expected, used=used)
    return nll, slope


def _expected_nll_backward(slope: jax.Array, gradient: jax.Array) -> tuple[jax.Array, None, None, None]:
    return gradient[:, None].astype(slope.dtype) * slope, None, None, None


expected_nll.defvjp(_expected_nll_forward, _expected_nll_backward)


def beside(trained: Lora, frozen: Lora | None) -> Lora:
    """One bank of the rows that learn and those that do not."""
    if frozen is None:
        return trained
    return tuple(
        {
            target: LoraPair(
                jnp.concatenate([pair.a, jax.lax.stop_gradient(still[target].a)]),
                jnp.concatenate([pair.b, jax.lax.stop_gradient(still[target].b)]),
            )
            for target, pair in pairs.items()
        }
        for pairs, still in zip(trained, frozen, strict=True)
    )


def flat_states(
    params: Params,
    config: ModelConfig,
    bank: Lora,
    table: jax.Array,
    batch: Batch,
    first: int = 0,
    remat: bool = False,
) -> jax.Array:
    """Hidden states [B·T, D] of a batch whose row i runs with the gates ``table[batch.adapters[i]]``.

    ``first``: the layer that ``batch.lower`` enters; 0 for a batch of tokens.
    """
    states = through_layers(
        params,
        config,
        batch.lower if first else embed(params, batch.tokens),
        batch.positions,
        batch.segments,
        first=first,
        lora=bank,
        gates=table[batch.adapters],
        remat=remat,
    )
    states = rms_norm(states, params.norm, config.norm_eps)
    return states.reshape(-1, states.shape[-1])


def head_weight(params: Params) -> jax.Array:
    """The float weight [V, D] that turns states into logits."""
    return (params.head or params.embed).weight


def sequence_logps(states: jax.Array, params: Params, batch: Batch) -> tuple[jax.Array, jax.Array]:
    """(log-probability of each target [N], their sum over each sequence [S])."""
    count = batch.owner.shape[0]
    used = (batch.sequence < count).sum()
    logps = token_logps(states[batch.state], head_weight(params), batch.target, used)
    return logps, jax.ops.segment_sum(logps, batch.sequence, count)


def batch_losses(
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
) -> Losses:
    """Every loss of a batch.

    trained, frozen: the bank's rows; ``table`` f32 [adapters, R] gates, α/r included.
    beta: f32 [], of DPO and KTO. kl: f32 [J], KTO's estimate for each job. first: as in flat_states.
    """
    jobs = kl.shape[0]
    states = flat_states(params, config, beside(trained, frozen), table, batch, first, remat)
    logps, sums = sequence_logps(states, params, batch)
    by_job = jax.ops.segment_sum(-logps * batch.weight, batch.owner[batch.sequence], jobs)
    reference = jnp.where(batch.twin >= 0, jax.lax.stop_gradient(sums[batch.twin]), batch.reference)
    ratios = sums - reference
    pairs = pair_losses(ratios, batch, beta)
    thumbs = judgement_losses(ratios, batch, beta, kl)
    by_job += jax.ops.segment_sum(pairs, batch.owner[batch.chosen], jobs)
    by_job += jax.ops.segment_sum(thumbs, batch.owner[batch.judged], jobs)
    if batch.kl_state.shape[0]:
        still = jax.lax.stop_gradient(states[batch.kl_reference])
        drift = token_kl(states[batch.kl_state], still, head_weight(params))
        by_job += jax.ops.segment_sum(drift * batch.kl_weight, batch.kl_owner, jobs)
    if batch.held_state.shape[0]:
        used = (batch.held_owner < jobs).sum()
        nll = expected_nll(states[batch.held_state], head_weight(params), batch.held_target, used)
        kept = (nll - batch.held_entropy) * batch.held_weight
        by_job += jax.ops.segment_sum(kept, batch.held_owner, jobs)
    return Losses(by_job.sum(), by_job, _margins(ratios, batch, jobs))


def pair_losses(ratios: jax.Array, batch: Batch, beta: jax.Array) -> jax.Array:
    """DPO: −log σ(β(ρ_chosen − ρ_rejected)), weighted; ratios ρ = log π − log π_ref [S] → [P]."""
    margin = ratios[batch.chosen] - ratios[batch.rejected]
    return -jax.nn.log_sigmoid(beta * margin) * batch.pair_weight


def judgement_losses(ratios: jax.Array, batch: Batch, beta: jax.Array, kl: jax.Array) -> jax.Array:
    """KTO: 1 − σ(±β(ρ − kl)), weighted; ratios [S], kl [J] → [U].

    kl is the mean of ρ over the job's mismatched sequences (a prompt with another prompt's answer), never
    below 0 and without gradient; 0 where there are none, which is APO-zero unpaired.
    """
    reward = batch.sign * beta * (ratios[batch.judged] - kl[batch.owner[batch.judged]])
    return (1.0 - jax.nn.sigmoid(reward)) * batch.judged_weight


def _margins(ratios: jax.Array, batch: Batch, jobs: int) -> jax.Array:
    pairs = (ratios[batch.chosen] - ratios[batch.rejected]) * (batch.pair_weight > 0)
    thumbs = batch.sign * ratios[batch.judged] * (batch.judged_weight > 0)
    return jax.ops.segment_sum(pairs, batch.owner[batch.chosen], jobs) + jax.ops.segment_sum(
        thumbs, batch.owner[batch.judged], jobs
    )

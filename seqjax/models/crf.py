# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""A linear-chain conditional random field over tags, as pure functions (Lafferty et al. 2001; Lample et al. 2016, 2.2).

A sequence of tags scores the sum of its emissions, of the transitions between neighbours, and of how it starts and
ends. Places where `real` is False are skipped: their neighbours follow each other directly, so that a chain over words
can stand on the pieces of words.
"""

from collections.abc import Sequence

import flax.struct
import jax
import jax.numpy as jnp

from seqjax.tags import may_follow
from seqjax.types import Array

FORBIDDEN = -1e4  # the score of what may not follow; finite, so that a gradient never is a NaN


@flax.struct.dataclass
class Transitions:
    """Scores of one tag after another.

    Attributes:
      start: float32 [K] or [B, K]: of the first tag of each row.
      between: float32 [K, K]: of tag j (column) after tag i (row).
      end: float32 [K] or [B, K]: of the last tag.
    """

    start: jax.Array
    between: jax.Array
    end: jax.Array


def legal(labels: Sequence[str]) -> Transitions:
    """Returns 0 where tags may follow each other and FORBIDDEN elsewhere, by their names; see `seqjax.tags`."""
    allowed = may_follow(labels)
    return Transitions(*(jnp.where(x, 0.0, FORBIDDEN) for x in (allowed[-1, :-1], allowed[:-1, :-1], allowed[:-1, -1])))


def cut_off(transitions: Transitions, begins_B: Array, ends_B: Array) -> Transitions:
    """Returns the transitions of rows that may be windows of longer sequences.

    Where a row does not begin (or end) its sequence, its first (last) tag follows (precedes) one that is not there:
    every tag may be that, at no score. Transitions across the border are not scored.

    Args:
      transitions: with start and end [K].
      begins_B: whether the row holds the beginning of its sequence; 0 or 1.
      ends_B: whether it holds the end.
    """
    start_BK = jnp.where(jnp.asarray(begins_B)[:, None] > 0, transitions.start[None], 0.0)
    end_BK = jnp.where(jnp.asarray(ends_B)[:, None] > 0, transitions.end[None], 0.0)
    return Transitions(start_BK, transitions.between, end_BK)


def score(emissions_BLK: jax.Array, transitions: Transitions, tags_BL: jax.Array, real_BL: jax.Array) -> jax.Array:
    """Returns the score of one sequence of tags for each row, float32 [B]; 0 for a row with no real place.

    Args:
      emissions_BLK: scores of each tag at each place.
      transitions: scores of tags after each other.
      tags_BL: ids.
      real_BL: bool.
    """

    def step(before: tuple, inputs: tuple) -> tuple[tuple, None]:
        total_B, last_B, begun_B = before
        emission_BK, tag_B, real_B = inputs
        moved_B = jnp.where(begun_B, transitions.between[last_B, tag_B], _of(start_BK, tag_B))
        gained_B = moved_B + _of(emission_BK, tag_B)
        total_B = total_B + jnp.where(real_B, gained_B, 0.0)
        return (total_B, jnp.where(real_B, tag_B, last_B), begun_B | real_B), None

    rows = emissions_BLK.shape[0]
    start_BK, end_BK = _ends(emissions_BLK, transitions)
    start = (jnp.zeros(rows), jnp.zeros(rows, tags_BL.dtype), jnp.zeros(rows, bool))
    (total_B, last_B, begun_B), _ = jax.lax.scan(step, start, _by_place(emissions_BLK, tags_BL, real_BL))
    return total_B + jnp.where(begun_B, _of(end_BK, last_B), 0.0)


def log_partition(emissions_BLK: jax.Array, transitions: Transitions, real_BL: jax.Array) -> jax.Array:
    """Returns log sum exp of the scores of all sequences of tags, float32 [B], by the forward algorithm."""

    def step(before: tuple, inputs: tuple) -> tuple[tuple, None]:
        alpha_BK, begun_B = before
        emission_BK, real_B = inputs
        moved_BK = jax.nn.logsumexp(alpha_BK[:, :, None] + transitions.between[None], axis=1)
        next_BK = jnp.where(begun_B[:, None], moved_BK, start_BK) + emission_BK
        return (jnp.where(real_B[:, None], next_BK, alpha_BK), begun_B | real_B), None

    rows, _, labels = emissions_BLK.shape
    start_BK, end_BK = _ends(emissions_BLK, transitions)
    start = (jnp.zeros((rows, labels)), jnp.zeros(rows, bool))
    (alpha_BK, begun_B), _ = jax.lax.scan(step, start, _by_place(emissions_BLK, real_BL))
    return jnp.where(begun_B, jax.nn.logsumexp(alpha_BK + end_BK, axis=-1), 0.0)


def log_likelihood(
    emissions_BLK: jax.Array, transitions: Transitions, tags_BL: jax.Array, real_BL: jax.Array
) -> jax.Array:
    """Returns the log probability of a sequence of tags, in nats, float32 [B]; see `score`."""
    return score(emissions_BLK, transitions, tags_BL, real_BL) - log_partition(emissions_BLK, transitions, real_BL)


def marginals(emissions_BLK: jax.Array, transitions: Transitions, real_BL: jax.Array) -> jax.Array:
    """Returns the probability of each tag at each real place, float32 [B, L, K]; 0 elsewhere.

    It is the gradient of the log partition function by the emissions (Sutton and McCallum 2012, section 4.1).
    """
    return jax.grad(lambda emissions: jnp.sum(log_partition(emissions, transitions, real_BL)))(emissions_BLK)


def viterbi(emissions_BLK: jax.Array, transitions: Transitions, real_BL: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns the best sequence of tags, int32 [B, L], and its score, float32 [B]; at other places the tag before."""

    def forward(before: tuple, inputs: tuple) -> tuple[tuple, jax.Array]:
        best_BK, begun_B = before
        emission_BK, real_B = inputs
        every_BKK = best_BK[:, :, None] + transitions.between[None]
        moved_BK = jnp.where(begun_B[:, None], jnp.max(every_BKK, axis=1), start_BK)
        same_1K = jnp.arange(best_BK.shape[1])[None]
        from_BK = jnp.where((real_B & begun_B)[:, None], jnp.argmax(every_BKK, axis=1), same_1K)
        return (jnp.where(real_B[:, None], moved_BK + emission_BK, best_BK), begun_B | real_B), from_BK

    rows, _, labels = emissions_BLK.shape
    start_BK, end_BK = _ends(emissions_BLK, transitions)
    start = (jnp.zeros((rows, labels)), jnp.zeros(rows, bool))
    (best_BK, begun_B), from_LBK = jax.lax.scan(forward, start, _by_place(emissions_BLK, real_BL))
    last_BK = best_BK + end_BK
    last_B = jnp.argmax(last_BK, axis=-1)

    def backward(tag_B: jax.Array, from_BK: jax.Array) -> tuple[jax.Array, jax.Array]:
        return _of(from_BK, tag_B), tag_B

    _, tags_LB = jax.lax.scan(backward, last_B, from_LBK, reverse=True)
    return jnp.swapaxes(tags_LB, 0, 1), jnp.where(begun_B, jnp.max(last_BK, axis=-1), 0.0)


def _ends(emissions_BLK: jax.Array, transitions: Transitions) -> tuple[jax.Array, jax.Array]:
    shape = (emissions_BLK.shape[0], emissions_BLK.shape[2])
    return jnp.broadcast_to(transitions.start, shape), jnp.broadcast_to(transitions.end, shape)


def _of(x_BK: jax.Array, tag_B: jax.Array) -> jax.Array:
    return jnp.take_along_axis(x_BK, tag_B[:, None], axis=1)[:, 0]


def _by_place(*arrays: jax.Array) -> tuple[jax.Array, ...]:
    return tuple(jnp.swapaxes(x, 0, 1) for x in arrays)

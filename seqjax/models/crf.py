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
import numpy as np

from seqjax.tags import follows, parts

FORBIDDEN = -1e4  # the score of what may not follow; finite, so that a gradient never is a NaN


@flax.struct.dataclass
class Transitions:
    """Scores of one tag after another.

    Attributes:
      start: float32 [K]: of the first tag.
      between: float32 [K, K]: of tag j (column) after tag i (row).
      end: float32 [K]: of the last tag.
    """

    start: jax.Array
    between: jax.Array
    end: jax.Array


def legal(labels: Sequence[str]) -> Transitions:
    """Returns 0 where tags may follow each other and FORBIDDEN elsewhere, by their names; see `seqjax.tags`."""
    closes = any(parts(tag)[0] in ("E", "S") for tag in labels)
    starts = np.array([follows("O", tag, closes) for tag in labels])
    between = np.array([[follows(before, tag, closes) for tag in labels] for before in labels])
    ends = np.array([follows(tag, "O", closes) for tag in labels])
    return Transitions(*(jnp.where(x, 0.0, FORBIDDEN) for x in (starts, between, ends)))


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
        moved_B = jnp.where(begun_B, transitions.between[last_B, tag_B], transitions.start[tag_B])
        gained_B = moved_B + jnp.take_along_axis(emission_BK, tag_B[:, None], axis=1)[:, 0]
        total_B = total_B + jnp.where(real_B, gained_B, 0.0)
        return (total_B, jnp.where(real_B, tag_B, last_B), begun_B | real_B), None

    rows = emissions_BLK.shape[0]
    start = (jnp.zeros(rows), jnp.zeros(rows, tags_BL.dtype), jnp.zeros(rows, bool))
    (total_B, last_B, begun_B), _ = jax.lax.scan(step, start, _by_place(emissions_BLK, tags_BL, real_BL))
    return total_B + jnp.where(begun_B, transitions.end[last_B], 0.0)


def log_partition(emissions_BLK: jax.Array, transitions: Transitions, real_BL: jax.Array) -> jax.Array:
    """Returns log sum exp of the scores of all sequences of tags, float32 [B], by the forward algorithm."""

    def step(before: tuple, inputs: tuple) -> tuple[tuple, None]:
        alpha_BK, begun_B = before
        emission_BK, real_B = inputs
        moved_BK = jax.nn.logsumexp(alpha_BK[:, :, None] + transitions.between[None], axis=1)
        next_BK = jnp.where(begun_B[:, None], moved_BK, transitions.start[None]) + emission_BK
        return (jnp.where(real_B[:, None], next_BK, alpha_BK), begun_B | real_B), None

    rows, _, labels = emissions_BLK.shape
    start = (jnp.zeros((rows, labels)), jnp.zeros(rows, bool))
    (alpha_BK, begun_B), _ = jax.lax.scan(step, start, _by_place(emissions_BLK, real_BL))
    return jnp.where(begun_B, jax.nn.logsumexp(alpha_BK + transitions.end[None], axis=-1), 0.0)


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
        moved_BK = jnp.where(begun_B[:, None], jnp.max(every_BKK, axis=1), transitions.start[None])
        same_1K = jnp.arange(best_BK.shape[1])[None]
        from_BK = jnp.where((real_B & begun_B)[:, None], jnp.argmax(every_BKK, axis=1), same_1K)
        return (jnp.where(real_B[:, None], moved_BK + emission_BK, best_BK), begun_B | real_B), from_BK

    rows, _, labels = emissions_BLK.shape
    start = (jnp.zeros((rows, labels)), jnp.zeros(rows, bool))
    (best_BK, begun_B), from_LBK = jax.lax.scan(forward, start, _by_place(emissions_BLK, real_BL))
    last_BK = best_BK + transitions.end[None]
    last_B = jnp.argmax(last_BK, axis=-1)

    def backward(tag_B: jax.Array, from_BK: jax.Array) -> tuple[jax.Array, jax.Array]:
        return jnp.take_along_axis(from_BK, tag_B[:, None], axis=1)[:, 0], tag_B

    _, tags_LB = jax.lax.scan(backward, last_B, from_LBK, reverse=True)
    return jnp.swapaxes(tags_LB, 0, 1), jnp.where(begun_B, jnp.max(last_BK, axis=-1), 0.0)


def _by_place(*arrays: jax.Array) -> tuple[jax.Array, ...]:
    return tuple(jnp.swapaxes(x, 0, 1) for x in arrays)

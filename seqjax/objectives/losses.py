# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Per-example losses, in float32; nobody divides here."""

import jax
import jax.numpy as jnp

from seqjax.models.heads import Scored
from seqjax.objectives.objective import Pairs
from seqjax.types import Array


def cross_entropy(logits: jax.Array, targets: Array, label_smoothing: float = 0.0, z_loss: float = 0.0) -> jax.Array:
    """Returns -log p(target) in nats for logits [..., V] and int targets [...].

    With label smoothing the target keeps 1 - s and s is spread evenly over all V (Szegedy et al. 2016, section 7). With
    `z_loss` z * (log Z)^2 is added, which keeps the normaliser Z near 1 (Chowdhery et al. 2022, PaLM, section 5).
    """
    logits = logits.astype(jnp.float32)
    normaliser = jax.nn.logsumexp(logits, axis=-1)
    # A comparison instead of a gather: its gradient is a select that fuses, not a scatter into a [..., V] of zeros.
    is_target = jax.lax.broadcasted_iota(jnp.int32, logits.shape, logits.ndim - 1) == targets[..., None]
    loss = normaliser - jnp.sum(jnp.where(is_target, logits, 0.0), axis=-1)
    if label_smoothing > 0.0:
        even = normaliser - jnp.mean(logits, axis=-1)
        loss = (1.0 - label_smoothing) * loss + label_smoothing * even
    return loss + z_loss * normaliser**2 if z_loss > 0.0 else loss


def correct(logits: jax.Array, targets: Array) -> jax.Array:
    """Returns 1.0 where the target's logit is the largest, the first of those that are, else 0.0.

    Three maxima, which are vectorised, say what an argmax, which is not, would.
    """
    place = jax.lax.broadcasted_iota(jnp.int32, logits.shape, logits.ndim - 1)
    target = targets[..., None]
    before, own, after = (
        jnp.max(jnp.where(chosen, logits, -jnp.inf), axis=-1)
        for chosen in (place < target, place == target, place > target)
    )
    return ((own > before) & (own >= after)).astype(jnp.float32)


def sums(
    term: str, weights: Array, loss: jax.Array, hit: jax.Array, loss_weights: Array | None = None
) -> tuple[Pairs, Pairs]:
    """Returns a term and its accuracy as (sum, weight) of losses and hits that count as much as `weights` says.

    With `loss_weights` losses count as much as these say instead.
    """
    of_loss = weights if loss_weights is None else loss_weights
    term_sum, accuracy = jnp.sum(loss * of_loss), jnp.sum(hit * weights)
    return {term: (term_sum, jnp.sum(of_loss))}, {"accuracy": (accuracy, jnp.sum(weights))}


def token_scores(
    targets: Array, training: bool, label_smoothing: float = 0.0, z_loss: float = 0.0, chunk: int = 0
) -> Scored:
    """Returns the request for what `cross_entropy` and `correct` give at each target.

    Args:
      targets: ids [B, L], or [B, P] where places are gathered.
      training: whether there is label smoothing and z-loss.
      label_smoothing: see `cross_entropy`.
      z_loss: see `cross_entropy`.
      chunk: so many places at a time have logits, which are computed again for the gradient: [B, L, V] never stands in
        memory; 0: all at once.
    """
    settings = {"label_smoothing": label_smoothing, "z_loss": z_loss} if training else {}

    def score(logits: jax.Array, targets: Array) -> tuple[jax.Array, jax.Array]:
        return cross_entropy(logits, targets, **settings), correct(logits, targets)

    return Scored(score, targets, chunk)

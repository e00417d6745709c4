# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Per-example losses, in float32; nobody divides here."""

import jax
import jax.numpy as jnp

from seqjax.types import Array


def cross_entropy(logits: jax.Array, targets: Array, label_smoothing: float = 0.0) -> jax.Array:
    """Returns -log p(target) in nats for logits [..., V] and int targets [...].

    With label smoothing the target keeps 1 - s and s is spread evenly over all V (Szegedy et al. 2016, section 7).
    """
    logits = logits.astype(jnp.float32)
    normaliser = jax.nn.logsumexp(logits, axis=-1)
    # A comparison instead of a gather: its gradient is a select that fuses, not a scatter into a [..., V] of zeros.
    is_target = jax.lax.broadcasted_iota(jnp.int32, logits.shape, logits.ndim - 1) == targets[..., None]
    loss = normaliser - jnp.sum(jnp.where(is_target, logits, 0.0), axis=-1)
    if label_smoothing > 0.0:
        even = normaliser - jnp.mean(logits, axis=-1)
        loss = (1.0 - label_smoothing) * loss + label_smoothing * even
    return loss


def correct(logits: jax.Array, targets: Array) -> jax.Array:
    """Returns 1.0 where the largest logit is the target's, else 0.0."""
    return (jnp.argmax(logits, axis=-1) == targets).astype(jnp.float32)

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Attention, once: a pure function, and the layer that owns its projections."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp

from seqjax.models.cache import KVCache
from seqjax.models.layers import Linear
from seqjax.models.positions import rotary

MASKED = -0.7 * float(jnp.finfo(jnp.float32).max)  # finite: a row with no key gives a uniform softmax, never a NaN


def attend(
    q_BLNH: jax.Array,
    k_BSNH: jax.Array,
    v_BSNH: jax.Array,
    bias: jax.Array | None = None,
    mask: jax.Array | None = None,
    dropout_key: jax.Array | None = None,
    dropout: float = 0.0,
) -> jax.Array:
    """Scaled dot-product attention (Vaswani et al. 2017, eq. 1); scores and softmax in float32.

    Args:
      q_BLNH: queries.
      k_BSNH: keys.
      v_BSNH: values.
      bias: added to the scaled scores, broadcastable to [B, N, L, S].
      mask: bool, True = may attend, broadcastable to [B, N, L, S].
      dropout_key: where given, attention weights are dropped with probability `dropout`.
      dropout: probability.

    Returns:
      [B, L, N, H] in the type of the values.
    """
    scores_BNLS = jnp.einsum("BLNH,BSNH->BNLS", q_BLNH, k_BSNH, preferred_element_type=jnp.float32)
    scores_BNLS = scores_BNLS / math.sqrt(q_BLNH.shape[-1])
    if bias is not None:
        scores_BNLS = scores_BNLS + bias
    if mask is not None:
        scores_BNLS = jnp.where(mask, scores_BNLS, MASKED)
    weights_BNLS = jax.nn.softmax(scores_BNLS, axis=-1)
    if dropout_key is not None and dropout > 0.0:
        kept = jax.random.bernoulli(dropout_key, 1.0 - dropout, weights_BNLS.shape)
        weights_BNLS = jnp.where(kept, weights_BNLS / (1.0 - dropout), 0.0)
    return jnp.einsum("BNLS,BSNH->BLNH", weights_BNLS.astype(v_BSNH.dtype), v_BSNH)


class Attention(nn.Module):
    """Multi-head self-attention with an explicit cache: (x, positions, cache or None) -> (y, cache)."""

    heads: int
    rotary_base: float | None
    dropout: float
    use_bias: bool
    dtype: jnp.dtype
    kernel_init: nn.initializers.Initializer
    output_init: nn.initializers.Initializer

    @nn.compact
    def __call__(
        self,
        x_BLD: jax.Array,
        positions_BL: jax.Array,
        cache: KVCache | None,
        slot: jax.Array | int,
        mask_B1LS: jax.Array,
        train: bool,
    ) -> tuple[jax.Array, KVCache | None]:
        batch, length, width = x_BLD.shape
        shape = (batch, length, self.heads, width // self.heads)
        q_BLNH, k_BLNH, v_BLNH = (
            Linear(width, self.use_bias, self.dtype, self.kernel_init, name=name)(x_BLD).reshape(shape)
            for name in ("query", "key", "value")
        )
        if self.rotary_base is not None:
            q_BLNH = rotary(q_BLNH, positions_BL, self.rotary_base)
            k_BLNH = rotary(k_BLNH, positions_BL, self.rotary_base)
        k_BSNH, v_BSNH = k_BLNH, v_BLNH
        if cache is not None:
            cache = cache.write(k_BLNH, v_BLNH, slot)
            k_BSNH, v_BSNH = cache.k_BSNH, cache.v_BSNH
        dropout_key = self.make_rng("dropout") if train and self.dropout > 0.0 else None
        y_BLNH = attend(q_BLNH, k_BSNH, v_BSNH, None, mask_B1LS, dropout_key, self.dropout)
        y_BLD = y_BLNH.reshape(batch, length, width)
        return Linear(width, self.use_bias, self.dtype, self.output_init, name="output")(y_BLD), cache

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Disentangled attention: content and relative position meet term by term (He et al. 2021, "DeBERTa", section 3.1).

R counts the rows of the table of relative positions: twice the span k of the paper, or twice the buckets of DeBERTa v2.
"""

import dataclasses
import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from seqjax.models.attention import attend, attention_weights, show
from seqjax.models.constrain import constrain, portion
from seqjax.models.layers import Linear, contract
from seqjax.models.masks import Mask


def log_buckets(distance: jax.Array, count: int, longest: int) -> jax.Array:
    """Returns int32 buckets, odd in the distance: up to count / 2 the distance itself, then logarithmic steps.

    Distance `longest` - 1 falls into bucket `count` - 1, and all from `longest` on into `count`. Source: the code that
    He et al. 2021b (DeBERTaV3) published; DeBERTa v2 has no paper of its own.
    """
    half = count // 2
    # On the host in float32, as published: a compiler may round the boundaries between buckets otherwise.
    size = np.arange(longest + 1)
    growth = np.log(np.maximum(size, half).astype(np.float32) / np.float32(half)) / np.log(
        np.float32((longest - 1) / half)
    )
    table = np.where(size <= half, size, np.ceil(growth * np.float32(half - 1)).astype(np.int64) + half)
    table[longest] = count  # whatever the rounding
    return jnp.sign(distance) * jnp.asarray(table, jnp.int32)[jnp.minimum(jnp.abs(distance), longest)]


def relative_rows(positions_BL: jax.Array, positions_BS: jax.Array, span: int, buckets: int = 0) -> jax.Array:
    """Returns int32 [B, L, S]: the row of the relative table for query i and key j, delta(i, j) of eq. 3.

    It is i - j + k, held within 0 .. 2k - 1. With `buckets` the distance i - j is first put into logarithmic buckets,
    of which there are k = `buckets` on each side, for distances up to `span`; else k = `span`.
    """
    distance_BLS = positions_BL[:, :, None] - positions_BS[:, None, :]
    if buckets:
        distance_BLS = log_buckets(distance_BLS, buckets, span)
    half = buckets or span
    return jnp.clip(distance_BLS + half, 0, 2 * half - 1)


@dataclasses.dataclass(frozen=True)
class RelativeScores:
    """The content-to-position and position-to-content terms of eq. 4, [B, N, L, S], some queries at a time.

    Each content vector meets each row of the table once, in a matrix product; every pair then picks its own row.
    Departs from eq. 4 as the published code does: both terms read row delta(i, j), where the paper has delta(j, i) in
    the second.

    Attributes:
      c2p_BNLR: queries of the content by keys of the relative positions; None leaves the term out.
      p2c_BNSR: keys of the content by queries of the relative positions; None leaves the term out.
      rows_BLS: from `relative_rows`.
      scale: of both.
    """

    c2p_BNLR: jax.Array | None
    p2c_BNSR: jax.Array | None
    rows_BLS: jax.Array
    scale: float = 1.0

    def rows(self, first: jax.Array | int, count: int, among: int = 1) -> jax.Array:
        """Returns float32 [B, N, among * count, S]: the scores of `count` queries from `first` on, see `portion`."""
        rows_BQS = portion(self.rows_BLS, first, count, 1, among)
        scores_BNQS = jnp.zeros((), jnp.float32)
        if self.c2p_BNLR is not None:
            c2p_BNQR = portion(self.c2p_BNLR, first, count, 2, among)
            scores_BNQS += _pick(c2p_BNQR, rows_BQS)
        if self.p2c_BNSR is not None:
            scores_BNQS += _pick(self.p2c_BNSR, rows_BQS.swapaxes(1, 2)).swapaxes(2, 3)
        return scores_BNQS * self.scale


def relative_scores(
    q_BLNH: jax.Array,
    k_BSNH: jax.Array,
    position_key_RNH: jax.Array | None,
    position_query_RNH: jax.Array | None,
    rows_BLS: jax.Array,
    scale: float = 1.0,
) -> RelativeScores:
    """Returns the two terms of content and position.

    Args:
      q_BLNH: queries of the content.
      k_BSNH: keys of the content.
      position_key_RNH: keys of the relative positions; None leaves the content-to-position term out.
      position_query_RNH: queries of the relative positions; None leaves the position-to-content term out.
      rows_BLS: from `relative_rows`.
      scale: of the scores.
    """
    c2p_BNLR = p2c_BNSR = None
    if position_key_RNH is not None:
        c2p_BNLR = contract("BLNH,RNH->BNLR", q_BLNH, position_key_RNH, q_BLNH.dtype)
    if position_query_RNH is not None:
        p2c_BNSR = contract("BSNH,RNH->BNSR", k_BSNH, position_query_RNH, k_BSNH.dtype)
    return RelativeScores(c2p_BNLR, p2c_BNSR, rows_BLS, scale)


def _pick(every_BNLR: jax.Array, rows_BLS: jax.Array) -> jax.Array:
    """Returns [B, N, L, S]: of each R the entry that its row names."""
    return jnp.take_along_axis(every_BNLR, rows_BLS[:, None], axis=-1, mode="promise_in_bounds")


class DisentangledAttention(nn.Module):
    """Multi-head attention of queries [B, L, D] to states [B, S, D], by content and relative position.

    The scores are scaled by 1 / sqrt(H * terms), where content, `c2p` and `p2c` are a term each (eq. 4).
    """

    heads: int
    c2p: bool  # content to position: what a query asks of a distance
    p2c: bool  # position to content: what a distance asks of a key
    share_keys: bool  # v2: positions go through the projections of the content
    key_bias: bool  # v2; the keys of v1, of content and of positions, have none
    dropout: float
    kernel: str
    dtype: jnp.dtype
    kernel_init: nn.initializers.Initializer

    @nn.compact
    def __call__(
        self,
        x_BLD: jax.Array,
        states_BSD: jax.Array,
        relative_RD: jax.Array | None,
        rows_BLS: jax.Array | None,
        mask: Mask,
        train: bool,
    ) -> jax.Array:
        width = x_BLD.shape[-1]

        def linear(name: str, use_bias: bool = True) -> Linear:
            return Linear(width, use_bias, self.dtype, self.kernel_init, name=name)

        def split(y: jax.Array) -> jax.Array:
            return y.reshape(*y.shape[:-1], self.heads, width // self.heads)

        query, key = linear("query"), linear("key", self.key_bias)
        q_BLNH, k_BSNH = constrain(split(query(x_BLD)), "BLNH"), constrain(split(key(states_BSD)), "BSNH")
        v_BSNH = constrain(split(linear("value")(states_BSD)), "BSNH")
        scale = 1.0 / math.sqrt(width // self.heads * (1 + self.c2p + self.p2c))

        bias = None
        if relative_RD is not None and rows_BLS is not None:
            relative_RD = nn.Dropout(self.dropout, deterministic=not train)(relative_RD)
            position_key = position_query = None
            if self.c2p:
                position_key = split((key if self.share_keys else linear("position_key", self.key_bias))(relative_RD))
            if self.p2c:
                position_query = split((query if self.share_keys else linear("position_query"))(relative_RD))
            bias = relative_scores(q_BLNH, k_BSNH, position_key, position_query, rows_BLS, scale)
        dropout_key = self.make_rng("dropout") if train and self.dropout > 0.0 else None
        show(self, lambda: attention_weights(q_BLNH, k_BSNH, bias, mask, scale))
        y_BLNH = attend(q_BLNH, k_BSNH, v_BSNH, bias, mask, dropout_key, self.dropout, scale, self.kernel)
        return linear("output")(constrain(y_BLNH, "BLNH").reshape(x_BLD.shape))

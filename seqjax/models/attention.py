# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Attention, once: a pure function, and the two layers that own its projections."""

import math
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from seqjax.models.cache import KVCache
from seqjax.models.layers import Linear, contract
from seqjax.models.positions import rotary

MAPS = "attention_maps"  # the collection of variables in which `show` leaves them
PARTS, SHORTEST_PART = 4, 64  # of the queries of causal attention: four leave out three eighths of the products
MASKED = -0.7 * float(jnp.finfo(jnp.float32).max)  # finite: a row with no key gives a uniform softmax, never a NaN


def attend(
    q_BLNH: jax.Array,
    k_BSMH: jax.Array,
    v_BSMH: jax.Array,
    bias: jax.Array | None = None,
    mask: jax.Array | None = None,
    dropout_key: jax.Array | None = None,
    dropout: float = 0.0,
    scale: float | None = None,
    ordered: bool = False,
) -> jax.Array:
    """Scaled dot-product attention (Vaswani et al. 2017, eq. 1); scores and softmax in float32.

    Keys and values may have fewer heads than the queries: query head n then reads key head n // (N / M)
    (grouped-query attention, Ainslie et al. 2023, section 2.2).

    Args:
      q_BLNH: queries.
      k_BSMH: keys of M heads, where M divides N.
      v_BSMH: values.
      bias: added to the scaled scores, broadcastable to [B, N, L, S].
      mask: bool, True = may attend, broadcastable to [B, N, L, S].
      dropout_key: where given, attention weights are dropped with probability `dropout`.
      dropout: probability.
      scale: of the scores; 1 / sqrt(H) by default.
      ordered: L = S, and the mask lets no query attend to a place after its own: such keys are not even multiplied, in
        up to PARTS parts of the queries.

    Returns:
      [B, L, N, H] in the type of the values.
    """
    length = q_BLNH.shape[1]
    # A length that is a symbol, as in an exported program, has no parts.
    parts = min(PARTS, length // SHORTEST_PART) if ordered and isinstance(length, int) else 1
    q_BMGLH, k_BMSH = _heads_first(q_BLNH, k_BSMH, scale)
    v_BMSH = jnp.swapaxes(v_BSMH, 1, 2)
    out = []
    for number in range(max(parts, 1)):
        start, end = (number * length // parts, (number + 1) * length // parts) if parts > 1 else (0, None)
        own_bias, own_mask = (None if x is None else _corner(x, start, end) for x in (bias, mask))
        key = dropout_key if dropout_key is None or parts < 2 else jax.random.fold_in(dropout_key, number)
        queries = q_BMGLH[:, :, :, start:end]
        out.append(_attend(queries, k_BMSH[:, :, :end], v_BMSH[:, :, :end], own_bias, own_mask, key, dropout))
    y_BMGLH = out[0] if parts < 2 else jnp.concatenate(out, axis=3)
    return jnp.moveaxis(y_BMGLH, 3, 1).reshape(q_BLNH.shape)


def _heads_first(q_BLNH: jax.Array, k_BSMH: jax.Array, scale: float | None) -> tuple[jax.Array, jax.Array]:
    """Returns the scaled queries [B, M, G, L, H], where G heads share a key's, and the keys [B, M, S, H]."""
    batch, length, heads, head_width = q_BLNH.shape
    kv_heads = k_BSMH.shape[2]
    if scale != 1.0:
        q_BLNH = q_BLNH * (1.0 / math.sqrt(head_width) if scale is None else scale)
    q_BNLH = jnp.swapaxes(q_BLNH, 1, 2)
    return q_BNLH.reshape(batch, kv_heads, heads // kv_heads, length, head_width), jnp.swapaxes(k_BSMH, 1, 2)


def _corner(x: jax.Array, start: int, end: int | None) -> jax.Array:
    """Returns what queries from `start` to `end` have of a bias or mask [..., L, S] with keys before `end`."""
    rows = x if x.shape[-2] == 1 else x[..., start:end, :]
    return rows if x.shape[-1] == 1 else rows[..., :end]


def _scores(q_BMGLH: jax.Array, k_BMSH: jax.Array, bias: jax.Array | None, mask: jax.Array | None) -> jax.Array:
    """Returns float32 [B, N, L, S]."""
    scores = contract("BMGLH,BMSH->BMGLS", q_BMGLH, k_BMSH, q_BMGLH.dtype)
    batch, kv_heads, group, length, source = scores.shape
    scores_BNLS = scores.reshape(batch, kv_heads * group, length, source)
    if bias is not None:
        scores_BNLS = scores_BNLS + bias
    if mask is not None:
        scores_BNLS = jnp.where(mask, scores_BNLS, MASKED)
    return scores_BNLS


def _attend(
    q_BMGLH: jax.Array,
    k_BMSH: jax.Array,
    v_BMSH: jax.Array,
    bias: jax.Array | None,
    mask: jax.Array | None,
    dropout_key: jax.Array | None,
    dropout: float,
) -> jax.Array:
    """Returns what some queries read, [B, M, G, L, H]."""
    weights_BNLS = jax.nn.softmax(_scores(q_BMGLH, k_BMSH, bias, mask), axis=-1)
    if dropout_key is not None and dropout > 0.0:
        kept = jax.random.bernoulli(dropout_key, 1.0 - dropout, weights_BNLS.shape)
        weights_BNLS = jnp.where(kept, weights_BNLS / (1.0 - dropout), 0.0)
    weights = weights_BNLS.astype(v_BMSH.dtype).reshape(*q_BMGLH.shape[:4], k_BMSH.shape[2])
    y_BMGLH = contract("BMGLS,BMSH->BMGLH", weights, v_BMSH, v_BMSH.dtype)
    return y_BMGLH.astype(v_BMSH.dtype)


def attention_weights(
    q_BLNH: jax.Array,
    k_BSMH: jax.Array,
    bias: jax.Array | None = None,
    mask: jax.Array | None = None,
    scale: float | None = None,
) -> jax.Array:
    """Returns the weights of `attend`, float32 [B, N, L, S], before dropout; see there for the arguments."""
    return jax.nn.softmax(_scores(*_heads_first(q_BLNH, k_BSMH, scale), bias, mask), axis=-1)


def show(module: nn.Module, weights: Callable[[], jax.Array]) -> None:
    """Puts a map of attention where `seqjax.attention_maps` finds it; nothing is computed unless it asks.

    The weights are computed anew for it, so that a kernel which never has them can be shown too.
    """
    if module.is_mutable_collection(MAPS) and not module.is_initializing():
        module.sow(MAPS, "weights", weights())


class _MultiHead(nn.Module):
    """What attention to oneself and to another sequence share: the settings, the projections, the reading."""

    heads: int
    kv_heads: int
    head_width: int
    scale: float | None
    dropout: float
    use_bias: bool
    dtype: jnp.dtype
    kernel_init: nn.initializers.Initializer
    output_init: nn.initializers.Initializer

    @nn.nowrap
    def _project(self, name: str, x_BLD: jax.Array, heads: int) -> jax.Array:
        """Returns [B, L, heads, H]."""
        y = Linear(heads * self.head_width, self.use_bias, self.dtype, self.kernel_init, name=name)(x_BLD)
        return y.reshape(*x_BLD.shape[:2], heads, self.head_width)

    @nn.nowrap
    def _read(
        self,
        width: int,
        q_BLNH: jax.Array,
        keys: KVCache,
        bias: jax.Array | None,
        mask_B1LS: jax.Array | None,
        train: bool,
        ordered: bool = False,
    ) -> jax.Array:
        """Returns what the queries read, projected to [B, L, width]."""
        key = self.make_rng("dropout") if train and self.dropout > 0.0 else None
        show(self, lambda: attention_weights(q_BLNH, keys.k_BSNH, bias, mask_B1LS, self.scale))
        y_BLNH = attend(q_BLNH, keys.k_BSNH, keys.v_BSNH, bias, mask_B1LS, key, self.dropout, self.scale, ordered)
        y = y_BLNH.reshape(*q_BLNH.shape[:2], self.heads * self.head_width)
        return Linear(width, self.use_bias, self.dtype, self.output_init, name="output")(y)


class Attention(_MultiHead):
    """Multi-head self-attention with an explicit cache: (x, positions, cache or None) -> (y, cache)."""

    rotary_base: float | None

    @nn.compact
    def __call__(
        self,
        x_BLD: jax.Array,
        positions_BL: jax.Array,
        cache: KVCache | None,
        slot: jax.Array | int,
        bias: jax.Array | None,
        mask_B1LS: jax.Array,
        train: bool,
        ordered: bool = False,
    ) -> tuple[jax.Array, KVCache | None]:
        q_BLNH = self._project("query", x_BLD, self.heads)
        k_BLMH, v_BLMH = (self._project(name, x_BLD, self.kv_heads) for name in ("key", "value"))
        if self.rotary_base is not None:
            q_BLNH = rotary(q_BLNH, positions_BL, self.rotary_base)
            k_BLMH = rotary(k_BLMH, positions_BL, self.rotary_base)
        keys = KVCache(k_BLMH, v_BLMH)
        if cache is not None:
            keys = cache = cache.write(k_BLMH, v_BLMH, slot)
        return self._read(x_BLD.shape[-1], q_BLNH, keys, bias, mask_B1LS, train, ordered), cache


class CrossAttention(_MultiHead):
    """Attention to another sequence: (x, its states or None, its cached keys or None) -> (y, the keys to cache).

    The states are projected where they are given; where they are not, an earlier call has left their projections.
    """

    @nn.compact
    def __call__(
        self,
        x_BLD: jax.Array,
        source_BSD: jax.Array | None,
        cache: KVCache | None,
        mask_B1LS: jax.Array | None,
        train: bool,
    ) -> tuple[jax.Array, KVCache]:
        q_BLNH = self._project("query", x_BLD, self.heads)
        if source_BSD is not None:
            k_BSMH, v_BSMH = (self._project(name, source_BSD, self.kv_heads) for name in ("key", "value"))
            cache = KVCache(k_BSMH, v_BSMH)
        assert cache is not None, "a decoder needs the states of its source, or a carry that holds their projections"
        return self._read(x_BLD.shape[-1], q_BLNH, cache, None, mask_B1LS, train), cache

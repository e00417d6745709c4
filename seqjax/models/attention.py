# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Attention, once: a pure function, and the two layers that own its projections."""

import math
from collections.abc import Callable
from typing import Any, Protocol

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from seqjax.models import kernels
from seqjax.models.cache import KVCache
from seqjax.models.constrain import constrain, portion
from seqjax.models.layers import Linear, contract
from seqjax.models.masks import Mask
from seqjax.models.positions import rotary

MAPS = "attention_maps"  # the collection of variables in which `show` leaves them
MASKED = -0.7 * float(jnp.finfo(jnp.float32).max)  # finite: a row with no key gives a uniform softmax, never a NaN


class Rows(Protocol):
    """An array [B, N, L, S], or one that broadcasts to it, of which some queries at a time are written out."""

    def rows(self, first: jax.Array | int, count: int, among: int = 1) -> jax.Array:
        """Returns [B, N, among * count, S] from query `first` on, see `portion`."""


def attend(
    q_BLNH: jax.Array,
    k_BSMH: jax.Array,
    v_BSMH: jax.Array,
    bias: jax.Array | Rows | None = None,
    mask: jax.Array | Mask | None = None,
    dropout_key: jax.Array | None = None,
    dropout: float = 0.0,
    scale: float | None = None,
    kernel: str = "auto",
) -> jax.Array:
    """Scaled dot-product attention (Vaswani et al. 2017, eq. 1); scores and softmax in float32.

    Keys and values may have fewer heads than the queries: query head n then reads key head n // (N / M)
    (grouped-query attention, Ainslie et al. 2023, section 2.2).

    Args:
      q_BLNH: queries.
      k_BSMH: keys of M heads, where M divides N.
      v_BSMH: values.
      bias: added to the scaled scores, broadcastable to [B, N, L, S].
      mask: a description, or bool, True = may attend, broadcastable to [B, N, L, S].
      dropout_key: where given, attention weights are dropped with probability `dropout`.
      dropout: probability.
      scale: of the scores; 1 / sqrt(H) by default.
      kernel: see `seqjax.models.kernels.choose`; all give the same numbers, but for what is dropped, and but for
        queries at padding.

    Returns:
      [B, L, N, H] in the type of the values.

    Raises:
      UserError: the kernel asked for cannot do this.
    """
    length = q_BLNH.shape[1]
    dropout_key = dropout_key if dropout > 0.0 else None
    case = kernels.case_of(q_BLNH, k_BSMH, mask, bias is not None, dropout_key is not None)
    chosen = kernels.choose(case, kernel)
    kernels.announce(chosen, case)
    if chosen in ("splash", "cudnn"):
        assert mask is None or isinstance(mask, Mask)
        fused = kernels.splash if chosen == "splash" else kernels.cudnn
        return fused(q_BLNH, k_BSMH, v_BSMH, mask, 1.0 / math.sqrt(q_BLNH.shape[-1]) if scale is None else scale)

    among = case.parts if chosen == "chunked" else 1

    def read(first: jax.Array | int, count: int) -> jax.Array:
        part_BQNH = constrain(_rows(q_BLNH, first, count, among, axis=1), "BLNH")
        bias_BNQS, mask_BNQS = (_rows(x, first, count, among) for x in (bias, mask))
        weights_BNQS = attention_weights(part_BQNH, k_BSMH, bias_BNQS, mask_BNQS, scale)
        if dropout_key is not None:
            key = dropout_key if among * count == length else jax.random.fold_in(dropout_key, first)
            kept = jax.random.bernoulli(key, 1.0 - dropout, weights_BNQS.shape)
            weights_BNQS = jnp.where(kept, weights_BNQS / (1.0 - dropout), 0.0)
        batch, heads, _, source = weights_BNQS.shape
        kv_heads = k_BSMH.shape[2]
        weights = weights_BNQS.astype(v_BSMH.dtype).reshape(batch, kv_heads, heads // kv_heads, among * count, source)
        y_BQMGH = contract("BMGLS,BSMH->BLMGH", weights, v_BSMH, v_BSMH.dtype)
        return y_BQMGH.astype(v_BSMH.dtype).reshape(part_BQNH.shape)

    return kernels.chunked(read, length, among) if chosen == "chunked" else read(0, length)


def _rows(x: Any, first: jax.Array | int, count: int, among: int = 1, axis: int = 2) -> Any:
    """Returns what concerns `count` queries from `first` on, see `portion`, of an array, a description, or nothing."""
    if x is None:
        return None
    if not isinstance(x, jax.Array | np.ndarray):
        return x.rows(first, count, among)
    return x if x.shape[axis] in (1, among * count) else portion(jnp.asarray(x), first, count, axis, among)


def attention_weights(
    q_BLNH: jax.Array,
    k_BSMH: jax.Array,
    bias: jax.Array | Rows | None = None,
    mask: jax.Array | Mask | None = None,
    scale: float | None = None,
) -> jax.Array:
    """Returns the weights of `attend`, float32 [B, N, L, S], before dropout; see there for the arguments."""
    batch, length, heads, head_width = q_BLNH.shape
    bias_BNLS, mask_BNLS = _rows(bias, 0, length), _rows(mask, 0, length)
    kv_heads = k_BSMH.shape[2]
    q_BLMGH = q_BLNH.reshape(batch, length, kv_heads, heads // kv_heads, head_width)
    scores = contract("BLMGH,BSMH->BMGLS", q_BLMGH, k_BSMH, q_BLNH.dtype)
    scores_BNLS = scores.reshape(batch, heads, length, k_BSMH.shape[1])
    if scale != 1.0:
        scores_BNLS = scores_BNLS * (1.0 / math.sqrt(head_width) if scale is None else scale)
    if bias_BNLS is not None:
        scores_BNLS = scores_BNLS + bias_BNLS
    if mask_BNLS is not None:
        scores_BNLS = jnp.where(mask_BNLS, scores_BNLS, MASKED)
    return jax.nn.softmax(scores_BNLS, axis=-1)


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
    kernel: str
    use_bias: bool
    dtype: jnp.dtype
    kernel_init: nn.initializers.Initializer
    output_init: nn.initializers.Initializer

    @nn.nowrap
    def _project(self, name: str, x_BLD: jax.Array, heads: int, letters: str) -> jax.Array:
        """Returns [B, L, heads, H]; `letters` are those of its axes (S: every place, gathered from those of a row)."""
        y = Linear(heads * self.head_width, self.use_bias, self.dtype, self.kernel_init, name=name)(x_BLD)
        return constrain(y.reshape(*x_BLD.shape[:2], heads, self.head_width), letters)

    @nn.nowrap
    def _read(
        self,
        width: int,
        q_BLNH: jax.Array,
        keys: KVCache,
        bias: jax.Array | None,
        mask: Mask | None,
        train: bool,
    ) -> jax.Array:
        """Returns what the queries read, projected to [B, L, width]."""
        key = self.make_rng("dropout") if train and self.dropout > 0.0 else None
        show(self, lambda: attention_weights(q_BLNH, keys.k_BSNH, bias, mask, self.scale))
        kernel = "auto" if self.is_initializing() else self.kernel  # which has other shapes, and may have other devices
        y_BLNH = attend(q_BLNH, keys.k_BSNH, keys.v_BSNH, bias, mask, key, self.dropout, self.scale, kernel)
        y = constrain(y_BLNH, "BLNH").reshape(*q_BLNH.shape[:2], self.heads * self.head_width)
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
        mask: Mask,
        train: bool,
    ) -> tuple[jax.Array, KVCache | None]:
        q_BLNH = self._project("query", x_BLD, self.heads, "BLNH")
        k_BLMH, v_BLMH = (self._project(name, x_BLD, self.kv_heads, "BSMH") for name in ("key", "value"))
        if self.rotary_base is not None:
            q_BLNH = rotary(q_BLNH, positions_BL, self.rotary_base)
            k_BLMH = rotary(k_BLMH, positions_BL, self.rotary_base)
        keys = KVCache(k_BLMH, v_BLMH)
        if cache is not None:
            keys = cache = cache.write(k_BLMH, v_BLMH, slot)
        return self._read(x_BLD.shape[-1], q_BLNH, keys, bias, mask, train), cache


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
        mask: Mask | None,
        train: bool,
    ) -> tuple[jax.Array, KVCache]:
        q_BLNH = self._project("query", x_BLD, self.heads, "BLNH")
        if source_BSD is not None:
            k_BSMH, v_BSMH = (self._project(name, source_BSD, self.kv_heads, "BSMH") for name in ("key", "value"))
            cache = KVCache(k_BSMH, v_BSMH)
        assert cache is not None, "a decoder needs the states of its source, or a carry that holds their projections"
        return self._read(x_BLD.shape[-1], q_BLNH, cache, None, mask, train), cache

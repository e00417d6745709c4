# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Samplers: small frozen objects, (logits [B, V], key) -> tokens [B]."""

import dataclasses
import math
from typing import Protocol

import jax
import jax.numpy as jnp

from seqjax.errors import UserError

EXCLUDED = -0.7 * float(jnp.finfo(jnp.float32).max)


class Sampler(Protocol):
    """Chooses each row's next token."""

    def __hash__(self) -> int: ...
    def __call__(self, logits_BV: jax.Array, key: jax.Array) -> jax.Array: ...


@dataclasses.dataclass(frozen=True)
class Greedy:
    """The likeliest token, the lowest id among equals."""

    def __call__(self, logits_BV: jax.Array, key: jax.Array) -> jax.Array:
        """Returns int32 [B]; the key is not used."""
        del key
        return jnp.argmax(logits_BV, axis=-1).astype(jnp.int32)


@dataclasses.dataclass(frozen=True)
class Sample:
    """Draws from softmax(logits / temperature), cut to the `top_k` likeliest, then by `top_p`, then by `min_p`."""

    temperature: float = 1.0
    top_k: int = 0  # 0: all
    top_p: float = 1.0
    min_p: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 < self.temperature < math.inf:
            raise UserError(
                f"temperature {self.temperature} must be a number above 0; 0 on the command line means greedy"
            )
        if self.top_k < 0:
            raise UserError(f"top-k {self.top_k} must be at least 0")
        if not 0.0 < self.top_p <= 1.0:
            raise UserError(f"top-p {self.top_p} must lie above 0 and be at most 1")
        if not 0.0 <= self.min_p <= 1.0:
            raise UserError(f"min-p {self.min_p} must be at least 0 and at most 1")

    def __call__(self, logits_BV: jax.Array, key: jax.Array) -> jax.Array:
        """Returns int32 [B]."""
        logits_BV = logits_BV.astype(jnp.float32) / self.temperature
        if self.top_k:
            logits_BV = keep_top_k(logits_BV, min(self.top_k, logits_BV.shape[-1]))
        if self.top_p < 1.0:
            logits_BV = keep_top_p(logits_BV, self.top_p)
        if self.min_p > 0.0:
            logits_BV = keep_min_p(logits_BV, self.min_p)
        return jax.random.categorical(key, logits_BV, axis=-1).astype(jnp.int32)


def keep_top_k(logits_BV: jax.Array, k: int) -> jax.Array:
    """Returns the logits with all but the k largest excluded; those equal to the k-th stay (Fan et al. 2018, 5.4)."""
    threshold_B1 = jax.lax.top_k(logits_BV, k)[0][:, -1:]
    return jnp.where(logits_BV >= threshold_B1, logits_BV, EXCLUDED)


def keep_top_p(logits_BV: jax.Array, p: float) -> jax.Array:
    """Returns the logits cut to the fewest likeliest tokens of probability >= p (Holtzman et al. 2020, 3.1)."""
    order_BV = jnp.argsort(-logits_BV, axis=-1)
    p_BV = jax.nn.softmax(jnp.take_along_axis(logits_BV, order_BV, axis=-1), axis=-1)
    before_BV = jnp.cumsum(p_BV, axis=-1) - p_BV  # the token that crosses p is still kept
    kept_BV = jnp.take_along_axis(before_BV < p, jnp.argsort(order_BV, axis=-1), axis=-1)
    return jnp.where(kept_BV, logits_BV, EXCLUDED)


def keep_min_p(logits_BV: jax.Array, p: float) -> jax.Array:
    """Returns the logits cut to tokens at least p times as likely as the likeliest (Nguyen et al. 2024, section 3)."""
    threshold_B1 = jnp.max(logits_BV, axis=-1, keepdims=True) + math.log(p)
    return jnp.where(logits_BV >= threshold_B1, logits_BV, EXCLUDED)


def penalise(logits_BV: jax.Array, seen_BV: jax.Array, penalty: float) -> jax.Array:
    """Returns the logits with those of seen tokens lowered; a penalty above 1 discourages repetition.

    Positive logits are divided by the penalty and negative ones multiplied. Source: Keskar et al. 2019 (CTRL), section
    4.1, which divides whatever the sign, so that negative logits would rise; this is transformers' correction.
    """
    lowered_BV = jnp.where(logits_BV > 0.0, logits_BV / penalty, logits_BV * penalty)
    return jnp.where(seen_BV, lowered_BV, logits_BV)


def sampler(temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0, min_p: float = 0.0) -> Sampler:
    """Returns the sampler of these settings; temperature 0 is greedy."""
    sample = Sample(temperature or 1.0, top_k, top_p, min_p)
    return sample if temperature else Greedy()

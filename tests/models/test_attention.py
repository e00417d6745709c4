# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Attention, masks and positions against explicit loops and JAX's own implementation."""

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.models import masks
from seqjax.models.attention import attend
from seqjax.models.positions import from_segments, rotary


def inputs(rng, batch=2, length=5, source=7, heads=3, width=4):
    shape = (batch, length, heads, width)
    q = rng.normal(size=shape).astype(np.float32)
    k, v = rng.normal(size=(2, batch, source, heads, width)).astype(np.float32)
    return q, k, v


def test_attend_equals_jax(rng):
    q, k, v = inputs(rng)
    bias = rng.normal(size=(2, 3, 5, 7)).astype(np.float32)
    mask = rng.random((2, 1, 5, 7)) < 0.6
    mask[..., 0] = True
    expected = jax.nn.dot_product_attention(q, k, v, bias=bias, mask=mask)
    np.testing.assert_allclose(attend(q, k, v, bias, mask), expected, atol=1e-6)


def test_a_query_with_no_key_is_finite(rng):
    q, k, v = inputs(rng)
    mask = np.zeros((2, 1, 5, 7), bool)
    out, gradient = jax.value_and_grad(lambda q: jnp.sum(attend(q, k, v, None, mask)))(q)
    assert np.isfinite(out)
    assert np.isfinite(gradient).all()


def test_attention_dropout_keeps_the_mean(rng):
    q, k, v = inputs(rng, batch=1, heads=1)
    plain = attend(q, k, v)
    keys = jax.random.split(jax.random.key(0), 4000)
    dropped = jax.vmap(lambda key: attend(q, k, v, dropout_key=key, dropout=0.3))(keys)
    np.testing.assert_allclose(dropped.mean(axis=0), plain, atol=0.06)
    assert not np.allclose(dropped[0], plain)


def test_masks_against_loops():
    query, key = np.array([[1, 1, 2, 0]]), np.array([[1, 1, 2, 2, 0]])
    expected = [[[[a == b and b > 0 for b in key[0]] for a in query[0]]]]
    np.testing.assert_array_equal(masks.same_segment(jnp.array(query), jnp.array(key)), expected)
    expected = [[[[s <= t + 2 for s in range(6)] for t in range(3)]]]
    np.testing.assert_array_equal(masks.causal(2 + np.arange(3), 6), expected)


def test_positions_count_real_tokens():
    segments = jnp.array([[0, 0, 1, 1, 1], [1, 1, 1, 0, 0]])
    np.testing.assert_array_equal(from_segments(segments), [[0, 0, 0, 1, 2], [0, 1, 2, 2, 2]])
    np.testing.assert_array_equal(from_segments(segments, jnp.array([4, 0]))[0], [3, 3, 4, 5, 6])


def test_rotary_rotates_pairs_and_keeps_relative_positions(rng):
    """Against complex multiplication by e^(i * position * frequency); scores depend on distances only."""
    x = rng.normal(size=(1, 6, 2, 8)).astype(np.float32)
    positions = np.array([[0, 1, 2, 5, 9, 100]])
    out = np.asarray(rotary(x, positions))
    frequency = 10_000.0 ** (-np.arange(4) / 4)
    turned = (x[..., :4] + 1j * x[..., 4:]) * np.exp(1j * positions[0, :, None, None] * frequency)
    np.testing.assert_allclose(out, np.concatenate([turned.real, turned.imag], axis=-1), atol=1e-5)

    q, k = x[:, :1], x[:, 1:2]
    score = lambda a, b: np.sum(rotary(q, np.array([[a]])) * rotary(k, np.array([[b]])), axis=-1)  # noqa: E731
    np.testing.assert_allclose(score(3, 1), score(13, 11), atol=1e-4)
    assert not np.allclose(score(3, 1), score(3, 2), atol=1e-2)

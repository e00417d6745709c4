# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Samplers against counts and against each row worked out alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.decoding.samplers import Sample, keep_min_p, keep_top_k, keep_top_p, penalise, sampler
from seqjax.errors import UserError


def test_sampling_follows_the_distribution():
    p = np.array([0.5, 0.3, 0.15, 0.05])
    logits = jnp.log(jnp.tile(p, (20_000, 1)).astype(jnp.float32))
    share = lambda s: np.bincount(s(logits, jax.random.key(0)), minlength=4) / 20_000  # noqa: E731
    np.testing.assert_allclose(share(Sample()), p, atol=0.015)
    np.testing.assert_allclose(share(Sample(top_k=2)), [0.625, 0.375, 0, 0], atol=0.015)
    np.testing.assert_allclose(share(Sample(top_p=0.79)), [0.625, 0.375, 0, 0], atol=0.015)
    np.testing.assert_allclose(share(Sample(top_p=0.81)), np.array([0.5, 0.3, 0.15, 0]) / 0.95, atol=0.015)
    np.testing.assert_allclose(share(Sample(min_p=0.59)), [0.625, 0.375, 0, 0], atol=0.015)
    np.testing.assert_allclose(share(Sample(min_p=0.61)), [1, 0, 0, 0], atol=0.015)
    np.testing.assert_allclose(share(Sample(temperature=0.5)), p**2 / (p**2).sum(), atol=0.015)
    np.testing.assert_array_equal(share(sampler(temperature=0.0)), [1, 0, 0, 0])


def test_temperature_comes_before_the_cuts_and_top_k_before_top_p():
    p = np.array([0.5, 0.3, 0.15, 0.05])
    logits = jnp.log(jnp.tile(p, (4000, 1)).astype(jnp.float32))
    kept = lambda **settings: set(np.asarray(Sample(**settings)(logits, jax.random.key(0))).tolist())  # noqa: E731
    assert kept(temperature=0.5, min_p=0.4) == {0}  # squared, 0.3 is 0.36 as likely as 0.5
    assert kept(top_k=2, top_p=0.6) == {0}  # of two, the first has 0.625


def test_cuts_work_row_by_row_and_in_any_order(rng):
    logits = jnp.asarray(rng.normal(size=(50, 9)), jnp.float32)
    for row, cut in zip(np.asarray(logits), np.asarray(keep_top_k(logits, 3)), strict=True):
        assert set(np.flatnonzero(cut > -1e30)) == set(np.argsort(-row)[:3])
    for row, cut in zip(np.asarray(logits), np.asarray(keep_top_p(logits, 0.7)), strict=True):
        p = np.exp(row) / np.exp(row).sum()
        order = np.argsort(-p)
        wanted = order[: np.searchsorted(np.cumsum(p[order]), 0.7) + 1]
        assert set(np.flatnonzero(cut > -1e30)) == set(wanted)
    for row, cut in zip(np.asarray(logits), np.asarray(keep_min_p(logits, 0.3)), strict=True):
        p = np.exp(row) / np.exp(row).sum()
        assert set(np.flatnonzero(cut > -1e30)) == set(np.flatnonzero(p >= 0.3 * p.max()))


def test_the_penalty_lowers_what_was_seen_whatever_its_sign():
    logits = jnp.array([[2.0, -2.0, 1.0, 0.0]])
    seen = jnp.array([[True, True, False, True]])
    np.testing.assert_array_equal(penalise(logits, seen, 2.0), [[1.0, -4.0, 1.0, 0.0]])


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": -1.0},
        {"temperature": float("nan")},
        {"top_k": -1},
        {"top_p": 0.0},
        {"min_p": -0.1},
        {"min_p": 1.1},
    ],
)
def test_impossible_settings_are_refused(settings):
    (name,) = settings
    with pytest.raises(UserError, match=name.replace("_", "-")):
        sampler(**settings)

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Prefixes: read both ways, never a look ahead beyond them, and no target inside."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.errors import UserError
from seqjax.models.model import build, initialise
from seqjax.models.transformer_config import TransformerConfig
from seqjax.objectives.clm import CLM
from seqjax.objectives.prefix_lm import PrefixLM
from tests.objectives.test_mlm import VOCABULARY, row

CONFIG = TransformerConfig(vocab_size=40, layers=2, width=16, heads=2, mlp_width=32, max_length=12, dropout=0.0)


def packed():
    """Two documents of 20 and 9 tokens, then padding."""
    source = row(34, 29)
    source["segments"] = np.repeat([1, 2, 0], [20, 9, 5]).astype(np.int32)
    source["positions"] = np.concatenate([np.arange(20), np.arange(9), np.zeros(5)]).astype(np.int32)
    return source


def test_each_document_has_a_prefix_and_the_targets_are_the_rest():
    sizes = set()
    for seed in range(300):
        out = PrefixLM().corrupt(packed(), np.random.default_rng(seed), VOCABULARY)
        plain = CLM().corrupt(packed(), np.random.default_rng(seed), VOCABULARY)
        for name in ("tokens", "targets", "segments", "positions"):
            np.testing.assert_array_equal(out[name], plain[name])
        first, second = (int(out["prefix"][places].sum()) for places in (slice(0, 20), slice(20, 29)))
        sizes.add(first)
        wanted = np.zeros(33)
        wanted[first - 1 : 19] = 1
        wanted[20 + second - 1 : 28] = 1
        np.testing.assert_array_equal(out["weights"], wanted)
        np.testing.assert_array_equal(out["prefix"], np.repeat([1, 0, 1, 0], [first, 20 - first, second, 13 - second]))
    assert sizes == set(range(1, 20))


def test_who_sees_whom():
    """By gradient: place i's logits depend on place j just where j is in the prefix or not after i."""
    model = build(CONFIG)
    params = initialise(model, jax.random.key(0))
    segments, prefix = np.repeat([[1, 2]], [7, 5], axis=1), np.repeat([[1, 0, 1, 0]], [4, 3, 2, 3], axis=1)
    weights = jnp.cos(jnp.arange(16.0))  # the sum over a normed state is constant
    table = params["trunk"]["tokens"]["embedding"]

    def outputs(x_VD):
        changed = {**params, "trunk": {**params["trunk"], "tokens": {"embedding": x_VD}}}
        options = {"segments_BL": jnp.asarray(segments), "prefix_BL": jnp.asarray(prefix)}
        return model.apply({"params": changed}, jnp.arange(12)[None], method="hidden", **options)[0][0] @ weights

    # Token j stands at place j alone, so the gradient by its embedding is that by its place.
    depends = np.asarray(jnp.abs(jax.jit(jax.jacobian(outputs))(table)).max(axis=-1)[:, :12]) > 1e-12
    place = np.arange(12)
    same = segments[0][:, None] == segments[0][None, :]
    wanted = same & ((place[None, :] <= place[:, None]) | (prefix[0] > 0)[None, :])
    np.testing.assert_array_equal(depends, wanted)


@pytest.mark.parametrize("scan", [False, True])
def test_a_prefix_is_read_before_what_is_said_with_a_carry(scan):
    """First the prefix, then token by token; the second row's is shorter, padded on the left."""
    model = build(dataclasses.replace(CONFIG, scan=scan))
    params = initialise(model, jax.random.key(0))
    tokens, segments = jnp.arange(20).reshape(2, 10), jnp.ones((2, 10), int).at[1, :2].set(0)
    prefix = segments.at[:, 5:].set(0)
    whole, _ = model.apply({"params": params}, tokens, segments_BL=segments, prefix_BL=prefix)
    options = {"segments_BL": segments[:, :5], "prefix_BL": prefix[:, :5], "carry": model.initial_carry(2, 12)}
    first, carry = model.apply({"params": params}, tokens[:, :5], **options)
    pieces = [first]
    for place in range(5, 10):
        logits, carry = model.apply({"params": params}, tokens[:, place : place + 1], carry=carry)
        pieces.append(logits)
    real = np.asarray(segments) > 0
    np.testing.assert_allclose(np.concatenate(pieces, axis=1)[real], whole[real], atol=1e-4)


def test_an_encoder_decoder_has_no_prefix():
    model = build(dataclasses.replace(CONFIG, decoder_layers=1))
    ones = jnp.ones((1, 4), int)
    with pytest.raises(UserError, match="decoder-only"):
        model.init(jax.random.key(0), ones, source_BS=ones, prefix_BL=ones)

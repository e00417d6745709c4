# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Recurrent encoder-decoders: attention against the papers' equations in numpy, and the signature's promises."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.decoding.beam import beam_search
from seqjax.decoding.generate import generate
from seqjax.decoding.samplers import Greedy
from seqjax.errors import UserError
from seqjax.models.attention import MAPS
from seqjax.models.model import build, initialise, shapes
from seqjax.models.seq2seq import Attention, Seq2SeqConfig
from seqjax.trees import flatten

SMALL = Seq2SeqConfig(vocab_size=23, width=8, embed_width=6, layers=2, init_scale=0.5)
EVERY = {
    "additive": SMALL,
    "dot": dataclasses.replace(SMALL, attention="dot", cell="lstm", decoder_layers=2, bidirectional=False),
    "general": dataclasses.replace(SMALL, attention="general", input_feeding=True),
    "concat": dataclasses.replace(SMALL, attention="concat", cell="gru_after"),
    "local": dataclasses.replace(SMALL, attention="general", window=2.0),
    "none": dataclasses.replace(SMALL, attention="none", cell="lstm", layers=1),
}
each = pytest.mark.parametrize("config", EVERY.values(), ids=EVERY)
SOURCE = jax.random.randint(jax.random.key(0), (3, 7), 1, 23)
TARGET = jax.random.randint(jax.random.key(1), (3, 5), 1, 23)


@functools.lru_cache
def made(config):
    model = build(config)
    keys = iter(jax.random.split(jax.random.key(2), 200))
    params = jax.tree.map(lambda x: 0.5 * jax.random.normal(next(keys), x.shape), shapes(model))
    return jax.jit(model.apply, static_argnames=("method", "train", "mutable")), model, params


@each
def test_a_place_sees_the_whole_source_and_the_target_before_it(config):
    apply, _, params = made(config)
    full, carry = apply({"params": params}, TARGET, source_BS=SOURCE)
    assert carry is None
    later, _ = apply({"params": params}, TARGET.at[:, 3].add(1), source_BS=SOURCE)
    np.testing.assert_array_equal(later[:, :3], full[:, :3])
    assert not np.allclose(later[:, 3], full[:, 3])
    for place in (0, 6):
        other, _ = apply({"params": params}, TARGET, source_BS=SOURCE.at[:, place].add(1))
        assert np.abs(np.asarray(other - full)).max() > 1e-6


@each
def test_one_token_at_a_time_equals_all_at_once(config):
    apply, _, params = made(config)
    full, _ = apply({"params": params}, TARGET, source_BS=SOURCE)
    carry = apply({"params": params}, SOURCE, jnp.ones_like(SOURCE), 5, method="start")
    for place in range(5):
        logits, carry = apply({"params": params}, TARGET[:, place : place + 1], carry=carry)
        np.testing.assert_allclose(logits[:, 0], full[:, place], atol=1e-5)


@each
def test_padding_of_source_and_target_changes_nothing(config):
    apply, _, params = made(config)
    full, _ = apply({"params": params}, TARGET, source_BS=SOURCE)
    wide = jnp.pad(SOURCE, [(0, 0), (0, 4)], constant_values=5)
    real = jnp.pad(jnp.ones_like(SOURCE), [(0, 0), (0, 4)])
    long = jnp.pad(TARGET, [(0, 0), (0, 2)], constant_values=9)
    said = jnp.pad(jnp.ones_like(TARGET), [(0, 0), (0, 2)])
    found, _ = apply({"params": params}, long, segments_BL=said, source_BS=wide, source_segments_BS=real)
    np.testing.assert_allclose(found[:, :5], full, atol=1e-5)


def weights_of(config):
    apply, _, params = made(config)
    _, state = apply({"params": params}, TARGET, source_BS=SOURCE, mutable=MAPS)
    return np.asarray(state[MAPS]["trunk"]["weights"][0][:, 0]) if MAPS in state else None


@each
def test_weights_of_attention_are_shares(config):
    weights = weights_of(config)
    assert (weights is None) == (config.attention == "none")
    if weights is None:
        return
    assert weights.shape == (3, 5, 7)
    if config.window:
        assert (weights.sum(-1) <= 1 + 1e-6).all()
        assert (weights == 0).any()
    else:
        np.testing.assert_allclose(weights.sum(-1), 1.0, atol=1e-6)
        assert weights.std() > 1e-3


@pytest.mark.parametrize("name", ["additive", "dot", "general", "concat", "local"])
def test_attention_is_that_of_the_papers(name, rng):
    """In float64, one query and one place of the source at a time."""
    config = EVERY[name]
    module = Attention(config)
    query, values = rng.normal(size=(2, 8)), rng.normal(size=(2, 6, 8))
    real = np.array([[1, 1, 1, 1, 0, 0], [1] * 6]) > 0

    def run(module, query, values):
        return module(query, module.remember(values, real))

    arrays = (jnp.asarray(query, jnp.float32), jnp.asarray(values, jnp.float32))
    params = module.init(jax.random.key(0), *arrays, method=run).get("params", {})
    params = jax.tree.map(lambda x: 3.0 * x, params)
    context, weights = module.apply({"params": params}, *arrays, method=run)
    p = jax.tree.map(lambda x: np.asarray(x, np.float64), params)
    for row in range(2):
        length = real[row].sum()
        scores = []
        for value in values[row][:length]:
            if config.attention in ("additive", "concat"):
                inner = query[row] @ p["query"]["kernel"] + p["query"]["bias"] + value @ p["key"]["kernel"]
                scores.append((np.tanh(inner) @ p["score"]["kernel"]).item())
            else:
                scores.append(query[row] @ (value if config.attention == "dot" else value @ p["key"]["kernel"]))
        scores, factor = np.array(scores), np.ones(length)
        if config.window:
            inner = np.tanh(query[row] @ p["place"]["kernel"]) @ p["place_score"]["kernel"]
            away = np.arange(length) - (length - 1) / (1 + np.exp(-inner.item()))
            scores[np.abs(away) > config.window] = -np.inf
            factor = np.exp(-(away**2) / (2 * (config.window / 2) ** 2))
        shares = np.exp(scores - scores.max())
        shares = shares / shares.sum() * factor
        np.testing.assert_allclose(weights[row, :length], shares, atol=1e-5)
        assert not np.asarray(weights[row, length:]).any()
        np.testing.assert_allclose(context[row], shares @ values[row][:length], atol=1e-5)


@pytest.mark.parametrize("name", ["additive", "none"])
def test_decoding(name):
    """One beam is greedy, and greedy is the argmax of the whole model on what was said."""
    apply, model, params = made(EVERY[name])
    sources = [[3, 4, 5], [6, 7], [8, 9, 10, 11]]
    said = generate(model, params, sources=sources, sampler=Greedy(), new=6)
    assert [found[0].tokens for found in beam_search(model, params, sources=sources, beams=1, new=6)] == said
    for source, tokens in zip(sources, said, strict=True):
        target = jnp.array([[0, *tokens[:-1]]])
        logits, _ = apply({"params": params}, target, source_BS=jnp.array([source]))
        assert jnp.argmax(logits[0], axis=-1).tolist() == tokens


def test_every_recurrent_block_begins_as_the_settings_say():
    config = dataclasses.replace(SMALL, cell="lstm", orthogonal=True, forget_bias=1.0)
    recurrent = {path: leaf for path, leaf in flatten(initialise(build(config), jax.random.key(0))).items()
                 if path.endswith("recurrent")}  # fmt: skip
    assert len(recurrent) == 5  # two layers both ways, and one
    for leaf in recurrent.values():
        for block in np.split(np.asarray(leaf), 4, axis=1):
            np.testing.assert_allclose(block @ block.T, np.eye(8), atol=1e-5)
    assert config.encoder.forget_bias == config.decoder.forget_bias == 1.0


def test_what_cannot_be_is_refused():
    with pytest.raises(UserError, match="of Luong's attention"):
        dataclasses.replace(SMALL, window=2.0)
    with pytest.raises(UserError, match=r"model\.attention"):
        dataclasses.replace(SMALL, attention="sum")
    with pytest.raises(UserError, match="needs a source"):
        build(SMALL).apply({"params": made(SMALL)[2]}, TARGET)

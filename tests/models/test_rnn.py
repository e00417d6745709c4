# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Recurrent cells against their equations one place at a time, and stacks that read documents of any length."""

import dataclasses
import functools
import re

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.errors import UserError
from seqjax.models.cells import CELLS, State
from seqjax.models.heads import ClassificationHead
from seqjax.models.model import build, initialise, shapes
from seqjax.models.rnn import RNN, RNNConfig
from tests.models.parameters import scattered

SMALL = RNNConfig(vocab_size=31, width=6, embed_width=5, init_scale=0.6)
EVERY = {
    **{cell: dataclasses.replace(SMALL, cell=cell) for cell in CELLS},
    "peephole": dataclasses.replace(SMALL, peephole=True, forget_bias=1.0),
    "layer-norm": dataclasses.replace(SMALL, layer_norm=True),
    "layer-norm-gru": dataclasses.replace(SMALL, cell="gru", layer_norm=True),
    "both-ways": dataclasses.replace(SMALL, bidirectional=True),
    "both-ways-gru": dataclasses.replace(SMALL, bidirectional=True, cell="gru_after", orthogonal=True),
}
each = pytest.mark.parametrize("config", EVERY.values(), ids=EVERY)
TOKENS = jax.random.randint(jax.random.key(0), (3, 9), 0, 31)


@functools.lru_cache
def made(config):
    model = RNN(config)
    tree = jax.eval_shape(lambda: model.init(jax.random.key(0), TOKENS))["params"]
    keys = iter(jax.random.split(jax.random.key(1), 100))
    params = jax.tree.map(lambda x: 0.4 * jax.random.normal(next(keys), x.shape), tree)
    return jax.jit(lambda params, tokens, **inputs: model.apply({"params": params}, tokens, **inputs)), params


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def norm(x):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)


def one_place(config, p, x, h, c):
    """One step in numpy, gate by gate, from the papers' equations; x [Din], h and c [D]."""
    width = config.width
    gates = {"lstm": "ifgo", "gru": "rzn", "gru_after": "rzn"}.get(config.cell, "h")
    w = {g: p["input"]["kernel"][:, i * width : (i + 1) * width] for i, g in enumerate(gates)}
    b = {g: p["input"]["bias"][i * width : (i + 1) * width] for i, g in enumerate(gates)}
    u = {g: p["recurrent"][:, i * width : (i + 1) * width] for i, g in enumerate(gates)}
    share = {g: x @ w[g] + b[g] for g in gates}
    if config.layer_norm:
        whole = norm(np.concatenate([share[g] for g in gates])) * p["input_scale"]
        share = dict(zip(gates, np.split(whole, len(gates)), strict=True))

    def back(names, h):
        out = np.concatenate([h @ u[g] for g in names])
        if config.layer_norm:
            at = gates.index(names[0]) * width
            out = norm(out) * p["recurrent_scale"][at : at + len(out)]
        return dict(zip(names, np.split(out, len(names)), strict=True))

    if gates == "h":
        a = share["h"] + back("h", h)["h"]
        return (np.maximum(a, 0) if config.cell == "rnn_relu" else np.tanh(a)), c
    if config.cell == "gru":
        r, z = (sigmoid(share[g] + back("rz", h)[g]) for g in "rz")
        n = np.tanh(share["n"] + back("n", r * h)["n"])
        return z * h + (1 - z) * n, c
    if config.cell == "gru_after":
        all_back = back("rzn", h)
        r, z = (sigmoid(share[g] + all_back[g]) for g in "rz")
        n = np.tanh(share["n"] + r * (all_back["n"] + p["recurrent_bias"]))
        return z * h + (1 - z) * n, c
    all_back = back("ifgo", h)
    a = {g: share[g] + all_back[g] for g in gates}
    see = p["peephole"] if config.peephole else np.zeros((3, width))
    new = sigmoid(a["f"] + config.forget_bias + see[1] * c) * c + sigmoid(a["i"] + see[0] * c) * np.tanh(a["g"])
    shown = norm(new) * p["cell_scale"] + p["cell_bias"] if config.layer_norm else new
    return sigmoid(a["o"] + see[2] * new) * np.tanh(shown), new


def by_hand(config, params, tokens):
    """The states [L, D] of one text, in float64."""
    params = jax.tree.map(lambda x: np.asarray(x, np.float64), params)
    x = params["tokens"]["embedding"][np.asarray(tokens)]
    for number in range(config.layers):
        ways = []
        for name in ("forward", "backward") if config.bidirectional else ("forward",):
            h = c = np.zeros(config.width)
            out = []
            for place in x if name == "forward" else x[::-1]:
                h, c = one_place(config, params[f"layer_{number}"][name], place, h, c)
                out.append(h)
            ways.append(np.array(out if name == "forward" else out[::-1]))
        x = np.concatenate(ways, axis=-1)
    return x


@each
def test_states_are_those_of_the_equations(config):
    run, params = made(config)
    states, carry = run(params, TOKENS)
    assert carry is None
    for row in range(3):
        np.testing.assert_allclose(states[row], by_hand(config, params, TOKENS[row]), atol=1e-5)


@each
def test_padding_on_any_side_and_packing_change_neither_states_nor_gradients(config):
    """Texts of 4 and 3 tokens: alone, padded on both sides, and one after the other in a row."""
    run, params = made(config)
    first, second = TOKENS[:1, :4], TOKENS[1:2, :3]

    def padded(params, tokens, left, right):
        around = [(0, 0), (left, right)]
        real = jnp.pad(jnp.ones_like(tokens), around)
        states, _ = run(params, jnp.pad(tokens, around, constant_values=7), segments_BL=real)
        return states[:, left : left + tokens.shape[1]]

    def total(params, how):
        if how == "alone":
            states = [run(params, first)[0], run(params, second)[0]]
        elif how == "padded":
            states = [padded(params, first, 2, 1), padded(params, second, 0, 4)]
        else:
            tokens = jnp.concatenate([first, second, jnp.zeros((1, 2), jnp.int32)], axis=1)
            segments = jnp.array([[1] * 4 + [2] * 3 + [0] * 2])
            positions = jnp.array([[0, 1, 2, 3, 0, 1, 2, 0, 0]])
            found, _ = run(params, tokens, segments_BL=segments, positions_BL=positions)
            states = [found[:, :4], found[:, 4:7]]
        return sum(jnp.sum(jnp.sin(3 * x)) for x in states), states

    differentiate = jax.grad(total, has_aux=True)
    grads, states = differentiate(params, "alone")
    for how in ("padded", "packed"):
        others, found = differentiate(params, how)
        for a, b in zip(states, found, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5), grads, others)


@pytest.mark.parametrize("name", ["lstm", "layer-norm-gru", "both-ways-gru"])
def test_products_in_bfloat16_are_those_of_float32_roughly(name):
    """States, outputs and gradients stay float32."""
    config = EVERY[name]
    half = RNN(dataclasses.replace(config, dtype="bfloat16"))
    _, params = made(config)

    def squares(model, params):
        y, _ = model.apply({"params": params}, TOKENS)
        return jnp.sum(jnp.square(y)), y

    (_, wanted), exact = jax.value_and_grad(functools.partial(squares, RNN(config)), has_aux=True)(params)
    (_, found), rough = jax.value_and_grad(functools.partial(squares, half), has_aux=True)(params)
    assert found.dtype == jnp.float32 and not np.array_equal(found, wanted)
    np.testing.assert_allclose(found, wanted, atol=0.03)
    for a, b in zip(jax.tree.leaves(rough), jax.tree.leaves(exact), strict=True):
        assert a.dtype == jnp.float32
        assert np.linalg.norm(a - b) < 0.03 * np.linalg.norm(b)
    text = jax.jit(jax.grad(lambda params: squares(half, params)[0])).lower(params).as_text()
    operands = re.findall(r"dot_general .*: \(tensor<[^>]*x(\w+)>, tensor<[^>]*x(\w+)>\)", text)
    assert len(operands) > 6 and set(operands) == {("bf16", "bf16")}


def test_orthogonal_blocks_and_states():
    params = RNN(dataclasses.replace(SMALL, orthogonal=True)).init(jax.random.key(0), TOKENS)["params"]
    for block in np.split(np.asarray(params["layer_1"]["forward"]["recurrent"]), 4, axis=1):
        np.testing.assert_allclose(block @ block.T, np.eye(6), atol=1e-5)
    state = CELLS["lstm"].initial(2, 6)
    assert isinstance(state, State)
    assert CELLS["gru"].initial(2, 6).c_BD is None


@pytest.mark.parametrize("variational", [False, True])
def test_dropout_is_on_in_training_only_and_its_masks_are_for_all_places_where_they_should_be(variational):
    config = dataclasses.replace(SMALL, dropout=0.5, variational=variational, embed_width=200, layers=1)
    model = RNN(config)
    params = model.init(jax.random.key(0), TOKENS)["params"]
    same = jnp.full((1, 30), 3)
    plain = model.apply({"params": params}, same)[0]
    np.testing.assert_array_equal(plain, model.apply({"params": params}, same, train=False)[0])
    seen = {}

    def keep(next_function, args, kwargs, context):
        out = next_function(*args, **kwargs)
        if isinstance(context.module, nn.Dropout) and "in" not in seen:
            seen["in"] = out
        return out

    with nn.intercept_methods(keep):
        model.apply({"params": params}, same, train=True, rngs={"dropout": jax.random.key(1)})
    dropped = np.asarray(seen["in"][0] == 0)
    assert 0.4 < dropped.mean() < 0.6
    assert (dropped == dropped[:1]).all() == variational


def test_recurrent_dropout_drops_the_same_units_at_every_place():
    """With the weights of a relu unit that only adds what it was, a kept unit grows and a dropped one does not."""
    config = RNNConfig(vocab_size=3, cell="rnn_relu", layers=1, width=50, recurrent_dropout=0.5)
    model = RNN(config)
    params = model.init(jax.random.key(0), TOKENS[:, :1] * 0)["params"]
    params["tokens"]["embedding"] = jnp.ones((3, 50))
    forward = params["layer_0"]["forward"]
    forward |= {"recurrent": jnp.eye(50), "input": {"kernel": jnp.eye(50), "bias": jnp.zeros(50)}}
    states, _ = model.apply(
        {"params": params}, jnp.zeros((1, 4), jnp.int32), train=True, rngs={"dropout": jax.random.key(0)}
    )
    kept = np.asarray(states[0, 3] > 1)
    assert 10 < kept.sum() < 40
    np.testing.assert_allclose(states[0, :, kept], [[1, 3, 7, 15]] * kept.sum())
    np.testing.assert_allclose(states[0, :, ~kept], 1)


def test_any_head_fits_and_training_compiles_the_scan_once():
    config = dataclasses.replace(SMALL, bidirectional=True)
    model = build(config, ClassificationHead(3, "mean"))
    logits, _ = model.apply({"params": initialise(model, jax.random.key(0))}, TOKENS)
    assert logits.shape == (3, 3)
    program = jax.jit(lambda params: model.apply({"params": params}, TOKENS)[0]).lower(shapes(model)).as_text()
    assert program.count("stablehlo.while") == 2 * config.layers


@pytest.mark.parametrize(
    "change",
    [{"cell": "mgu"}, {"cell": "gru", "peephole": True}, {"cell": "rnn", "forget_bias": 1.0}, {"dropout": 1.0},
     {"tied": True}, {"bidirectional": True, "tied": True, "embed_width": 6}],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(change):
    with pytest.raises(UserError):
        dataclasses.replace(SMALL, **change)


def test_a_model_that_reads_both_ways_has_no_state_to_go_on_from():
    model = build(EVERY["both-ways"])
    with pytest.raises(UserError, match="no state to go on from"):
        model.apply({"params": scattered(model)}, TOKENS, carry=model.initial_carry(3, 9))

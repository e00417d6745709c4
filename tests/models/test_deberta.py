# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""DeBERTa: the attention against loops, properties of every setting, the mask decoder, the published sizes."""

import dataclasses
import functools
import math

import jax
import jax.extend.core
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax import trees
from seqjax.errors import UserError
from seqjax.models.deberta import SIZES, Convolution, Deberta, DebertaConfig, DebertaLayer
from seqjax.models.disentangled import DisentangledAttention, log_buckets, relative_rows, relative_scores
from seqjax.models.heads import VocabularyHead
from seqjax.models.masks import Mask
from seqjax.models.model import Model, initialise, shapes
from tests.models.parameters import scattered

V1 = DebertaConfig(
    vocab_size=31, layers=2, width=32, heads=4, mlp_width=48, max_length=24, relative_span=5, dropout=0.0
)
V2 = dataclasses.replace(
    V1, relative_buckets=4, relative_span=9, relative_norm=True, share_position_keys=True, key_bias=True, conv_width=3
)
BIASED = dataclasses.replace(V1, position_biased_input=True, token_types=2, embed_width=12, p2c=False)
DECODER = dataclasses.replace(V1, mask_decoder_layers=2, c2p=False)
ABSOLUTE = dataclasses.replace(V1, position_biased_input=True, c2p=False, p2c=False)
EVERY = {"v1": V1, "v2": V2, "biased": BIASED, "decoder": DECODER, "absolute": ABSOLUTE}
each = pytest.mark.parametrize("config", EVERY.values(), ids=EVERY)


def model_of(config):
    return Model(Deberta(config), VocabularyHead(config.vocab_size, transform=True, use_bias=True))


@functools.lru_cache
def made(config):
    """A compiled apply, and parameters away from their initial values, which would hide where they are used."""
    model = model_of(config)
    return jax.jit(model.apply, static_argnames=("train", "method")), {"params": scattered(model)}


def tokens(batch=2, length=10, seed=0):
    return jax.random.randint(jax.random.key(seed), (batch, length), 0, 31)


def equations(jaxpr):
    """Every equation of a program and of those inside it."""
    for equation in jaxpr.eqns:
        yield equation
        for inner in jax.extend.core.jaxprs_in_params(equation.params):
            yield from equations(inner)


# The pure functions


@pytest.mark.parametrize("span", [1, 3, 20])
def test_rows_are_equation_3(span):
    positions = np.array([[0, 1, 2, 3, 4, 9], [0, 1, 0, 1, 2, 3]])

    def delta(i, j):
        if i - j <= -span:
            return 0
        return 2 * span - 1 if i - j >= span else i - j + span

    expected = [[[delta(i, j) for j in row] for i in row] for row in positions]
    np.testing.assert_array_equal(relative_rows(positions, positions, span), expected)


@pytest.mark.parametrize(("count", "longest"), [(4, 6), (8, 40), (32, 128), (256, 512)])
def test_log_buckets(count, longest):
    """Exact up to half, then ceil((half - 1) log(d / half) / log((longest - 1) / half)) more; odd, rising, bounded."""
    half = count // 2
    got = np.asarray(log_buckets(jnp.arange(-2 * longest, 2 * longest + 1), count, longest))
    right = got[2 * longest :]
    for distance in range(longest - 1):
        growth = 0.0
        if distance > half:
            growth = (half - 1) * math.log(distance / half) / math.log((longest - 1) / half)
        if abs(growth - round(growth)) > 1e-4:
            assert right[distance] == half + math.ceil(growth)
        elif distance <= half:
            assert right[distance] == distance
    np.testing.assert_array_equal(got, -got[::-1])
    assert (np.diff(right) >= 0).all()
    assert right[longest - 1] == count - 1
    assert (right[longest:] == count).all()
    rows = np.asarray(relative_rows(np.array([[3 * longest, 0]]), np.array([[0, 3 * longest]]), longest, count))
    np.testing.assert_array_equal(rows, [[[2 * count - 1, count], [count, 0]]])


@pytest.mark.parametrize("terms", ["c2p", "p2c", "c2p p2c"])
def test_relative_scores_are_equation_4(rng, terms):
    q, k = rng.normal(size=(2, 2, 5, 3, 4)).astype(np.float32)
    position_key, position_query = rng.normal(size=(2, 6, 3, 4)).astype(np.float32)
    rows = rng.integers(0, 6, (2, 5, 5))
    expected = np.zeros((2, 3, 5, 5))
    for b, n, i, j in np.ndindex(expected.shape):
        if "c2p" in terms:
            expected[b, n, i, j] += q[b, i, n] @ position_key[rows[b, i, j], n]
        if "p2c" in terms:
            expected[b, n, i, j] += k[b, j, n] @ position_query[rows[b, i, j], n]
    got = relative_scores(
        q, k, position_key if "c2p" in terms else None, position_query if "p2c" in terms else None, jnp.asarray(rows)
    )
    np.testing.assert_allclose(got.rows(0, 5), expected, atol=1e-5)
    np.testing.assert_allclose(got.rows(1, 3), expected[:, :, 1:4], atol=1e-5)


@pytest.mark.parametrize("share", [False, True])
def test_attention_against_loops(rng, share):
    """Content and positions as three sums over features, scaled by sqrt(3 H); a query reads its own document."""
    width, heads, span = 8, 2, 3
    layer = DisentangledAttention(
        heads, True, True, share, True, 0.0, "auto", jnp.float32, jax.nn.initializers.normal(0.5)
    )
    x, states = rng.normal(size=(2, 1, 6, width)).astype(np.float32)
    relative = rng.normal(size=(2 * span, width)).astype(np.float32)
    segments, positions = np.array([[1, 1, 1, 1, 2, 2]]), np.array([[0, 1, 2, 3, 0, 1]])
    rows = relative_rows(positions, positions, span)
    args = (x, states, relative, rows, Mask(segments, segments), False)
    params = layer.init(jax.random.key(0), *args)
    params = jax.tree.map(lambda p: p + 0.1 * np.arange(p.size).reshape(p.shape) / p.size, params)
    p = jax.tree.map(np.asarray, params["params"])
    dense = lambda name, y: y @ p[name]["kernel"] + p[name]["bias"]  # noqa: E731
    q, k, v = dense("query", x[0]), dense("key", states[0]), dense("value", states[0])
    position_key = dense("key" if share else "position_key", relative)
    position_query = dense("query" if share else "position_query", relative)
    out = np.zeros((6, width))
    for n, i in np.ndindex(heads, 6):
        h = slice(n * 4, n * 4 + 4)
        own = [j for j in range(6) if segments[0, i] == segments[0, j]]
        at = {j: int(np.clip(positions[0, i] - positions[0, j] + span, 0, 2 * span - 1)) for j in own}
        scores = [
            q[i, h] @ k[j, h] + q[i, h] @ position_key[at[j], h] + position_query[at[j], h] @ k[j, h] for j in own
        ]
        weights = np.exp(np.array(scores) / math.sqrt(3 * 4))
        out[i, h] = (weights / weights.sum()) @ v[np.array(own), h]
    np.testing.assert_allclose(layer.apply(params, *args)[0], dense("output", out), atol=1e-5)


def test_no_array_holds_a_vector_for_each_pair():
    """L * S * D of these numbers is 64 times the largest array allowed."""
    config = dataclasses.replace(V1, layers=1, width=256, heads=2, max_length=64, relative_span=64)
    trunk = Deberta(config)
    ids = jnp.zeros((1, 64), jnp.int32)
    params = trunk.init(jax.random.key(0), ids)
    program = jax.make_jaxpr(jax.grad(lambda p: jnp.sum(trunk.apply(p, ids)[0])))(params)

    # Heads * L * R scores, the indices of a gather (4 numbers for each of heads * L * S), or a kernel [D, D].
    largest = max(v.aval.size for equation in equations(program.jaxpr) for v in equation.outvars)
    assert largest <= max(2 * 64 * 128, 4 * 2 * 64 * 64, 256 * 256) < 64 * 64 * 256 / 8


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_convolution_against_loops(rng, kernel):
    """Neighbours in the same document count, all else is zero."""
    layer = Convolution(dataclasses.replace(V2, conv_width=kernel, conv_activation="tanh", width=4))
    x, y = rng.normal(size=(2, 1, 7, 4)).astype(np.float32)
    segments = np.array([[1, 1, 1, 2, 2, 2, 0]])
    params = layer.init(jax.random.key(0), x, y, segments, False)
    params = jax.tree.map(lambda p: p + rng.normal(size=p.shape).astype(np.float32), params)
    p, side = jax.tree.map(np.asarray, params["params"]), kernel // 2
    out = np.zeros((6, 4))
    for t in range(6):
        for i in range(kernel):
            j = t + i - side
            if 0 <= j < 6 and segments[0, j] == segments[0, t]:
                out[t] += x[0, j] @ p["kernel"][i]
    z = y[0, :6] + np.tanh(out + p["bias"])
    z = (z - z.mean(-1, keepdims=True)) / z.std(-1, keepdims=True) * p["norm"]["scale"] + p["norm"]["bias"]
    np.testing.assert_allclose(layer.apply(params, x, y, segments, False)[0, :6], z, atol=1e-5)


# Properties of every setting


@each
def test_padding_changes_nothing(config):
    apply, params = made(config)
    ids, real = tokens(length=6), jnp.ones((2, 6), jnp.int32)
    outs = []
    for left in (0, 4, 1):
        wide = ((0, 0), (left, 4 - left))
        out, _ = apply(params, jnp.pad(ids, wide, constant_values=7 + left), segments_BL=jnp.pad(real, wide))
        outs.append(out[:, left : left + 6])
    np.testing.assert_allclose(outs[0], apply(params, ids)[0], atol=1e-5)
    np.testing.assert_allclose(outs[1:], [outs[0], outs[0]], atol=1e-5)


@each
def test_packed_documents_do_not_see_each_other(config):
    apply, params = made(config)
    a, b = tokens(1, 6, seed=1), tokens(1, 3, seed=2)

    def alone(x):
        rest = ((0, 1), (0, 10 - x.shape[1]))
        return apply(params, jnp.pad(x, rest), segments_BL=jnp.pad(jnp.ones_like(x), rest))[0][0, : x.shape[1]]

    packed = jnp.tile(jnp.concatenate([a, b, jnp.zeros((1, 1), jnp.int32)], axis=1), (2, 1))
    segments = jnp.tile(jnp.array([[1] * 6 + [2] * 3 + [0]]), (2, 1))
    positions = jnp.tile(jnp.array([[0, 1, 2, 3, 4, 5, 0, 1, 2, 0]]), (2, 1))
    expected = jnp.concatenate([alone(a), alone(b)])
    out, carry = apply(params, packed, positions_BL=positions, segments_BL=segments)
    assert carry is None
    np.testing.assert_allclose(out[0, :9], expected, atol=1e-5)
    if config in (V1, V2):  # distances are enough
        np.testing.assert_allclose(apply(params, packed, segments_BL=segments)[0][0, :9], expected, atol=1e-5)


@each
def test_a_row_does_not_depend_on_its_batch(config):
    apply, params = made(config)
    ids = tokens()
    np.testing.assert_allclose(apply(params, ids)[0][::-1], apply(params, ids[::-1])[0], atol=1e-5)
    np.testing.assert_allclose(apply(params, ids)[0][0], apply(params, ids.at[1].set(3))[0][0], atol=1e-5)


@each
def test_every_token_reads_every_other_both_ways(config):
    apply, params = made(config)
    plain = apply(params, tokens())[0]
    for place in (0, 4, 9):
        changed = apply(params, tokens().at[:, place].add(1) % 31)[0]
        assert (jnp.abs(plain - changed).max(axis=-1) > 1e-5).all()


@pytest.mark.parametrize("config", [V1, V2, DECODER], ids=["v1", "v2", "decoder"])
def test_remat_changes_nothing(config):
    loss = lambda model, p: jnp.mean(jax.nn.log_softmax(model.apply(p, tokens())[0])[..., 3])  # noqa: E731
    params = made(config)[1]
    # Operation by operation: two programs compiled whole would be fused, and so rounded, in different ways.
    grad = lambda c: jax.value_and_grad(functools.partial(loss, model_of(c)))(params)  # noqa: E731
    plain, remat = grad(config), grad(dataclasses.replace(config, remat="full"))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), plain, remat)
    assert all(jnp.any(x != 0) for name, x in trees.flatten(plain[1]).items() if "/key/bias" not in name)


@each
def test_dropout_is_on_in_training_only(config):
    params = made(config)[1]
    apply, _ = made(dataclasses.replace(config, dropout=0.5))
    call = lambda **options: apply(params, tokens(), **options)[0]  # noqa: E731
    np.testing.assert_array_equal(call(), call())
    one, other = (call(train=True, rngs={"dropout": jax.random.key(i)}) for i in (0, 1))
    assert not np.allclose(one, other)
    assert not np.allclose(one, call())


@pytest.mark.parametrize("config", [V2, DECODER], ids=["v2", "decoder"])
def test_bfloat16_computes_in_bfloat16_with_float32_parameters(config):
    exact, params = made(config)
    half = model_of(dataclasses.replace(config, dtype="bfloat16"))
    assert {x.dtype for x in jax.tree.leaves(shapes(half))} == {jnp.dtype("float32")}
    apply = functools.partial(half.apply, method="hidden")
    products = [
        e for e in equations(jax.make_jaxpr(apply)(params, tokens()).jaxpr) if e.primitive.name == "dot_general"
    ]
    assert {v.aval.dtype for e in products for v in e.invars} == {jnp.dtype("bfloat16")}
    a, b = exact(params, tokens(), method="hidden")[0], jax.jit(apply)(params, tokens())[0]
    assert b.dtype == jnp.bfloat16
    assert 0 < np.abs(a - b).max() < 0.05 * np.abs(a).max()


# Absolute positions and the enhanced mask decoder


def test_absolute_positions_enter_only_where_they_are_asked_for():
    moved = jnp.arange(10)[None] + jnp.array([[3], [11]])
    for config, same in ((V1, True), (V2, True), (BIASED, False), (ABSOLUTE, False), (DECODER, False)):
        apply, params = made(config)
        plain, shifted = apply(params, tokens())[0], apply(params, tokens(), positions_BL=moved)[0]
        assert np.allclose(plain, shifted, atol=1e-6) == same
    params = made(DECODER)[1]  # and of the mask decoder, in its own queries alone: its encoder does not see them
    apply, _ = made(dataclasses.replace(DECODER, mask_decoder_layers=0))
    np.testing.assert_allclose(apply(params, tokens())[0], apply(params, tokens(), positions_BL=moved)[0], atol=1e-6)


def test_mask_decoder_has_no_layer_of_its_own():
    plain = trees.flatten(shapes(model_of(dataclasses.replace(DECODER, mask_decoder_layers=0))))
    for layers in (1, 2, 5):
        decoder = trees.flatten(shapes(model_of(dataclasses.replace(DECODER, mask_decoder_layers=layers))))
        assert decoder.pop("trunk/position/embedding").shape == (24, 32)
        assert decoder == plain


def test_mask_decoder_of_one_layer_without_positions_is_the_encoder():
    """Section 3.2: "when I = H and n = 1, EMD is the same as the BERT decoder layer"."""
    params = made(DECODER)[1]["params"]
    params["trunk"]["position"] = {"embedding": jnp.zeros((24, 32))}
    one, none = (made(dataclasses.replace(DECODER, mask_decoder_layers=n))[0] for n in (1, 0))
    np.testing.assert_allclose(one({"params": params}, tokens())[0], none({"params": params}, tokens())[0], atol=1e-6)


@pytest.mark.parametrize("base", [V1, V2], ids=["v1", "v2"])
def test_mask_decoder_step_by_step(base):
    config = dataclasses.replace(base, mask_decoder_layers=2)
    apply, variables = made(config)
    params = variables["params"]["trunk"]
    shorter = Deberta(dataclasses.replace(base, layers=1))  # all layers but the last
    states, _ = shorter.apply({"params": params}, tokens())
    x = states + params["position"]["embedding"][None, :10]
    relative = np.asarray(params["relative"]["embedding"])
    if config.relative_norm:
        relative = (relative - relative.mean(-1, keepdims=True)) / relative.std(-1, keepdims=True)
        relative = relative * np.asarray(params["relative_norm"]["scale"]) + np.asarray(params["relative_norm"]["bias"])
    places = jnp.arange(10)[None].repeat(2, axis=0)
    rows = relative_rows(places, places, config.span, config.relative_buckets)
    for _ in range(2):
        mask = jnp.ones((2, 1, 10, 10), bool)
        x = DebertaLayer(config).apply({"params": params["layer_1"]}, x, states, relative, rows, mask, False)
    np.testing.assert_allclose(apply(variables, tokens(), method="hidden")[0], x, atol=1e-5)


# Settings


@pytest.mark.parametrize(
    "change",
    [
        {"activation": "gelo"}, {"conv_activation": "gelo"}, {"dtype": "float16"}, {"width": 30}, {"layers": 0},
        {"relative_buckets": 5}, {"relative_buckets": 2}, {"relative_buckets": 10}, {"conv_width": 2}, {"dropout": 1.0},
        {"relative_span": -1}, {"mask_decoder_layers": 2, "position_biased_input": True},
        {"mask_decoder_layers": 2, "embed_width": 4}, {"mask_decoder_layers": 2, "layers": 1},
    ],
    ids=str,
)  # fmt: skip
def test_impossible_settings_are_refused(change):
    with pytest.raises(UserError, match=r"model\."):
        dataclasses.replace(V1, **change)


def test_there_is_no_carry():
    model = model_of(V1)
    with pytest.raises(UserError, match="no carry"):
        model.initial_carry(2, 5)
    with pytest.raises(UserError, match="no carry"):
        model.apply(made(V1)[1], tokens(), carry=jnp.zeros(3))


@pytest.mark.parametrize(
    "change",
    [
        {"norm_epsilon": 0.5}, {"token_types": 2}, {"embed_width": 8}, {"position_biased_input": True}, {"c2p": False},
        {"p2c": False}, {"relative_span": 4}, {"relative_span": 0}, {"relative_buckets": 0}, {"relative_norm": False},
        {"share_position_keys": False}, {"key_bias": False}, {"conv_width": 0}, {"conv_width": 5},
        {"conv_activation": "tanh"}, {"activation": "relu"}, {"init_std": 0.2}, {"heads": 2},
        {"mask_decoder_layers": 1}, {"mask_decoder_layers": 2},
    ],
    ids=str,
)  # fmt: skip
def test_each_setting_does_something(change):
    base = dataclasses.replace(V2, relative_span=7)
    a, b = (model_of(c) for c in (base, dataclasses.replace(base, **change)))
    if trees.flatten(shapes(a)) == trees.flatten(shapes(b)):
        apply, first = made(base)
        second = first
        if "init_std" in change:
            first, second = ({"params": initialise(model, jax.random.key(0))} for model in (a, b))
        x, y = apply(first, tokens())[0], jax.jit(b.apply)(second, tokens())[0]
        assert not np.allclose(x, y, atol=1e-5)


def test_token_types_default_to_the_first():
    apply, params = made(BIASED)
    plain, zeros = apply(params, tokens())[0], apply(params, tokens(), token_types_BL=jnp.zeros_like(tokens()))[0]
    np.testing.assert_array_equal(plain, zeros)
    assert not np.allclose(plain, apply(params, tokens(), token_types_BL=jnp.ones_like(tokens()))[0])


# Parameters of the trunk: in all, and in millions without the token embedding as the model cards give them ("backbone";
# for v1 and v2 they give the whole, in `WHOLE`).
TRUNK = {
    "deberta_base": 138_601_728,
    "deberta_large": 405_163_008,
    "deberta_v2_xlarge": 884_593_152,
    "deberta_v2_xxlarge": 1_564_549_632,
    "deberta_v3_xsmall": 70_682_112,
    "deberta_v3_small": 141_304_320,
    "deberta_v3_base": 183_831_552,
    "deberta_v3_large": 434_012_160,
}
BACKBONE = {"deberta_v3_xsmall": 22, "deberta_v3_small": 44, "deberta_v3_base": 86, "deberta_v3_large": 304}
WHOLE = {"deberta_base": 140, "deberta_large": 400, "deberta_v2_xlarge": 900, "deberta_v2_xxlarge": 1500}


@pytest.mark.parametrize("name", SIZES)
def test_published_sizes(name):
    trunk = shapes(model_of(SIZES[name]))["trunk"]
    assert trees.count(trunk) == TRUNK[name]
    backbone = trees.count(trunk) - trees.count(trunk["tokens"])
    if name in BACKBONE:
        assert abs(backbone / 1e6 / BACKBONE[name] - 1) < 0.03
    else:
        assert abs(trees.count(trunk) / 1e6 / WHOLE[name] - 1) < 0.05

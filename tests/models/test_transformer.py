# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Properties that every setting of the stack must have, and the published sizes."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax import trees
from seqjax.errors import UserError
from seqjax.models.model import build, initialise, shapes
from seqjax.models.rnn import RNNConfig
from seqjax.models.transformer_config import TransformerConfig
from tests.models.parameters import scattered

GPT = TransformerConfig(vocab_size=31, layers=2, width=32, heads=4, mlp_width=48, max_length=24, dropout=0.0)
BERT = dataclasses.replace(
    GPT,
    causal=False,
    norm="post",
    token_types=2,
    embed_norm=True,
    activation="gelu",
    head_transform=True,
    head_bias=True,
    scale_residual_init=False,
)
ROTARY = dataclasses.replace(GPT, positions="rotary", use_bias=False, tied=False)
LSTM = RNNConfig(vocab_size=31, layers=2, width=16)
GRU = RNNConfig(vocab_size=31, layers=1, width=16, cell="gru", init_scale=0.3)
LLAMA = dataclasses.replace(ROTARY, norm_type="rms", gated=True, activation="silu", kv_heads=2, head_width=6)
RELATIVE = dataclasses.replace(GPT, positions="relative", relative_buckets=6, relative_longest=9, scale_scores=False)
EVERY = {"gpt": GPT, "bert": BERT, "rotary": ROTARY, "llama": LLAMA, "relative": RELATIVE, "lstm": LSTM, "gru": GRU}
CAUSAL = {name: EVERY[name] for name in ("gpt", "rotary", "llama", "relative", "lstm", "gru")}


@functools.lru_cache
class Compiled:
    """A model whose `apply` is compiled: op by op, these tests take minutes."""

    def __init__(self, config):
        self.model = build(config)
        self.initial_carry = self.model.initial_carry
        self.apply = jax.jit(self.model.apply, static_argnames=("train", "method"))


@functools.lru_cache
def made(config, seed=0):
    model = Compiled(config)
    return model, scattered(model.model, seed)


def tokens(batch=2, length=10, seed=0):
    return jax.random.randint(jax.random.key(seed), (batch, length), 0, 31)


@pytest.mark.parametrize("config", CAUSAL.values(), ids=CAUSAL)
def test_causal_by_gradient(config):
    """The output at t depends on the inputs up to t, and on each of them; on none after t."""
    model, params = made(config)
    ids = tokens(1)

    def output(scale_L, t):
        # Token i of the row gets a table entry of its own, so that a gradient belongs to one place.
        table = params["trunk"]["tokens"]["embedding"]
        table = jnp.concatenate([table[ids[0]] * scale_L[:, None], table[10:]])
        trunk = params["trunk"] | {"tokens": {"embedding": table}}
        hidden, _ = model.apply({"params": params | {"trunk": trunk}}, jnp.arange(10)[None], method="hidden")
        return jnp.sum(hidden[0, t] ** 2)

    for t in (0, 4, 9):
        gradient = np.asarray(jax.grad(output)(jnp.ones(10), t))
        assert (gradient[: t + 1] != 0).all()
        assert (gradient[t + 1 :] == 0).all()


@pytest.mark.parametrize("config", CAUSAL.values(), ids=CAUSAL)
def test_carry_equals_full_forward(config):
    model, params = made(config)
    ids = tokens()
    full, _ = model.apply({"params": params}, ids)
    carry, parts = model.initial_carry(2, 12), []
    for start, stop in ((0, 4), (4, 5), (5, 8), (8, 9), (9, 10)):
        part, carry = model.apply({"params": params}, ids[:, start:stop], carry=carry)
        parts.append(part)
    np.testing.assert_allclose(jnp.concatenate(parts, axis=1), full, atol=1e-5)


@pytest.mark.parametrize("config", EVERY.values(), ids=EVERY)
def test_padding_changes_nothing(config):
    """On the right for every model, on the left too: positions count real tokens."""
    model, params = made(config)
    ids = tokens(length=6)
    plain, _ = model.apply({"params": params}, ids)
    for left, right in ((0, 3), (3, 0), (2, 2)):
        padded = jnp.pad(ids, ((0, 0), (left, right)), constant_values=7)
        segments = jnp.pad(jnp.ones_like(ids), ((0, 0), (left, right)))
        out, _ = model.apply({"params": params}, padded, segments_BL=segments)
        np.testing.assert_allclose(out[:, left : left + 6], plain, atol=1e-5)


@pytest.mark.parametrize("config", CAUSAL.values(), ids=CAUSAL)
def test_left_padding_in_prefill_and_decoding(config):
    model, params = made(config)
    ids = tokens(1, 7)
    full, _ = model.apply({"params": params}, ids)
    padded = jnp.pad(ids[:, :5], ((0, 0), (3, 0)))
    segments = jnp.pad(jnp.ones((1, 5), jnp.int32), ((0, 0), (3, 0)))
    prefill, carry = model.apply({"params": params}, padded, segments_BL=segments, carry=model.initial_carry(1, 12))
    np.testing.assert_allclose(prefill[:, -1], full[:, 4], atol=1e-5)
    for t in (5, 6):
        out, carry = model.apply({"params": params}, ids[:, t : t + 1], carry=carry)
        np.testing.assert_allclose(out[:, 0], full[:, t], atol=1e-5)


@pytest.mark.parametrize("config", EVERY.values(), ids=EVERY)
def test_packed_documents_do_not_see_each_other(config):
    model, params = made(config)
    a, b = tokens(1, 4, seed=1), tokens(1, 5, seed=2)
    alone = [model.apply({"params": params}, x)[0] for x in (a, b)]
    packed, _ = model.apply(
        {"params": params},
        jnp.concatenate([a, b, jnp.zeros((1, 1), jnp.int32)], axis=1),
        segments_BL=jnp.array([[1] * 4 + [2] * 5 + [0]]),
        positions_BL=jnp.array([[0, 1, 2, 3, 0, 1, 2, 3, 4, 0]]),
    )
    np.testing.assert_allclose(packed[:, :9], jnp.concatenate(alone, axis=1), atol=1e-5)


@pytest.mark.parametrize("config", EVERY.values(), ids=EVERY)
def test_a_row_does_not_depend_on_its_batch(config):
    model, params = made(config)
    ids = tokens(4)
    batch, _ = model.apply({"params": params}, ids)
    alone = [model.apply({"params": params}, ids[i : i + 1])[0] for i in range(4)]
    np.testing.assert_allclose(batch, jnp.concatenate(alone), atol=1e-5)


@pytest.mark.parametrize("config", EVERY.values(), ids=EVERY)
def test_gather_equals_taking_from_all(config):
    model, params = made(config)
    places = jnp.array([[3, 0, 9], [1, 1, 5]])
    full, _ = model.apply({"params": params}, tokens())
    some, _ = model.apply({"params": params}, tokens(), gather_BP=places)
    np.testing.assert_allclose(some, jnp.take_along_axis(full, places[:, :, None], axis=1), atol=1e-5)


def test_a_scan_is_one_program_whatever_the_depth():
    """What takes time to compile, its instructions, is the same for 3 and for 12 layers; a loop's is four times more."""

    def size(**changes):
        model = build(dataclasses.replace(GPT, **changes))
        loss = lambda params: jnp.sum(model.apply({"params": params}, tokens())[0])  # noqa: E731
        return len(jax.jit(jax.grad(loss)).lower(shapes(model)).as_text().splitlines())

    assert size(layers=12, scan=True) == size(layers=3, scan=True)
    assert size(layers=12) > 3 * size(layers=3)


@pytest.mark.parametrize("remat", ["none", "dots", "full"])
@pytest.mark.parametrize("config", [GPT, BERT, LLAMA, RELATIVE], ids=["gpt", "bert", "llama", "relative"])
def test_scan_and_remat_change_nothing(config, remat):
    """Values and gradients, with and without a carry."""
    model, params = made(config)
    stacked = trees.stack_layers(params)
    scanned = Compiled(dataclasses.replace(config, scan=True, remat=remat))
    assert trees.flatten(shapes(scanned.model)).keys() == trees.flatten(stacked).keys()

    def loss(model, params):
        return jnp.mean(jax.nn.log_softmax(model.apply({"params": params}, tokens())[0])[..., 3])

    value, gradient = jax.value_and_grad(lambda p: loss(model, p))(params)
    value_scan, gradient_scan = jax.value_and_grad(lambda p: loss(scanned, p))(stacked)
    np.testing.assert_allclose(value, value_scan, rtol=1e-6)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), gradient, trees.unstack_layers(gradient_scan)
    )
    looped = Compiled(dataclasses.replace(config, remat=remat))
    np.testing.assert_allclose(loss(looped, params), value, rtol=1e-6)
    if config.causal:
        full, _ = model.apply({"params": params}, tokens())
        first, carry = scanned.apply({"params": stacked}, tokens()[:, :6], carry=scanned.initial_carry(2, 10))
        second, _ = scanned.apply({"params": stacked}, tokens()[:, 6:], carry=carry)
        np.testing.assert_allclose(jnp.concatenate([first, second], axis=1), full, atol=1e-5)


@pytest.mark.parametrize("config", EVERY.values(), ids=EVERY)
def test_dropout_is_on_in_training_only(config):
    config = dataclasses.replace(config, dropout=0.5)
    model, params = made(config)
    call = lambda **options: model.apply({"params": params}, tokens(), **options)[0]  # noqa: E731
    np.testing.assert_array_equal(call(), call())
    one = call(train=True, rngs={"dropout": jax.random.key(0)})
    other = call(train=True, rngs={"dropout": jax.random.key(1)})
    assert not np.allclose(one, other)
    assert not np.allclose(one, call())


def test_bfloat16_computes_in_bfloat16_with_float32_parameters_and_logits():
    model, params = made(GPT)
    half = Compiled(dataclasses.replace(GPT, dtype="bfloat16"))
    assert {x.dtype for x in jax.tree.leaves(shapes(half.model))} == {jnp.dtype("float32")}
    hidden, _ = half.apply({"params": params}, tokens(), method="hidden")
    assert hidden.dtype == jnp.bfloat16
    logits, _ = half.apply({"params": params}, tokens())
    exact, _ = model.apply({"params": params}, tokens())
    assert logits.dtype == jnp.float32
    assert not np.array_equal(logits, exact)
    assert np.abs(logits - exact).max() < 0.03 * np.abs(exact).max()


@pytest.mark.parametrize(
    ("field", "value"),
    [("norm", "middle"), ("positions", "absolute"), ("activation", "gelo"), ("dtype", "float16"), ("width", 30)],
)
def test_impossible_settings_are_refused(field, value):
    with pytest.raises(UserError, match=r"model\.|head width"):
        dataclasses.replace(GPT, **{field: value})


# Every setting must do something: forward or gradient differs from the default.
@pytest.mark.parametrize(
    "change",
    [
        {"norm": "post"}, {"norm_epsilon": 0.5}, {"positions": "rotary"}, {"activation": "relu"}, {"use_bias": False},
        {"tied": False}, {"head_transform": True}, {"causal": False}, {"embed_norm": True}, {"token_types": 2},
        {"heads": 2}, {"head_bias": True}, {"init_std": 0.2}, {"scale_residual_init": False}, {"norm_type": "rms"},
        {"positions": "sinusoidal"}, {"positions": "none"}, {"positions": "relative"}, {"position_offset": 2},
        {"kv_heads": 2}, {"head_width": 4}, {"scale_scores": False}, {"embed_width": 8, "tied": False}, {"gated": True},
        {"scale_embedding": True}, {"scale_logits": True},
    ],
    ids=str,
)  # fmt: skip
def test_each_setting_does_something(change):
    """It changes what parameters there are, or what the model says."""
    one = dataclasses.replace(GPT, layers=1)
    changed = dataclasses.replace(one, **change)
    if trees.flatten(shapes(build(one))).keys() == trees.flatten(shapes(build(changed))).keys():
        assert not np.allclose(first_words(one), first_words(changed), atol=1e-6)


@functools.lru_cache
def first_words(config):
    model = Compiled(config)
    return model.apply({"params": initialise(model.model, jax.random.key(0))}, tokens())[0]

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Properties of encoder-decoder settings of the stack."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax import trees
from seqjax.errors import UserError
from seqjax.models.families import t5, t5_v1_1, transformer
from seqjax.models.model import build, encoder_alone, shapes
from seqjax.models.transformer import Transformer
from tests.models.parameters import scattered

SMALL = {"vocab_size": 31, "layers": 1, "decoder_layers": 2, "width": 24, "heads": 4, "mlp_width": 32, "dropout": 0.0}
EVERY = {
    "transformer": transformer(**SMALL, init_std=0.2),
    "t5": t5(**SMALL, head_width=5, relative_buckets=6, relative_longest=9, init_std=0.3),
    "t5_v1_1": t5_v1_1(**SMALL, head_width=8, init_std=0.3),
}
each = pytest.mark.parametrize("config", EVERY.values(), ids=EVERY)


@functools.lru_cache
def made(config):
    model = build(config)
    return jax.jit(model.apply, static_argnames=("train", "method", "length")), scattered(model, spread=0.2)


def ids(batch, length, seed):
    return jax.random.randint(jax.random.key(seed), (batch, length), 0, 31)


SOURCE, TARGET = ids(2, 7, 0), ids(2, 6, 1)


@each
def test_reads_the_target_one_way_and_the_source_both_ways(config):
    apply, params = made(config)
    full, _ = apply({"params": params}, TARGET, source_BS=SOURCE)
    for t in (0, 3):
        later, _ = apply({"params": params}, TARGET.at[:, t + 1].add(1), source_BS=SOURCE)
        np.testing.assert_array_equal(later[:, : t + 1], full[:, : t + 1])
        assert not np.allclose(later[:, t + 1], full[:, t + 1])
    for s in (0, 6):
        other, _ = apply({"params": params}, TARGET, source_BS=SOURCE.at[:, s].add(1))
        assert (np.abs(other - full).max(axis=-1) > 1e-4).all()


@each
def test_carry_equals_full_forward(config):
    apply, params = made(config)
    padded = jnp.pad(SOURCE, ((0, 0), (2, 1)))
    segments = jnp.pad(jnp.ones_like(SOURCE), ((0, 0), (2, 1)))
    full, _ = apply({"params": params}, TARGET, source_BS=SOURCE)
    carry = apply({"params": params}, padded, segments, length=9, method="start")
    parts = []
    for start, stop in ((0, 2), (2, 3), (3, 6)):
        part, carry = apply({"params": params}, TARGET[:, start:stop], carry=carry)
        parts.append(part)
    np.testing.assert_allclose(jnp.concatenate(parts, axis=1), full, atol=2e-5)


@each
def test_padding_changes_nothing(config):
    apply, params = made(config)
    full, _ = apply({"params": params}, TARGET, source_BS=SOURCE)
    real = jnp.ones_like
    for left, right in ((0, 3), (3, 0), (1, 2)):
        pad = functools.partial(jnp.pad, pad_width=((0, 0), (left, right)))
        out, _ = apply(
            {"params": params}, pad(TARGET), segments_BL=pad(real(TARGET)),
            source_BS=pad(SOURCE), source_segments_BS=pad(real(SOURCE)),
        )  # fmt: skip
        np.testing.assert_allclose(out[:, left : left + 6], full, atol=2e-5)


@each
def test_packed_pairs_do_not_see_each_other(config):
    apply, params = made(config)
    pairs = [(ids(1, 4, 2), ids(1, 3, 3)), (ids(1, 3, 4), ids(1, 5, 5))]
    alone = [apply({"params": params}, target, source_BS=source)[0] for source, target in pairs]
    packed, _ = apply(
        {"params": params},
        jnp.concatenate([pairs[0][1], pairs[1][1]], axis=1),
        segments_BL=jnp.array([[1] * 3 + [2] * 5]),
        positions_BL=jnp.array([[*range(3), *range(5)]]),
        source_BS=jnp.concatenate([pairs[0][0], pairs[1][0]], axis=1),
        source_segments_BS=jnp.array([[1] * 4 + [2] * 3]),
        source_positions_BS=jnp.array([[*range(4), *range(3)]]),
    )
    np.testing.assert_allclose(packed, jnp.concatenate(alone, axis=1), atol=2e-5)


@each
def test_scan_and_remat_change_nothing(config):
    apply, params = made(config)
    stacked = trees.stack_layers(params)
    scanned = build(dataclasses.replace(config, scan=True, remat="full"))
    assert trees.flatten(shapes(scanned)).keys() == trees.flatten(stacked).keys()

    def loss(apply, params):
        logits, _ = apply({"params": params}, TARGET, source_BS=SOURCE)
        return jnp.mean(jax.nn.log_softmax(logits)[..., 3])

    gradient = jax.grad(lambda p: loss(apply, p))(params)
    other = trees.unstack_layers(jax.jit(jax.grad(lambda p: loss(scanned.apply, p)))(stacked))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), gradient, other)
    apply_scanned = jax.jit(scanned.apply, static_argnames=("method", "length"))
    carry = apply_scanned({"params": stacked}, SOURCE, jnp.ones_like(SOURCE), length=6, method="start")
    step, _ = apply_scanned({"params": stacked}, TARGET, carry=carry)
    np.testing.assert_allclose(step, apply({"params": params}, TARGET, source_BS=SOURCE)[0], atol=2e-5)


@each
@pytest.mark.parametrize("scan", [False, True], ids=["loop", "scan"])
def test_the_encoder_alone_is_a_model(config, scan):
    config = dataclasses.replace(config, scan=scan)
    whole = scattered(build(config), spread=0.2)
    alone, params = encoder_alone(config, whole)
    found, _ = build(alone).apply({"params": params}, SOURCE, method="hidden")
    wanted = Transformer(config).apply({"params": whole["trunk"]}, SOURCE, method="encode")
    np.testing.assert_array_equal(found, wanted)
    assert jax.tree.structure(params) == jax.tree.structure(shapes(build(alone)))


def test_a_source_must_be_given():
    apply, params = made(EVERY["t5"])
    with pytest.raises(UserError, match="needs a source"):
        apply({"params": params}, TARGET)

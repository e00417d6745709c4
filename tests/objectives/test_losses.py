# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The vocabulary loss: z-loss and smoothing by hand; in chunks it is the plain one, values and gradients."""

import jax
import numpy as np
import optax
import pytest

from seqjax.models.model import build, initialise
from seqjax.models.rnn import RNNConfig
from seqjax.models.transformer_config import TransformerConfig
from seqjax.objectives.clm import CLM
from seqjax.objectives.losses import correct, cross_entropy
from seqjax.objectives.mlm import MLM
from seqjax.training.step import gradients
from tests.objectives.compiled import compiled_gradients
from tests.training.test_step import ragged

SETTINGS = {"vocab_size": 40, "layers": 1, "width": 16, "heads": 2, "mlp_width": 32, "max_length": 16, "dropout": 0.0}
MODELS = {
    "tied": TransformerConfig(**SETTINGS),
    "untied": TransformerConfig(**SETTINGS, tied=False, head_bias=True),
    "transformed": TransformerConfig(**SETTINGS, head_transform=True, head_bias=True),
    "lstm": RNNConfig(vocab_size=40, width=16),
}


def test_z_loss_and_smoothing_by_hand(rng):
    logits, targets = rng.normal(size=(5, 7)).astype(np.float32) * 3, rng.integers(0, 7, 5)
    smooth = optax.smooth_labels(jax.nn.one_hot(targets, 7), 0.1)
    wanted = optax.softmax_cross_entropy(logits, smooth) + 0.01 * np.log(np.exp(logits).sum(axis=-1)) ** 2
    np.testing.assert_allclose(cross_entropy(logits, targets, 0.1, 0.01), wanted, rtol=1e-5)


@pytest.mark.parametrize("chunk", [7, 16, 191])
@pytest.mark.parametrize("kind", MODELS)
def test_chunks_change_nothing(kind, chunk):
    model = build(MODELS[kind])
    params = initialise(model, jax.random.key(0))
    options = {"label_smoothing": 0.1, "z_loss": 1e-2}
    key = jax.random.key(0)  # with a key the loss is the training one: smoothed, with z-loss
    batch = ragged(CLM())
    plain, pairs = compiled_gradients(params, batch, key, apply=model.apply, objective=CLM(**options))
    found, others = compiled_gradients(params, batch, key, apply=model.apply, objective=CLM(**options, chunk=chunk))
    for name, (value, weight) in pairs.items():
        np.testing.assert_allclose(others[name][0], value, rtol=1e-6, err_msg=name)
        np.testing.assert_allclose(others[name][1], weight, rtol=0)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), found, plain)


def test_chunks_of_predictions():
    model = build(MODELS["transformed"])
    params = initialise(model, jax.random.key(0))
    batch = ragged(MLM())
    plain, pairs = compiled_gradients(params, batch, None, apply=model.apply, objective=MLM())
    found, others = compiled_gradients(params, batch, None, apply=model.apply, objective=MLM(chunk=10))
    np.testing.assert_allclose(others["mlm"][0], pairs["mlm"][0], rtol=1e-6)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), found, plain)


def test_no_array_of_all_logits():
    """With chunks nothing in the program, forward or backward, has a row of V for each of the B L places."""
    model = build(MODELS["tied"])
    params, batch = initialise(model, jax.random.key(0)), ragged(CLM())

    def shapes(chunk):
        run = jax.jit(lambda p: gradients(p, batch, None, apply=model.apply, objective=CLM(chunk=chunk))[0])
        return run.lower(params).as_text()

    whole = f"{16 * 12}x40xf32"
    assert whole in shapes(0)
    assert whole not in shapes(16)
    assert "16x40xf32" in shapes(16)


def test_a_hit_is_the_first_of_the_largest(rng):
    logits, targets = rng.integers(0, 4, (4, 50, 7)).astype(np.float32), rng.integers(0, 7, (4, 50))  # many are equal
    wanted = logits.argmax(axis=-1) == targets
    assert 0 < wanted.sum() < wanted.size
    np.testing.assert_array_equal(correct(logits, targets), wanted)

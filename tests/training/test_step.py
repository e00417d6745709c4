# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""However a ragged batch is divided, the loss and the gradient are those of one device."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from seqjax.data.pipeline import grouped
from seqjax.models.model import build, initialise
from seqjax.models.rnn import RNNConfig
from seqjax.models.transformer_config import TransformerConfig
from seqjax.objectives.clm import CLM
from seqjax.objectives.continuation import Continuation
from seqjax.objectives.mlm import MLM
from seqjax.objectives.multiple_choice import MultipleChoice
from seqjax.objectives.regression import Regression
from seqjax.objectives.supervised import Classification
from seqjax.objectives.two_towers import InBatchNegatives
from seqjax.training.optimizers import Optimizer, holding
from seqjax.training.parallel import Devices, Parallel
from seqjax.training.step import gradients, initial_state, train_step

GPT = TransformerConfig(vocab_size=40, layers=2, width=32, heads=4, mlp_width=64, max_length=16, dropout=0.0)
CASES = {
    "clm": (GPT, CLM()), "mlm": (GPT, MLM()), "lstm": (RNNConfig(vocab_size=40, width=16), CLM()),
    "choice": (GPT, MultipleChoice(labels=("a", "b"), pool="mean")),
    "weighted": (GPT, Classification(labels=("a", "b"), pool="mean", class_weights=(0.3, 2.0), dropout=0.0)),
    "regression": (GPT, Regression(pool="mean")), "towers": (GPT, InBatchNegatives(group=4, scale=1.0)),
    "continuation": (GPT, Continuation(prefix=True)),
}  # fmt: skip


def ragged(objective, rows=16, length=12, seed=0):
    """Rows of very unequal lengths: a mean of means is far from the mean. Rows in groups are as many groups."""
    rows *= objective.group
    rng = np.random.default_rng(seed)
    real = np.arange(length)[None, :] < np.array([1, 2, 2, 12] * (rows // 4))[:, None]
    batch = {
        "tokens": rng.integers(5, 40, (rows, length)),
        "segments": real,
        "positions": np.tile(np.arange(length), (rows, 1)),
    }
    if isinstance(objective, Regression):
        batch |= {"number": 3 * rng.normal(size=rows), "label_weight": np.array([1, 0, 0, 1] * (rows // 4))}
    elif isinstance(objective, InBatchNegatives):
        batch["segments"] = np.where(np.arange(length)[None, :] * 2 < real.sum(1)[:, None], 1, 2) * real
        batch["label_weight"] = np.array([1, 1, 0, 1] * (rows // 4))
    elif isinstance(objective, Classification):
        batch["segments"] = np.where(np.arange(length)[None, :] * 2 < real.sum(1)[:, None], 1, 2) * real
        batch |= {"label": rng.integers(0, 2, rows), "label_weight": np.array([1, 0, 0, 1] * (rows // 4))}
    elif isinstance(objective, Continuation):
        said = real & (2 * np.arange(length)[None, :] + 2 >= real.sum(1)[:, None])
        batch |= {"targets": rng.integers(5, 40, (rows, length)), "weights": said, "prefix": real & ~said}
    elif isinstance(objective, CLM):
        batch |= {"targets": rng.integers(5, 40, (rows, length)), "weights": real}
    else:
        used = np.arange(4)[None, :] < np.array([1, 1, 1, 4] * (rows // 4))[:, None]
        batch |= {
            "mlm_positions": rng.integers(0, length, (rows, 4)),
            "mlm_targets": rng.integers(5, 40, (rows, 4)),
            "mlm_weights": used,
        }
    floats = ("weights", "mlm_weights", "label_weight", "number")
    batch = {name: x.astype(np.float32 if name in floats else np.int32) for name, x in batch.items()}
    return grouped(batch, objective.group)


@functools.cache
def setting(case):
    config, objective = CASES[case]
    model = build(config, objective.head(config))
    return model, initialise(model, jax.random.key(1)), objective, ragged(objective)


@functools.cache
def by_hand(case):
    """One row at a time, in a Python loop: the sum of all losses over the sum of all weights."""
    model, params, objective, batch = setting(case)
    weight = sum(float(w) for w in objective.weights(batch).values())

    @jax.jit
    @jax.value_and_grad
    def one_row(params, row):
        terms, _ = objective.loss(model.apply, params, row, None)
        return sum(value for value, _ in terms.values()) / weight

    total = None
    for i in range(16):
        found = one_row(params, {name: x[i : i + 1] for name, x in batch.items()})
        total = found if total is None else jax.tree.map(jnp.add, total, found)
    return jax.device_get(total)


@pytest.mark.parametrize(
    ("backend", "devices", "accumulate"),
    [("jit", 1, 1), ("jit", 1, 4), ("jit", 8, 1), ("jit", 4, 2), ("pmap", 8, 1), ("pmap", 4, 4), ("pmap", 1, 1)],
)
@pytest.mark.parametrize("case", CASES)
def test_division_changes_nothing(case, backend, devices, accumulate):
    model, params, objective, batch = setting(case)
    places = Devices(Parallel(backend, devices))
    function = functools.partial(gradients, apply=model.apply, objective=objective, accumulate=accumulate)
    grads, pairs, _ = places.spread(function)(places.replicate(params), places.put(batch), None)
    loss, expected = by_hand(case)
    value, weight = jax.device_get(pairs["loss"])
    np.testing.assert_allclose(value / weight, loss, atol=1e-6)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), jax.device_get(grads), expected)


def test_an_update_is_the_optimizers(rng):
    """The step un-jitted on a toy, against the update written out."""
    objective = CLM()
    batch = ragged(objective)
    params = {"table": jnp.asarray(rng.normal(size=(40, 40)), jnp.float32)}

    def apply(variables, tokens, **inputs):
        return variables["params"]["table"][tokens], None

    optimizer = optax.sgd(0.5)
    state, pairs = train_step(
        initial_state(params, optimizer), batch, jax.random.key(0), apply=apply, objective=objective,
        optimizer=optimizer,
    )  # fmt: skip
    gradient = np.zeros((40, 40))
    weight = batch["weights"].sum()
    for row, target, w in zip(batch["tokens"].ravel(), batch["targets"].ravel(), batch["weights"].ravel(), strict=True):
        p = np.exp(params["table"][row]) / np.exp(params["table"][row]).sum()
        gradient[row] += w / weight * (p - np.eye(40)[target])
    np.testing.assert_allclose(state.params["table"], params["table"] - 0.5 * gradient, atol=1e-6)
    assert int(state.step) == 1
    np.testing.assert_allclose(pairs["grad_norm"][0], np.linalg.norm(gradient), rtol=1e-5)


@pytest.mark.parametrize("accumulate", [1, 4])
def test_no_gradient_is_of_frozen_parameters_nor_their_part_in_its_norm(accumulate):
    model, params, objective, batch = setting("weighted")
    optimizer, hold = optax.sgd(0.1), holding(Optimizer(freeze=("^trunk/",)))
    step = functools.partial(train_step, apply=model.apply, objective=objective, optimizer=optimizer, hold=hold)
    state = initial_state(params, optimizer)
    after, pairs = jax.jit(functools.partial(step, accumulate=accumulate))(state, batch, jax.random.key(0))
    _, expected = by_hand("weighted")
    head = np.concatenate([x.ravel() for x in jax.tree.leaves(expected["head"])])
    np.testing.assert_allclose(pairs["grad_norm"][0], np.linalg.norm(head), rtol=1e-5)
    moved = jax.tree.map(lambda a, b: (a - b) / 0.1, params, after.params)
    assert not any(np.asarray(x).any() for x in jax.tree.leaves(moved["trunk"]))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), moved["head"], expected["head"])


def test_a_batch_without_weight_is_no_update_and_no_nan():
    model, params, objective, batch = setting("clm")
    empty = batch | {"weights": np.zeros_like(batch["weights"])}
    grads, pairs, _ = jax.jit(functools.partial(gradients, apply=model.apply, objective=objective))(params, empty, None)
    assert float(pairs["loss"][0]) == 0.0
    assert all(not np.asarray(x).any() for x in jax.tree.leaves(grads))


def test_dropout_differs_by_step_and_device_but_not_by_repetition():
    config = TransformerConfig(vocab_size=40, layers=1, width=32, heads=2, mlp_width=32, max_length=16, dropout=0.5)
    model, objective = build(config), CLM()
    params, batch = initialise(model, jax.random.key(0)), ragged(objective)
    optimizer = optax.sgd(0.0)
    places = Devices(Parallel("pmap", 4))
    step = places.spread(functools.partial(train_step, apply=model.apply, objective=objective, optimizer=optimizer))
    same_rows = {name: np.tile(x[3:4], (4,) + (1,) * (x.ndim - 1)) for name, x in batch.items()}
    state = places.replicate(initial_state(params, optimizer))
    losses = []
    for _ in range(2):
        after, pairs = step(state, places.put(same_rows), jax.random.key(0))
        losses.append(float(pairs["loss"][0]))
    assert losses[0] == losses[1]
    _, pairs = step(after, places.put(same_rows), jax.random.key(0))
    assert float(pairs["loss"][0]) != losses[0]
    one = places.spread(functools.partial(gradients, apply=model.apply, objective=objective))
    alone = Devices(Parallel("pmap", 1)).spread(functools.partial(gradients, apply=model.apply, objective=objective))
    four = one(params, places.put(same_rows), jax.random.key(0))[1]["clm"]
    single = alone(params, Devices(Parallel("pmap", 1)).put({k: x[:1] for k, x in same_rows.items()}),
                   jax.random.key(0))[1]["clm"]  # fmt: skip
    assert not np.isclose(float(four[0]), 4 * float(single[0]), rtol=1e-4)


def test_donation_leaves_the_given_parameters_alone():
    model, params, objective, batch = setting("clm")
    places = Devices(Parallel("jit", 8))
    optimizer = optax.sgd(0.1)
    step = places.spread(
        functools.partial(train_step, apply=model.apply, objective=objective, optimizer=optimizer), donate=True
    )
    state = places.replicate(initial_state(params, optimizer))
    table = state.params["trunk"]["tokens"]["embedding"]
    step(state, places.put(batch), jax.random.key(0))
    assert table.is_deleted()
    assert all(not x.is_deleted() for x in jax.tree.leaves(params))

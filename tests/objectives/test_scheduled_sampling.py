# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Scheduled sampling: the chances of the paper, and what a decoder reads against the model called place by place."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from seqjax.errors import UserError
from seqjax.models.model import build, initialise
from seqjax.models.seq2seq import Seq2SeqConfig
from seqjax.models.transformer_config import TransformerConfig
from seqjax.objectives.text_to_text import TextToText
from seqjax.training.parallel import Devices, Parallel
from seqjax.training.step import initial_state, train_step

WIDE = Seq2SeqConfig(vocab_size=13, width=8, init_scale=1.0, orthogonal=False)
MODELS = {
    "gru": WIDE,
    "luong": dataclasses.replace(WIDE, attention="general", cell="lstm", input_feeding=True),
    "transformer": TransformerConfig(
        vocab_size=13, layers=1, decoder_layers=1, width=8, heads=2, mlp_width=16, positions="rotary", dropout=0.0,
        init_std=0.5,
    ),
}  # fmt: skip
each = pytest.mark.parametrize("name", MODELS)


def batch(updates=0):
    rng = np.random.default_rng(0)
    rows = {name: rng.integers(1, 13, shape) for name, shape in (("source", (4, 6)), ("tokens", (4, 5)))}
    segments = np.ones((4, 5), np.int32)
    segments[1, 3:] = 0
    rows |= {"source_segments": np.ones((4, 6), np.int32), "segments": segments}
    rows |= {"targets": rng.integers(1, 13, (4, 5)), "weights": segments.astype(np.float32)}
    return rows | {"updates": np.full(4, updates)}


def setting(name):
    model = build(MODELS[name])
    return model.apply, initialise(model, jax.random.key(1))


@pytest.mark.parametrize(
    ("teacher", "rate", "chances"),
    [
        ("linear", 0.25, [1.0, 0.75, 0.5]),
        ("exponential", 0.9, [1.0, 0.9, 0.81]),
        ("inverse_sigmoid", 2.0, [2 / 3, 2 / (2 + np.exp(0.5)), 2 / (2 + np.e)]),
    ],
)
def test_chances_are_those_of_the_paper(teacher, rate, chances):
    objective = TextToText(teacher=teacher, teacher_rate=rate)
    np.testing.assert_allclose(objective.gold_chance(jnp.arange(3)), chances, rtol=1e-6)
    least = dataclasses.replace(objective, teacher_least=0.3)
    np.testing.assert_allclose(least.gold_chance(jnp.array(10_000)), 0.3, rtol=1e-6)


@each
@pytest.mark.parametrize("feedback", ["two_pass", "stepwise"])
def test_with_a_chance_of_one_it_is_teacher_forcing(name, feedback):
    apply, params = setting(name)
    objective = TextToText(teacher="linear", teacher_rate=0.1, feedback=feedback, label_smoothing=0.1)
    plain = TextToText(label_smoothing=0.1)

    def value_and_gradient(objective):
        def loss(params):
            return objective.loss(apply, params, batch(), jax.random.key(3))[0]["text"][0]

        return jax.jit(jax.value_and_grad(loss))(params)

    found, wanted = value_and_gradient(objective), value_and_gradient(plain)
    np.testing.assert_allclose(found[0], wanted[0], rtol=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4), found[1], wanted[1])


@each
@pytest.mark.parametrize("feedback", ["two_pass", "stepwise"])
def test_with_a_chance_of_none_a_decoder_reads_itself(name, feedback):
    apply, params = setting(name)
    objective = TextToText(teacher="linear", teacher_rate=1.0, feedback=feedback)
    given = batch(updates=5)
    terms, _ = objective.loss(apply, params, given, jax.random.key(3))

    def logits(tokens):
        sources = {"source_BS": given["source"], "source_segments_BS": given["source_segments"]}
        return apply({"params": params}, tokens, segments_BL=given["segments"], **sources)[0]

    read = given["tokens"].copy()
    if feedback == "two_pass":
        read[:, 1:] = np.argmax(logits(given["tokens"]), axis=-1)[:, :-1]
    else:
        for place in range(4):
            read[:, place + 1] = np.argmax(logits(read), axis=-1)[:, place]
    scores = jax.nn.log_softmax(logits(read))
    wanted = -np.sum(np.take_along_axis(scores, given["targets"][:, :, None], axis=2)[:, :, 0] * given["weights"])
    np.testing.assert_allclose(terms["text"][0], wanted, rtol=1e-5)


@each
@pytest.mark.parametrize("feedback", ["two_pass", "stepwise"])
def test_an_update_knows_how_many_came_before(name, feedback):
    apply, params = setting(name)
    objective = TextToText(teacher="exponential", teacher_rate=0.5, feedback=feedback)
    state = initial_state(params, optax.sgd(0.1)).replace(step=jnp.array(2))
    given = {name: value for name, value in batch().items() if name != "updates"}
    key = jax.random.key(3)
    _, pairs = train_step(state, given, key, apply=apply, objective=objective, optimizer=optax.sgd(0.1))
    terms, _ = objective.loss(apply, params, batch(updates=2), jax.random.fold_in(key, 2))
    value, weight = terms["text"]
    np.testing.assert_allclose(pairs["loss"][0], value / weight, rtol=1e-5)
    other, _ = objective.loss(apply, params, batch(updates=0), jax.random.fold_in(key, 2))
    assert abs(float(other["text"][0]) - float(value)) > 1e-3


@each
def test_the_first_reading_in_chunks(name):
    apply, params = setting(name)
    objective = TextToText(teacher="linear", teacher_rate=0.1)
    given = batch(updates=5)
    found, wanted = (
        jax.jit(jax.grad(lambda params, o=o: o.loss(apply, params, given, jax.random.key(3))[0]["text"][0]))(params)
        for o in (dataclasses.replace(objective, chunk=3), objective)
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), found, wanted)


def test_every_micro_batch_and_device_knows_how_many_updates_came_before():
    """Gold is never read after ten updates, so that there is no chance in it."""
    apply, params = setting("luong")
    objective = TextToText(teacher="linear", teacher_rate=0.1)
    optimizer = optax.sgd(0.1)
    given = {name: value for name, value in batch().items() if name != "updates"}

    def after(parallel, accumulate):
        devices = Devices(parallel)
        options = {"apply": apply, "objective": objective, "optimizer": optimizer, "accumulate": accumulate}
        update = devices.spread(functools.partial(train_step, **options))
        state = devices.replicate(initial_state(params, optimizer).replace(step=jnp.array(10)))
        return update(state, devices.put(given), jax.random.key(3))[0].params

    wanted = after(Parallel(devices=1), 1)
    for parallel, accumulate in ((Parallel(devices=1), 2), (Parallel("pmap", 4), 1), (Parallel("jit", 2), 2)):
        found = after(parallel, accumulate)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), found, wanted)


def test_evaluation_is_teacher_forcing():
    apply, params = setting("gru")
    objective = TextToText(teacher="linear", teacher_rate=1.0)
    given = batch(updates=5)
    found, wanted = (o.loss(apply, params, given, None)[0]["text"][0] for o in (objective, TextToText()))
    assert float(found) == float(wanted)


@pytest.mark.parametrize(
    "change",
    [
        {"teacher": "never"}, {"teacher": "linear"}, {"teacher": "exponential", "teacher_rate": 1.5},
        {"feedback": "stepwise", "chunk": 4}, {"teacher_least": 2.0}, {"feedback": "both"},
    ],
)  # fmt: skip
def test_impossible_settings_are_refused(change):
    with pytest.raises(UserError):
        TextToText(**change)

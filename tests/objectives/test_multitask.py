# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Several objectives at once: each loss is the one it has alone, the sum is weighted, all reach the trunk."""

import dataclasses

import jax
import numpy as np
import pytest

from seqjax.config import from_json, to_json
from seqjax.data import tokenizers
from seqjax.data.pipeline import Data, Dataset
from seqjax.data.sources import from_records
from seqjax.errors import UserError
from seqjax.experiment import Experiment
from seqjax.models.model import build, initialise
from seqjax.models.transformer_config import TransformerConfig
from seqjax.objectives.clm import CLM
from seqjax.objectives.mlm import MLM
from seqjax.objectives.multitask import Multitask
from seqjax.objectives.pairs import PairedMLM
from seqjax.objectives.supervised import Tagging
from tests.objectives.compiled import compiled_gradients, compiled_loss

RECORDS = [
    {"words": (words := [f"{'ab'[(i + j) % 2]}{j}." for j in range(2 + i % 9)]), "tags": ["BO"[len(w) % 2] for w in words]}
    for i in range(40)
]  # fmt: skip
TASKS = Multitask((CLM(), PairedMLM(), Tagging(labels=("O", "B"), dropout=0.0)), (1.0, 0.5, 2.0))
CONFIG = TransformerConfig(
    vocab_size=261,
    layers=1,
    width=16,
    heads=2,
    mlp_width=32,
    max_length=48,
    token_types=2,
    dropout=0.0,
    head_bias=True,
)


@pytest.fixture(scope="module")
def batch():
    data = Data(length=48, batch=8, layout="pad")
    dataset = Dataset(data, TASKS, tokenizers.build("bytes", lambda: []), lambda split: from_records(RECORDS))
    return next(dataset.train(seed=0))


def part(batch, term):
    return {name.split("/")[1]: x for name, x in batch.items() if name.startswith(f"{term}/")}


def test_each_loss_is_the_one_it_has_alone(batch):
    model = TASKS.build(CONFIG)
    params = initialise(model, jax.random.key(0))
    _, pairs = compiled_gradients(params, batch, None, apply=model.apply, objective=TASKS)
    heads = params["head"]
    alone = {
        "clm": (CLM(), CONFIG, heads["heads_vocabulary"]),
        "mlm": (PairedMLM(), dataclasses.replace(CONFIG, causal=False), heads["heads_mlm"]),
        "tagging": (TASKS.tasks[2], dataclasses.replace(CONFIG, causal=False), heads["heads_tagging"]),
    }
    total = 0.0
    for term, (objective, config, head) in alone.items():
        own = {"trunk": params["trunk"], "head": head} if head else {"trunk": params["trunk"]}
        terms, _ = compiled_loss(objective, objective.build(config).apply, own, part(batch, term))
        for name, (value, weight) in terms.items():
            np.testing.assert_allclose(pairs[name][0], value, rtol=1e-5, err_msg=name)
            np.testing.assert_allclose(pairs[name][1], weight)
            total += TASKS.term_weights()[name] * float(value) / float(weight)
    np.testing.assert_allclose(float(pairs["loss"][0]), total, rtol=1e-5)
    assert TASKS.term_weights() == {"clm": 1.0, "mlm": 0.5, "pair": 0.5, "tagging": 2.0}


def test_the_gradient_is_the_weighted_sum(batch):
    model = TASKS.build(CONFIG)
    params = initialise(model, jax.random.key(0))
    whole, _ = compiled_gradients(params, batch, None, apply=model.apply, objective=TASKS)
    total = None
    for i, factor in enumerate(TASKS.factors):
        only = dataclasses.replace(TASKS, factors=tuple(factor * (i == j) for j in range(3)))
        grads, _ = compiled_gradients(params, batch, None, apply=model.apply, objective=only)
        assert float(abs(grads["trunk"]["tokens"]["embedding"]).max()) > 0
        total = grads if total is None else jax.tree.map(np.add, total, grads)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), whole, total)


def test_settings_survive_json():
    values = to_json(Experiment(objective=TASKS))
    assert from_json(Experiment, values) == Experiment(objective=TASKS)


def test_mistakes():
    for tasks, factors, what in (
        ((CLM(),), (1.0, 2.0), "factors"),
        ((MLM(), PairedMLM()), (1.0, 1.0), "same term"),
        ((CLM(), PairedMLM(mlm=MLM(masking="static"))), (1.0, 1.0), "masking=static"),
    ):
        with pytest.raises(UserError, match=what):
            Multitask(tasks, factors)
    source = from_records([{"text": "a b. c d."}] * 4)
    packed = Data(length=48, batch=8, layout="pack")
    dataset = Dataset(packed, PairedMLM(), tokenizers.build("bytes", lambda: []), lambda split: source)
    with pytest.raises(UserError, match="use pad or bucket"):
        dataset.train(0)


def test_a_causal_trunk_reads_both_ways_where_the_row_is_a_prefix(batch):
    both = build(dataclasses.replace(CONFIG, causal=False))
    params = initialise(both, jax.random.key(0))
    rows = part(batch, "mlm")
    options = {"segments_BL": rows["segments"], "positions_BL": rows["positions"]}
    wanted, _ = both.apply({"params": params}, rows["tokens"], **options)
    found, _ = build(CONFIG).apply({"params": params}, rows["tokens"], prefix_BL=rows["prefix"], **options)
    np.testing.assert_allclose(found, wanted, atol=1e-6)

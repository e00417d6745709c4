# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""How two entities relate, against the head of R-BERT computed by hand from the trunk's states."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import launch
from seqjax.data import tokenizers
from seqjax.data.pipeline import Data, Dataset, open_data
from seqjax.data.sources import Source, from_records
from seqjax.errors import UserError
from seqjax.evaluation.evaluate import predictor
from seqjax.evaluation.predict import TOGETHER, predict
from seqjax.experiment import Experiment, resolve
from seqjax.models import families
from seqjax.objectives.multiple_choice import MultipleChoice
from seqjax.objectives.multitask import Multitask
from seqjax.objectives.objective import call
from seqjax.objectives.supervised import Classification
from seqjax.training.parallel import Devices, Parallel
from seqjax.training.run import train
from tests.models.parameters import scattered

# The first costs "$", and speaks of a "#": a search among tokens would take them for marks.
TEXTS = [
    "for $ 9 the <e1>old man</e1> sold # one <e2>house</e2> $",
    "the <e2>house</e2> of a <e1>man</e1>",
    "<e1>one</e1> <e2>old house</e2>",
]
ENTITIES = [("old man", "house"), ("man", "house"), ("one", "old house")]
WORDS = tokenizers.build("words:40", lambda: ["for $ 9 the old man sold # one house of a"])
LABELS = ("Has(e1,e2)", "Has(e2,e1)", "Other")
MODEL = families.bert(vocab_size=WORDS.size, layers=2, width=16, heads=2, mlp_width=24, max_length=40, dropout=0.0)


def opened(objective, length=24):
    records = from_records([{"text": text, "label": label} for text, label in zip(TEXTS, LABELS, strict=True)])
    data = Data(length=length, layout="pad", eval_batch=4)
    return Dataset(data, objective, WORDS, lambda _: records)


@pytest.mark.parametrize("pooler", [True, False])
def test_logits_are_those_computed_by_hand(pooler):
    objective = Classification(labels=LABELS, pool="entities", pooler=pooler)
    model = objective.build(MODEL)
    params = scattered(model)
    batch = next(opened(objective).evaluation("test", 0))
    inputs = {"segments_BL": batch["segments"], "positions_BL": batch["positions"]}
    states_BLD = np.asarray(model.apply({"params": params}, batch["tokens"], **inputs, method="hidden")[0])
    layers = jax.tree.map(np.asarray, params["head"])

    def dense(name, x):
        return x @ layers[name]["kernel"] + layers[name]["bias"]

    expected = []
    for row, entities in enumerate(ENTITIES):
        ids, parts = batch["tokens"][row].tolist(), [states_BLD[row, 0]]
        for entity in entities:
            own = WORDS.encode(entity)
            (start,) = [i for i in range(len(ids)) if ids[i : i + len(own)] == own]
            parts.append(states_BLD[row, start : start + len(own)].mean(axis=0))
        if pooler:
            names = ("first_pooler", "entity_pooler", "entity_pooler")
            parts = [dense(name, np.tanh(x)) for name, x in zip(names, parts, strict=True)]
        expected.append(dense("output", np.concatenate(parts)))
    found = call(model.apply, params, batch, None)
    np.testing.assert_allclose(found[:3], expected, rtol=1e-4, atol=1e-4)
    assert np.ptp(found[:3], axis=0).min() > 0.1
    wider = next(opened(objective, 40).evaluation("test", 0))
    np.testing.assert_allclose(call(model.apply, params, wider, None)[:3], found[:3], rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match="must be told where they are"):
        call(model.apply, params, {name: x for name, x in batch.items() if name != "entities"}, None)


def test_gradients_reach_the_entities_and_not_what_is_beside_them():
    objective = Classification(labels=LABELS, pool="entities")
    head = objective.head(MODEL)
    batch = next(opened(objective).evaluation("test", 0))
    x_BLD = jnp.asarray(np.random.default_rng(0).normal(size=(*batch["tokens"].shape, 16)), jnp.float32)
    inputs = (batch["segments"], None, False, batch["entities"])
    params = head.init(jax.random.key(0), x_BLD, *inputs)
    gradient = jax.grad(lambda x: jnp.sum(head.apply(params, x, *inputs)[:3, 0]))(x_BLD)
    touched = np.abs(gradient).max(axis=-1) > 0
    wanted = batch["entities"] > 0
    wanted[:3, 0] = True
    np.testing.assert_array_equal(touched[:3], wanted[:3])


def test_what_is_predicted_is_what_is_evaluated():
    objective = Classification(labels=LABELS, pool="entities")
    params = scattered(objective.build(MODEL), spread=1.0)
    dataset = opened(objective)
    experiment = Experiment(data=dataset.config, model=MODEL, objective=objective, parallel=Parallel(devices=1))
    expected = predictor(objective.build(MODEL), dataset, Devices(experiment.parallel))(params, "test")
    found = list(predict(experiment, params, WORDS, TEXTS))
    assert [each["label"] for each in found] == [each["predicted"] for each in expected]
    np.testing.assert_allclose([x["probability"] for x in found], [x["sure"] for x in expected], rtol=1e-4)
    assert [each["text"] for each in found] == TEXTS
    for texts, message in [
        ([TEXTS[0], "no marks"], "text 2: expected one <e1>"),
        ([(TEXTS[0], "a pair")], "text 1: expected one text"),
    ]:
        with pytest.raises(UserError, match=message):
            list(predict(experiment, params, WORDS, texts))
    one_by_one = dataclasses.replace(experiment, data=dataclasses.replace(dataset.config, eval_batch=1))
    far = f"<e1>a</e1> {'b ' * 40} <e2>c</e2>"
    with pytest.raises(UserError, match=f"text {TOGETHER + 1}: its two entities"):
        list(predict(one_by_one, params, WORDS, [TEXTS[0]] * TOGETHER + [far]))


def test_a_tokenizer_learns_from_what_is_read():
    data = Data(Source("made:relation/4"), tokenizer="words:60", length=16, layout="pad")
    tokenizer = open_data(data, Classification(pool="entities")).tokenizer
    assert {tokenizer.id_to_piece(index) for index in range(5, tokenizer.size)} == {*"abcdefghijklmnopqrstuvwxyz$#"}


def test_the_experiment_reads_marked_entities(tmp_path, capsys):
    experiment = resolve("semeval_relation", ["parallel.devices=1", "run.steps=2", "run.eval_every=2"], True)
    assert experiment.objective.pool == resolve("semeval_relation").objective.pool == "entities"
    experiment = dataclasses.replace(experiment, optimizer=dataclasses.replace(experiment.optimizer, warmup=0))
    train(experiment, tmp_path / "run", quiet=True)
    words = ["predict", str(tmp_path / "run"), "--json", "--text"]
    assert launch.main([*words, "<e1>a</e1> q <e2>z</e2>"]) == 0
    (said,) = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert said["label"] in ("Before(e1,e2)", "Before(e2,e1)", "Other")
    assert launch.main([*words, "a q z"]) == 2
    assert "text 1: expected one <e1>...</e1> and one <e2>...</e2>" in capsys.readouterr().err


def test_other_objectives_refuse_it():
    with pytest.raises(UserError, match=r"not one of first, mean, last$"):
        MultipleChoice(pool="entities")
    with pytest.raises(UserError, match="pool=entities is for objective=classification by itself"):
        Multitask((Classification(pool="entities"),), (1.0,))

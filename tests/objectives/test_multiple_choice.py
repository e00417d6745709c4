# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Multiple choice: a row holds all choices, and each scores as it would alone; columns are joined; what is asked is told."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.data import tokenizers
from seqjax.data.pipeline import Data, Dataset
from seqjax.data.sources import Source, from_records, open_split
from seqjax.errors import UserError
from seqjax.evaluation.evaluate import predictor
from seqjax.evaluation.predict import predict
from seqjax.experiment import Experiment
from seqjax.models import families
from seqjax.models.model import initialise
from seqjax.models.rnn import RNNConfig
from seqjax.objectives.multiple_choice import MultipleChoice
from seqjax.objectives.objective import call
from seqjax.objectives.supervised import Classification
from seqjax.training.parallel import Devices, Parallel

BYTES = tokenizers.build("bytes", list)
RECORDS = [
    {"text": "rain fell", "choices": ["it is wet", "dry"], "label": "0"},
    {"text": "he ate all of the bread there was", "choices": ["no", "he is full"], "label": "1"},
    {"text": "a", "choices": ["bc", "d"], "label": "0"},
]
MODELS = {
    "bert": families.bert(
        vocab_size=BYTES.size, layers=2, width=16, heads=2, mlp_width=32, max_length=80, init_std=0.3
    ),
    "rnn": RNNConfig(vocab_size=BYTES.size, width=16, bidirectional=True, init_scale=1.0),
}


def dataset(objective, **data):
    return Dataset(
        Data(length=64, eval_batch=4, **{"layout": "pad"} | data), objective, BYTES, lambda _: from_records(RECORDS)
    )


@pytest.mark.parametrize("pool", ["first", "mean", "last"])
@pytest.mark.parametrize("name", MODELS)
def test_each_choice_scores_as_it_would_alone(name, pool):
    """Against a classifier with one output and the same parameters, which reads one pair a row."""
    objective = MultipleChoice(labels=("0", "1"), pool=pool)
    model = objective.build(MODELS[name])
    params = initialise(model, jax.random.key(0))
    params["head"] = jax.tree.map(lambda x: 20.0 * x, params["head"])  # scores far apart
    rows = dataset(objective)
    logits_BK = call(model.apply, params, next(rows.evaluation("train", 0)), None)

    alone = Classification(labels=("score",), pool=pool)
    flat = [{"text": r["text"], "pair": c, "label": "score"} for r in RECORDS for c in r["choices"]]
    for record, places in ((flat[2], 27), (flat[3], 19)):  # 32 places each, three of them special
        record["text"] = record["text"][:places]
    pairs = Dataset(Data(length=48, eval_batch=8, layout="pad"), alone, BYTES, lambda _: from_records(flat))
    one = alone.build(MODELS[name])
    wanted = call(one.apply, params, next(pairs.evaluation("train", 0)), None)
    np.testing.assert_allclose(logits_BK[:3], np.asarray(wanted)[:6, 0].reshape(3, 2), atol=1e-5)
    assert np.abs(np.diff(logits_BK[:3])).max() > 1e-2


def test_rows_hold_all_choices_of_a_record():
    rows = dataset(MultipleChoice(labels=("0", "1")), layout="bucket", buckets=(16, 40)).rows("validation")
    assert rows.widths.tolist() == [40, 64, 16]
    row = rows.row(0)
    texts = [BYTES.decode(row["tokens"][row["segments"] == segment].tolist()) for segment in (1, 2)]
    assert [text.split() for text in texts] == [["rain", "fellit", "is", "wet"], ["rain", "felldry"]]
    assert row["token_types"][row["segments"] == 2].tolist() == [0] * 11 + [1] * 4
    assert [int(rows.row(i)["label"]) for i in range(3)] == [0, 1, 0]
    assert (rows.row(1)["segments"] == 1).sum() == (rows.row(1)["segments"] == 2).sum() == 32


def test_the_loss_is_a_softmax_over_choices():
    objective = MultipleChoice(labels=("0", "1"), pool="mean")
    logits = jnp.asarray([[1.0, 3.0], [0.0, 0.0], [5.0, 5.0]])
    batch = {"tokens": np.ones((3, 4)), "label": np.array([0, 1, 1]), "label_weight": np.array([1.0, 1.0, 0.0])}
    terms, metrics = objective.loss(lambda *args, **kwargs: (logits, None), {}, batch, None)
    np.testing.assert_allclose(terms["multiple_choice"][0], np.log1p(np.exp(2.0)) + np.log(2.0), rtol=1e-6)
    assert float(terms["multiple_choice"][1]) == 2.0 == float(objective.weights(batch)["multiple_choice"])
    assert float(metrics["accuracy"][0]) == 0.0


def test_what_is_predicted_is_what_is_evaluated():
    objective, model = MultipleChoice(labels=("0", "1"), pool="mean"), MODELS["rnn"]
    experiment = Experiment(model=model, objective=objective, data=Data(length=64, layout="pad", eval_batch=2))
    params = initialise(objective.build(model), jax.random.key(3))
    evaluated = predictor(objective.build(model), dataset(objective), Devices(Parallel(devices=1)))(params, "train")
    found = list(predict(experiment, params, BYTES, [(r["text"], *r["choices"]) for r in RECORDS]))
    assert [each["label"] for each in found] == [each["predicted"] for each in evaluated]
    assert [each["choices"] for each in found] == [record["choices"] for record in RECORDS]
    assert [each["cut"] for each in found] == [False, True, False]
    with pytest.raises(UserError, match="text 1: expected a text and its 2 choices"):
        list(predict(experiment, params, BYTES, [("a", "b")]))


def test_columns_are_joined(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(
        '{"premise": "it rained", "question": "effect", "choice1": "wet", "choice2": "dry", "label": 0}\n' * 4
    )
    source = Source(f"jsonl:{path}", holdout=0.25, text="premise,question", choices="choice1,choice2")
    record = open_split(source, "train")[0]
    assert {key: record[key] for key in ("text", "choices", "label")} == {
        "text": "it rained effect", "choices": ["wet", "dry"], "label": "0",
    }  # fmt: skip
    assert len(open_split(source, "train")) == 3
    with pytest.raises(UserError, match=r"record 1 has no column 'choice3' .*; choose with data.source.choices="):
        open_split(dataclasses.replace(source, choices="choice1,choice3"), "train")[0]


def test_every_record_has_as_many_choices_as_labels():
    records = from_records([{"text": "a", "choices": ["b", "c", "d"], "label": "0"}])
    data = Dataset(Data(length=64, layout="pad"), MultipleChoice(labels=("0", "1")), BYTES, lambda _: records)
    with pytest.raises(UserError, match=r"record 1 has 3 choices, but 2 labels name them \(0, 1\)"):
        data.rows("train")

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The worst errors are those that the probabilities say, beside their texts; parts by length add up to the whole."""

import jax
import numpy as np
import pytest

from seqjax.data import tokenizers
from seqjax.data.pipeline import Data, Dataset
from seqjax.data.sources import from_records
from seqjax.evaluation.evaluate import predictor, report, reported
from seqjax.evaluation.predict import predict
from seqjax.evaluation.tasks.answers import Answers
from seqjax.evaluation.tasks.table import task_of
from seqjax.experiment import Experiment
from seqjax.models.model import initialise
from seqjax.models.rnn import RNNConfig
from seqjax.objectives.multiple_choice import MultipleChoice
from seqjax.objectives.regression import Regression
from seqjax.objectives.supervised import Classification, Tagging
from seqjax.objectives.text_to_text import TextToText
from seqjax.objectives.two_towers import InBatchNegatives
from seqjax.training.parallel import Devices, Parallel

BYTES = tokenizers.build("bytes", list)
MODEL = RNNConfig(vocab_size=BYTES.size, width=16, layers=1, bidirectional=True, init_scale=1.0)
TEXTS = ["a b", "the cat sat on it", "a dog", "no", "it rained a lot here", "x y z", "so be it", "far away"]


def setting(objective, records, **data):
    """Returns (experiment, parameters of a model that nobody trained, model, dataset, devices)."""
    data = Data(**{"length": 16, "layout": "pad", "eval_batch": 4} | data)
    experiment = Experiment(data=data, model=MODEL, objective=objective, parallel=Parallel(devices=1))
    model = objective.build(MODEL)
    dataset = Dataset(data, objective, BYTES, lambda _: from_records(records))
    params = jax.tree.map(lambda x: 4.0 * x, initialise(model, jax.random.key(0)))
    return experiment, params, model, dataset, Devices(experiment.parallel)


def test_classes_that_are_surest_and_wrong_come_first():
    objective = Classification(labels=("no", "yes"), pool="mean")
    records = [{"text": text, "pair": "?", "label": "no"} for text in TEXTS]
    experiment, params, *opened = setting(objective, records)
    found = reported(*opened, params, "test")
    errors = found["worst"]["errors"]
    said = list(predict(experiment, params, BYTES, [(text, "?") for text in TEXTS]))
    wrong = sorted((each for each in said if each["label"] == "yes"), key=lambda each: -each["probability"])
    assert 1 < len(wrong) < len(TEXTS)
    assert [error["text"] for error in errors] == [f"{each['text']}\n?" for each in wrong]
    assert {(error["gold"], error["predicted"]) for error in errors} == {("no", "yes")}
    np.testing.assert_allclose([error["sure"] for error in errors], [each["probability"] for each in wrong], rtol=1e-5)
    losses = [-np.log(each["probabilities"]["no"]) for each in wrong]
    np.testing.assert_allclose([error["value"] for error in errors], losses, rtol=1e-4)
    parts = found["by_length"]
    lengths = sorted(len(text) + 1 for text in TEXTS)
    assert [part["longest"] for part in parts] == lengths[1::2]
    np.testing.assert_allclose(np.mean([part["accuracy"] for part in parts]), found["accuracy"])
    assert f"tokens up to        count             accuracy\n{lengths[1]:<16} " in task_of(objective).formatted(found)
    assert task_of(objective).headlines(found)["macro_f1"] == found["macro"]["f1"]


@pytest.mark.parametrize("crf", [False, True])
def test_of_tags_words_that_are_wrong_are_shown(crf):
    objective = Tagging(labels=("O", "B-A", "I-A"), crf=crf)
    records = [{"words": text.split(), "tags": ["O"] * len(text.split())} for text in TEXTS]
    _, params, model, dataset, devices = setting(objective, records, length=8)  # of which the longest need several
    pairs = predictor(model, dataset, devices)(params, "test")
    assert [len(pair["chance"]) for pair in pairs] == [len(record["words"]) for record in records]
    if not crf:  # what is likeliest in a sequence need not be at a word
        assert all(a <= b for pair in pairs for a, b in zip(pair["chance"], pair["sure"], strict=True))
    errors = task_of(objective).worst(dataset.records("test"), pairs)["errors"]
    wrong = [i for i, pair in enumerate(pairs) if set(pair["predicted"]) != {"O"}]
    wrong.sort(key=lambda i: sum(np.log(pairs[i]["chance"])))
    assert len(wrong) > 1 and [error["text"] for error in errors] == [TEXTS[i] for i in wrong]
    for i, error in zip(wrong, errors, strict=True):
        shown = [(w, t) for w, t in zip(records[i]["words"], pairs[i]["predicted"], strict=True) if t != "O"]
        assert error["predicted"] == ", ".join(f"{word} {tag}" for word, tag in shown)
        assert error["gold"] == ", ".join(f"{word} O" for word, _ in shown)
    assert sum(part["count"] for part in report(objective, pairs)["by_length"]) == len(TEXTS)


def test_numbers_and_choices():
    objective = Regression(pool="mean")
    records = [{"text": text, "label": str(i)} for i, text in enumerate(TEXTS)]
    _, params, *opened = setting(objective, records)
    found = reported(*opened, params, "test")
    values = [error["value"] for error in found["worst"]["errors"]]
    assert values == sorted(values, reverse=True) and len(values) == len(TEXTS)
    np.testing.assert_allclose(np.mean(values), found["mean_absolute_error"], rtol=1e-6)
    objective = MultipleChoice(labels=("0", "1"), pool="mean")
    records = [{"text": text, "choices": [text[:1], text[1:]], "label": str(i % 2)} for i, text in enumerate(TEXTS)]
    _, params, *opened = setting(objective, records, length=32)
    found = reported(*opened, params, "test")
    wrong = {error["text"] for error in found["worst"]["errors"]}
    assert len(wrong) == round((1 - found["accuracy"]) * len(TEXTS)) > 0
    assert wrong < {f"{text}\n- {text[:1]}\n- {text[1:]}" for text in TEXTS}


def test_of_what_is_not_found_first_the_first_is_shown():
    records = [{"text": text, "pair": text[0] * 9} for text in TEXTS]
    _, params, *opened = setting(InBatchNegatives(group=4), records, length=48, eval_batch=4)
    found = reported(*opened, params, "test")
    errors = found["worst"]["errors"]
    assert len(errors) == round((1 - found["recall_at_1"]) * len(TEXTS)) > 1
    assert [error["value"] for error in errors] == sorted((error["value"] for error in errors), reverse=True)
    for error in errors:
        assert error["gold"] == error["text"][0] * 9 != error["predicted"] and error["value"] > 1
    low, high = found["intervals"]["mrr"]
    assert low < found["mrr"] < high


def test_of_texts_those_that_share_least_with_gold_come_first():
    pairs = [
        {"source": "a", "gold": ["one two", "three"], "predicted": "three "},
        {"source": "b", "gold": ["a long walk"], "predicted": "a long talk"},
        {"source": "c", "gold": "quite", "predicted": "zzz"},
    ]
    errors = Answers(TextToText()).worst(None, pairs)["errors"]
    assert [error["text"] for error in errors] == ["c", "b"]
    assert errors[0]["value"] == 0.0 < errors[1]["value"] < 100.0

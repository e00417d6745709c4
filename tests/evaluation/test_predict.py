# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""What a run says of unlabelled texts is what evaluation says of the same texts with labels."""

import json

import jax
import numpy as np
import pytest

import launch
from seqjax.data import tokenizers
from seqjax.data.pipeline import Data, Dataset
from seqjax.data.sources import from_records
from seqjax.errors import UserError
from seqjax.evaluation.evaluate import predictor
from seqjax.evaluation.predict import predict
from seqjax.evaluation.texts import answers
from seqjax.experiment import Experiment, resolve
from seqjax.models.model import initialise
from seqjax.models.rnn import RNNConfig
from seqjax.models.seq2seq import Seq2SeqConfig
from seqjax.objectives.clm import CLM
from seqjax.objectives.continuation import Continuation
from seqjax.objectives.supervised import Classification, Tagging
from seqjax.objectives.text_to_text import TextToText
from seqjax.training.parallel import Devices, Parallel
from seqjax.training.run import train

TEXTS = ["abc de", "x", "a much longer text than the others are", "zz y", "de abc"]
BYTES = tokenizers.build("bytes", list)


def setting(objective, model=None, **data):
    """Returns (experiment, parameters) of a model that nobody has trained."""
    model = model or RNNConfig(vocab_size=BYTES.size, width=16, layers=1, bidirectional=True, init_scale=1.0)
    experiment = Experiment(data=Data(**{"length": 24, "layout": "pad", "eval_batch": 2} | data), model=model)
    experiment = Experiment(data=experiment.data, model=model, objective=objective, parallel=Parallel(devices=1))
    return experiment, initialise(objective.build(model), jax.random.key(0))


def evaluated(experiment, params, records):
    dataset = Dataset(experiment.data, experiment.objective, BYTES, lambda _: from_records(records))
    model = experiment.objective.build(experiment.model)
    return predictor(model, dataset, Devices(experiment.parallel))(params, "test")


@pytest.mark.parametrize("paired", [False, True])
def test_classes(paired):
    experiment, params = setting(Classification(labels=("no", "yes"), pool="mean"))
    records = [{"text": text, "label": "no"} | ({"pair": text[::-1]} if paired else {}) for text in TEXTS]
    expected = [each["predicted"] for each in evaluated(experiment, params, records)]
    texts = [(text, text[::-1]) for text in TEXTS] if paired else TEXTS
    found = list(predict(experiment, params, BYTES, iter(texts)))
    assert [each["label"] for each in found] == expected
    assert [each["text"] for each in found] == TEXTS
    assert len(set(expected)) == 2
    for each in found:
        np.testing.assert_allclose(sum(each["probabilities"].values()), 1.0, rtol=1e-5)
        assert each["probability"] == each["probabilities"][each["label"]] == max(each["probabilities"].values())
    assert [each["cut"] for each in found] == [(paired and len(text) > 10) or len(text) > 22 for text in TEXTS]


@pytest.mark.parametrize("crf", [False, True])
def test_tags(crf):
    experiment, params = setting(Tagging(labels=("O", "B-A", "I-A"), crf=crf))
    records = [{"words": text.split(), "tags": ["O"] * len(text.split())} for text in TEXTS]
    expected = [each["predicted"] for each in evaluated(experiment, params, records)]
    found = list(predict(experiment, params, BYTES, TEXTS))
    assert [each["words"] for each in found] == [text.split() for text in TEXTS]
    assert [each["tags"] for each in found] == expected
    for each in found:
        for entity in each["entities"]:
            assert entity["text"] == " ".join(each["words"][entity["start"] : entity["stop"]])
    assert any(each["entities"] for each in found)


@pytest.mark.parametrize("alone", [False, True])
def test_answers(alone):
    kind, objective, places = (RNNConfig, Continuation(), 12) if alone else (Seq2SeqConfig, TextToText(ratio=0.5), 24)
    model = kind(vocab_size=BYTES.size, width=16, init_scale=1.0)
    experiment, params = setting(objective, model)
    records = from_records([{"text": text, "pair": text} for text in TEXTS])
    dataset = Dataset(experiment.data, experiment.objective, BYTES, lambda _: records)
    expected = [each["predicted"] for each in answers(experiment.objective.build(model), dataset, params, "test")]
    found = list(predict(experiment, params, BYTES, TEXTS))
    assert [each["answer"] for each in found] == expected
    assert [each["cut"] for each in found] == [len(text) >= places for text in TEXTS]


def test_what_cannot_be_asked_is_refused():
    experiment, params = setting(Classification(labels=("no", "yes")))
    for texts, message in [
        (["a", ("b", "c")], "text 2: expected one text, found"),
        ([("b", "c"), "a"], "text 2: expected a pair of texts, as the first is, found 'a'"),
        (["a", " "], "text 2: expected text, found nothing"),
    ]:
        with pytest.raises(UserError, match=message):
            list(predict(experiment, params, BYTES, texts))
    experiment, params = setting(CLM(), RNNConfig(vocab_size=BYTES.size, width=16, layers=1))
    with pytest.raises(UserError, match="fine-tune it first"):
        list(predict(experiment, params, BYTES, ["a"]))


def test_the_command(tmp_path, capsys):
    run = str(tmp_path / "run")
    train(
        resolve("quickstart_package", ["parallel.devices=1", "run.steps=1", "optimizer.warmup=0"], True),
        tmp_path / "run",
        True,
    )
    (tmp_path / "in.txt").write_text("".join(f"{text}\n" for text in TEXTS))
    out = str(tmp_path / "out.jsonl")
    assert launch.main(["predict", run, "--file", str(tmp_path / "in.txt"), "--out", out]) == 0
    written = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [each["text"] for each in written] == TEXTS
    capsys.readouterr()
    assert launch.main(["predict", run, "--text", TEXTS[0], "--text", TEXTS[3], "--json"]) == 0
    shown = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [each["label"] for each in shown] == [written[0]["label"], written[3]["label"]]
    for words, message in [
        (["--file", "nowhere"], "cannot read nowhere"),
        ([], "give either --text"),
        (["--text", "a", "--file", "b"], "give either --text"),
        (["--text", "a", "--out", out], "is there already"),
        (["--text", ""], "text 1: expected text"),
    ]:
        assert launch.main(["predict", run, *words]) == 2
        assert message in capsys.readouterr().err

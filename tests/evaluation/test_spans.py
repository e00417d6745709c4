# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Answers: the best span of all, whatever window it is in; evaluation and prediction say the same."""

import dataclasses
import json

import jax
import numpy as np
import pytest

import launch
from seqjax.data import tokenizers
from seqjax.data.corpus import tokenise
from seqjax.data.pipeline import Data, Dataset
from seqjax.data.rows import lay_out
from seqjax.data.sources import from_records
from seqjax.errors import UserError
from seqjax.evaluation.evaluate import predictor, report, reported
from seqjax.evaluation.predict import predict
from seqjax.evaluation.spans import answer_all, best_spans, choose
from seqjax.experiment import Experiment, resolve
from seqjax.models.model import initialise
from seqjax.models.transformer_config import TransformerConfig
from seqjax.objectives.question_answering import QuestionAnswering
from seqjax.training.parallel import Devices, Parallel
from seqjax.training.run import train

BYTES = tokenizers.build("bytes", list)
CONTEXTS = ["Zoë has a cat ", "x", "a much longer text\nthan the others are, of 猫 and 80 more", "  "]
RECORDS = [
    {"text": f"{word}?", "pair": context, "answers": [{"text": context[:3], "answer_start": 0}] * (word == "Who")}
    for word in ("Who", "What")
    for context in CONTEXTS
    if context.strip()
]


@pytest.mark.parametrize("seed", range(8))
def test_best_spans_are_those_of_trying_all(seed):
    rng = np.random.default_rng(seed)
    places, longest, count = int(rng.integers(1, 12)), int(rng.integers(1, 15)), int(rng.integers(1, 20))
    start, end = rng.integers(-3, 4, (2, places)).astype(np.float32)
    every = [(a, b, float(start[a] + end[b])) for a in range(places) for b in range(a, min(places, a + longest))]
    assert best_spans(start, end, longest, count) == sorted(every, key=lambda each: (-each[2], *each[:2]))[:count]
    assert best_spans(start[:0], end[:0], longest, count) == []


@pytest.mark.parametrize(("length", "overlap"), [(15, 5), (20, 6), (96, 9)])
@pytest.mark.parametrize("spec", ["bytes", "bpe:270"])
def test_the_span_that_scores_highest_is_found_in_whichever_window(spec, length, overlap):
    """A model that knows the answer: its logits are 5 at the answer's places and 0 elsewhere in the context."""
    tokenizer = tokenizers.build(spec, lambda: CONTEXTS)
    objective = QuestionAnswering(question_length=4)
    text = "long"
    record = {"text": "Who?", "pair": CONTEXTS[2], "answers": [{"text": text, "answer_start": 7}]}
    corpus = tokenise(from_records([record]), tokenizer, "answers")
    rows = lay_out(corpus, tokenizer, "pad", "wrapped", length, 0, whole=True, overlap=overlap, question=4)
    logits = {}
    for i in range(len(rows)):
        logits[i] = np.zeros((length, 2), np.float32)
        logits[i][0] = -i
        answer = rows.row(i)["answer"]
        if answer.any():
            logits[i][answer[0], 0] = logits[i][answer[1], 1] = 5.0
    (found,) = answer_all(objective, rows, logits, [record["pair"]])
    assert text in found["answer"]
    assert found["answer"] == record["pair"][found["start"] : found["stop"]].strip()
    assert found["score"] == 10.0 + 2 * (len(rows) - 1)  # above no answer, whose score is the least of any window's
    assert len({(each["start"], each["stop"]) for each in found["n_best"]}) == len(found["n_best"]) <= 20


def test_choosing_by_hand():
    spans = {(0, 1): 2.0, (0, 3): 3.0, (2, 3): 1.0}
    found = choose(QuestionAnswering(n_best=2), "abc", spans, 2.5)
    chances = np.exp([3.0, 2.0]) / np.exp([3.0, 2.0]).sum()
    assert [each["answer"] for each in found["n_best"]] == ["abc", "a"]
    np.testing.assert_allclose([each["probability"] for each in found["n_best"]], chances)
    assert (found["answer"], found["start"], found["stop"], found["score"]) == ("abc", 0, 3, 0.5)
    chances = np.exp([3.0, 2.0, 2.5]) / np.exp([3.0, 2.0, 2.5]).sum()
    for threshold, answer, chance in ((0.5, "abc", chances[0]), (0.51, "", chances[2])):
        found = choose(QuestionAnswering(n_best=2, no_answer=True, threshold=threshold), "abc", spans, 2.5)
        assert (found["answer"], found["score"]) == (answer, 0.5)
        assert found["probability"] == pytest.approx(chance)
        assert found["n_best"][0]["probability"] == pytest.approx(chances[0])
    found = choose(QuestionAnswering(), "abc", {}, 2.5)
    assert (found["answer"], found["probability"], found["n_best"]) == ("", 1.0, [])


def setting(no_answer=True, **data):
    """Returns (experiment, parameters) of a model that nobody has trained, whose logits differ from place to place."""
    model = TransformerConfig(
        vocab_size=BYTES.size, layers=1, width=16, heads=2, mlp_width=32, max_length=64, causal=False, token_types=2,
        init_std=1.0,
    )  # fmt: skip
    objective = QuestionAnswering(no_answer=no_answer, question_length=5, answer_length=6, dropout=0.1)
    data = Data(**{"length": 20, "layout": "pad", "eval_batch": 4, "overlap": 5} | data)
    experiment = Experiment(data=data, model=model, objective=objective, parallel=Parallel(devices=1))
    params = initialise(objective.build(model), jax.random.key(0))
    return experiment, jax.tree.map(lambda x: 20.0 * x if x.shape[-1:] == (2,) else x, params)


def opened(experiment, records=RECORDS):
    dataset = Dataset(experiment.data, experiment.objective, BYTES, lambda _: from_records(records))
    return experiment.objective.build(experiment.model), dataset, Devices(experiment.parallel)


@pytest.mark.parametrize("size", [1, 3, 64])
@pytest.mark.parametrize("layout", ["pad", "bucket"])
def test_answers_depend_on_neither_batch_nor_width(size, layout):
    experiment, params = setting()
    expected = predictor(*opened(experiment))(params, "test")
    buckets = {"buckets": (8, 12, 16)} if layout == "bucket" else {}
    other, _ = setting(eval_batch=size, layout=layout, **buckets)
    found = predictor(*opened(other))(params, "test")
    assert [each["predicted"] for each in found] == [each["predicted"] for each in expected]
    np.testing.assert_allclose([each["score"] for each in found], [each["score"] for each in expected], rtol=1e-4)
    assert len({each["predicted"] for each in expected}) > 3
    for each, record in zip(expected, RECORDS, strict=True):
        assert each["source"] == record["text"]
        assert each["gold"] == [answer["text"] for answer in record["answers"]]
        assert each["predicted"] in record["pair"]


def test_prediction_is_what_evaluation_says():
    experiment, params = setting()
    model, dataset, devices = opened(experiment)
    expected = predictor(model, dataset, devices)(params, "test")
    texts = [(record["text"], record["pair"]) for record in RECORDS] + [("Who killed the old cat?", "  ")]
    found = list(predict(experiment, params, BYTES, texts[:-1]))
    assert [(each["question"], each["context"]) for each in found] == texts[:-1]
    threshold = float(np.median([each["score"] for each in expected]))
    for said, each in zip(found, expected, strict=True):
        assert said["n_best"][0]["answer"] == each["predicted"]
        np.testing.assert_allclose(said["score"], each["score"], rtol=1e-4)
        assert said["answer"] == (each["predicted"] if each["score"] >= 0 else "")
        assert said["context"][said["start"] : said["stop"]] == said["answer"]
        assert not said["cut"]
    objective = dataclasses.replace(experiment.objective, threshold=threshold)
    again = list(predict(dataclasses.replace(experiment, objective=objective), params, BYTES, texts[:-1]))
    assert 0 < sum(each["answer"] == "" for each in again) < len(again)
    for wrong, message in [
        (["a"], "text 1: expected a question and its context, found 'a'"),
        (texts, f"text {len(texts)}: expected text, found nothing"),
    ]:
        with pytest.raises(UserError, match=message):
            list(predict(experiment, params, BYTES, wrong))
    (cut,) = predict(experiment, params, BYTES, [("Who killed the cat?", "Zoë")])
    assert cut["cut"]


def test_the_threshold_is_tuned_on_validation_alone():
    experiment, params = setting()
    model, dataset, devices = opened(experiment)
    halves = {"validation": RECORDS[::2], "test": RECORDS[1::2]}
    dataset.records = lambda split: from_records(halves[split])
    predict_, objective = predictor(model, dataset, devices), experiment.objective
    tuned = report(objective, predict_(params, "validation"))["best_f1_thresh"]
    found = reported(model, dataset, devices, params, "test")
    assert found["threshold"] == 0.0
    assert found["tuned"]["threshold"] == tuned
    expected = report(dataclasses.replace(objective, threshold=tuned), predict_(params, "test"))
    assert found["tuned"] == expected
    validation = reported(model, dataset, devices, params, "validation")
    assert validation["tuned"]["f1"] == pytest.approx(validation["best_f1"])


def test_the_commands(tmp_path, capsys):
    run = str(tmp_path / "run")
    overrides = ["parallel.devices=1", "run.steps=1", "run.eval_every=1", "optimizer.warmup=0"]
    train(resolve("squad_v2", overrides, True), tmp_path / "run", True)
    asked = [{"question": "What does f return?", "context": "def f(x):\n    return x + 1"}] * 3
    for name, content in {
        "in.jsonl": "".join(json.dumps(each) + "\n" for each in asked),
        "in.txt": "".join(f"{each['question']}\t{each['context']}\n".replace("\n    ", " ") for each in asked),
    }.items():
        (tmp_path / name).write_text(content)
        out = tmp_path / f"{name}.out"
        words = ["predict", run, "--file", str(tmp_path / name), "--out", str(out), "--threshold", "-99"]
        assert launch.main(words) == 0
        written = [json.loads(line) for line in out.read_text().splitlines()]
        assert [each["question"] for each in written] == [each["question"] for each in asked]
        for each in written:
            assert each["answer"] == each["context"][each["start"] : each["stop"]] == each["n_best"][0]["answer"] != ""
            assert each["probability"] == each["n_best"][0]["probability"]
    capsys.readouterr()
    text = "\t".join(asked[0].values())
    for threshold, shown in (("-99", written[0]["answer"]), ("99", "(no answer)")):
        assert launch.main(["predict", run, "--text", text, "--threshold", threshold]) == 0
        assert capsys.readouterr().out.startswith(f"{shown}  0.")
    assert launch.main(["eval", run, "--json"]) == 0
    last = capsys.readouterr()
    found = json.loads(last.out.splitlines()[-1])["report"]
    assert found["tuned"]["f1"] == pytest.approx(found["best_f1"], abs=1.0)
    assert "HasAns_f1" in last.err

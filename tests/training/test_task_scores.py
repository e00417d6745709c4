# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""A run is judged by a score of its task: the checkpoint that its report would choose, the same after a resume."""

import dataclasses
import json
import os
import random
import signal

import numpy as np
import pytest
import sklearn.metrics

import launch
from seqjax.data.pipeline import Dataset
from seqjax.data.sources import from_records
from seqjax.errors import UserError
from seqjax.evaluation.evaluate import predictor, reported
from seqjax.evaluation.running import evaluator
from seqjax.evaluation.tasks.table import task_of
from seqjax.objectives.continuation import Continuation
from seqjax.objectives.question_answering import QuestionAnswering
from seqjax.objectives.supervised import Classification, Tagging
from seqjax.training import checkpoint
from seqjax.training.finish import finish
from seqjax.training.optimizers import Optimizer
from seqjax.training.parallel import Devices, Parallel
from seqjax.training.prepare import check_metric, prepare, reopen
from seqjax.training.run import train
from tests.training.settings import experiment, measured, text
from tests.training.test_evaluation import CHOOSING, setting

NAMES = ("Anna", "Bert", "Carl", "Dora")


def tagged(folder, sentences=60):
    """Writes sentences of which one word in eight is a name, of one or two words, and returns their spec."""
    chooser = random.Random(0)
    lines = []
    for _ in range(sentences):
        for _ in range(chooser.randint(2, 8)):
            if chooser.random() < 0.12:
                lines.append(f"{chooser.choice(NAMES)} B-PER")
                lines += [f"{chooser.choice(NAMES)} I-PER"] * (chooser.random() < 0.5)
            else:
                lines.append(f"{chooser.choice(['a', 'the', 'goes', 'home'])} O")
        lines.append("")
    path = folder / "names.conll"
    path.write_text("\n".join(lines) + "\n")
    return f"conll:{path}"


def names(folder, **changes):
    """Returns an experiment that tags names, judged by their F1."""
    config = experiment(
        tagged(folder), "mlm", **{"metric": "entity_f1", "direction": "max", "eval_rows": 0, "seed": 1} | changes
    )
    data = dataclasses.replace(config.data, tokenizer="words:100")
    optimizer = Optimizer(peak_lr=5e-3, warmup=3)
    return dataclasses.replace(config, data=data, objective=Tagging(dropout=0.0), optimizer=optimizer)


def evaluations(folder):
    return {line["step"]: line for line in measured(folder) if "eval/loss" in line}


def test_the_best_checkpoint_is_that_of_the_task(tmp_path):
    """The scores are those of the report of that checkpoint; that nothing is a name is often right, and finds none."""
    config = names(tmp_path, steps=8, eval_every=1, keep=20)
    outcome = finish(train(config, tmp_path / "run", quiet=True))
    found = evaluations(tmp_path / "run")
    assert set(task_of(Tagging(labels=("O", "B-PER"))).score_names()) <= {
        name.removeprefix("eval/") for name in found[2]
    }
    after = {step: line for step, line in found.items() if step}
    best, other = (max(after, key=lambda step: after[step][f"eval/{name}"]) for name in ("entity_f1", "accuracy"))
    assert outcome["best_step"] == best != other
    assert outcome["best"] == after[best]["eval/entity_f1"] > after[other]["eval/entity_f1"] == 0
    experiment_, params = checkpoint.load(tmp_path / "run")  # the best
    prepared = reopen(experiment_, tmp_path / "run")
    report = reported(prepared.model, prepared.dataset, Devices(Parallel("jit", 1)), params, "validation")
    assert report["micro"]["f1"] == outcome["best"] == outcome["scores"]["after"]["entity_f1"]
    assert report["token_accuracy"] == after[best]["eval/token_accuracy"]
    judged = dataclasses.replace(config, run=dataclasses.replace(config.run, metric="accuracy"))
    outcome = train(judged, tmp_path / "accuracy", quiet=True)
    assert outcome["best_step"] == other
    assert "eval/entity_f1" not in outcome  # which is only computed where it is asked for


def test_tags_of_no_scheme_are_judged_as_classes_of_words(tmp_path):
    (tmp_path / "speech.conll").write_text("the DT\nhouse NN\nfell VBD\n\nAnna NN\nsleeps VBD\n\n" * 20)
    config = names(tmp_path, steps=4, eval_every=1, metric="macro_f1")
    source = dataclasses.replace(config.data.source, train=f"conll:{tmp_path / 'speech.conll'}")
    config = dataclasses.replace(config, data=dataclasses.replace(config.data, source=source))
    outcome = finish(train(config, tmp_path / "run", quiet=True))
    assert outcome["best"] == outcome["report"]["macro"]["f1"]
    assert set(outcome["report"]["per_class"]) == {"DT", "NN", "VBD"}
    experiment_, params = checkpoint.load(tmp_path / "run")
    prepared = reopen(experiment_, tmp_path / "run")
    found = predictor(prepared.model, prepared.dataset, Devices(Parallel("jit", 1)))(params, "validation")
    words = ([tag for each in found for tag in each[side]] for side in ("gold", "predicted"))
    assert outcome["report"]["accuracy"] == sklearn.metrics.accuracy_score(*words)
    chain = dataclasses.replace(config, objective=Tagging(crf=True))
    with pytest.raises(UserError, match=r"tag 'DT' is not O, B-TYPE, .* set objective.constrained=false"):
        prepare(chain)


def test_patience_and_a_resume_count_it(tmp_path):
    config = names(tmp_path, steps=60, eval_every=2, patience=3)
    config = dataclasses.replace(config, optimizer=Optimizer(name="sgd", peak_lr=1e-6, schedule="constant"))
    whole = train(config, tmp_path / "whole", quiet=True)
    assert whole["status"] == "stopped early" and whole["step"] == whole["best_step"] + 2 * 3
    train(config, tmp_path / "broken", quiet=True, until=whole["step"] - 3)
    broken = train(config, tmp_path / "broken", quiet=True)
    assert (broken["step"], broken["best_step"]) == (whole["step"], whole["best_step"])
    assert measured(tmp_path / "broken") == measured(tmp_path / "whole")


def test_an_evaluation_broken_off_among_predictions_is_done_again(tmp_path, monkeypatch):
    """The signal comes when the sums are there and the predictions are not."""
    config = names(tmp_path, steps=12, eval_every=4)
    train(config, tmp_path / "whole", quiet=True)
    plain, predicting = Dataset.numbered, []

    def numbered(self, split, seed, multiple=1, limit=0):
        predicting.extend([limit] * (limit > 1))  # predictions ask for as many rows as there are
        for batch in plain(self, split, seed, multiple, limit):
            if len(predicting) == 2:  # at step 4, after that before training
                os.kill(os.getpid(), signal.SIGTERM)
            yield batch

    monkeypatch.setattr(Dataset, "numbered", numbered)
    assert train(config, tmp_path / "broken", quiet=True)["status"] == "interrupted"
    assert checkpoint.steps(tmp_path / "broken") == [4]
    assert checkpoint.read_meta(tmp_path / "broken", 4)["metric"] is None
    monkeypatch.setattr(Dataset, "numbered", plain)
    assert train(config, tmp_path / "broken", quiet=True)["status"] == "complete"
    assert measured(tmp_path / "broken") == measured(tmp_path / "whole")


@pytest.mark.parametrize(
    "parallel", [Parallel("jit", 8), Parallel("pmap", 8), Parallel("mesh", 8, fsdp=2, sequence=2), Parallel("mesh", 4)]
)
@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("tagging", "entity_f1"), ("classification", "macro_f1"), ("regression", "spearman"), ("choice", "mcc"),
        ("towers", "mrr"), ("answers", "f1"), ("continuation", "chrf"),
    ],
)  # fmt: skip
def test_devices_do_not_matter(name, metric, parallel):
    model, params, dataset = setting(name)
    if name == "choice":  # no two choices alike, whose scores would be but for rounding
        records = [record | {"choices": ["one", record["text"] + " two", "3"]} for record in CHOOSING]
        dataset = dataclasses.replace(dataset, records=lambda split: from_records(records))
    many, one = Devices(parallel), Devices(Parallel("jit", 1))
    expected = evaluator(model, dataset, one, 0, metric)(params, "validation", 21)
    placed = many.create(lambda: params) if many.divides else many.replicate(params)
    found = evaluator(model, dataset, many, 0, metric)(placed, "validation", 21)
    assert metric in expected and list(found) == list(expected)
    np.testing.assert_allclose(list(found.values()), list(expected.values()), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("limit", [1, 2, 5, 9])
@pytest.mark.parametrize("name", ["tagging", "answers"])
def test_a_limit_is_of_records_that_are_whole(name, limit):
    model, params, dataset = setting(name)
    dataset = dataclasses.replace(dataset, config=dataclasses.replace(dataset.config, length=16))
    if name == "answers":
        dataset = dataclasses.replace(dataset, objective=QuestionAnswering(no_answer=True, question_length=5))
    predict = predictor(model, dataset, Devices(Parallel("jit", 1)))
    every, rows = predict(params, "validation"), dataset.rows("validation")
    found = predict(params, "validation", limit)
    documents = rows.windows[:, 0].tolist()
    whole = [number for number in set(documents) if number not in documents[limit:]]
    assert len(documents) > len(every)
    assert [pair["predicted"] for pair in found] == [pair["predicted"] for pair in every[: max(len(whole), 1)]]


def test_a_wrong_name_is_refused_with_the_right_ones(tmp_path):
    def refused(objective, wanted, metric="entity_f", spec="stdlib/package", base="mlm"):
        config = experiment(spec, base, metric=metric)
        config = dataclasses.replace(config, objective=objective or config.objective)
        with pytest.raises(UserError) as caught:
            train(config, tmp_path / "run", quiet=True)
        assert not (tmp_path / "run" / "run.json").exists()
        assert str(caught.value) == f"run.metric={metric} is not among the scores: {wanted}"

    averages = "micro_f1, macro_f1, weighted_f1"
    refused(Classification(), f"loss, accuracy, classification, mcc, {averages}")
    tokens = "token_accuracy, token_f1_macro_with_O, token_f1_macro_without_O, token_f1_micro_without_O"
    entities = "entity_f1, entity_f1_macro, entity_f1_weighted"
    refused(Tagging(), f"loss, accuracy, tagging, {tokens}, {entities}", "mcc", tagged(tmp_path))
    errors = "mean_squared_error, mean_absolute_error"
    refused(None, f"loss, absolute_error, regression, pearson, spearman, {errors}", base="regression")
    refused(None, "loss, accuracy, retrieval, recall_at_1, recall_at_5, recall_at_10, mrr", "f1", base="towers")
    best = "exact, f1, best_exact, best_f1"
    refused(None, f"loss, accuracy, end, start, {best}", "threshold", text(tmp_path), base="answers")
    sums = "loss, accuracy, text"
    refused(None, f"{sums}, bleu, chrf, rouge1, rouge2, rougeL, rougeLsum, exact, length_ratio", base="continuation")
    classes = Continuation(prefix=True, judged="class")
    refused(classes, f"{sums}, answer_accuracy, mcc, {averages}", "mc", base="continuation")
    refused(None, "loss, accuracy, mlm", "mcc", text(tmp_path))


@pytest.mark.parametrize(
    ("metric", "high"), [("entity_f1", True), ("accuracy", True), ("loss", False), ("tagging", False)]
)
def test_the_worst_is_not_taken_for_the_best(metric, high, tmp_path):
    better, worse, which = ("max", "min", "higher") if high else ("min", "max", "lower")
    check_metric(prepare(names(tmp_path, metric=metric, direction=better)))
    message = f"run.metric={metric} is the better the {which} it is; set run.direction={better}"
    with pytest.raises(UserError, match=message):
        check_metric(prepare(names(tmp_path, metric=metric, direction=worse)))


def test_scores_before_and_after_are_of_the_same_rows(tmp_path):
    config = names(tmp_path, metric="accuracy", eval_rows=3)
    outcome = finish(train(config, tmp_path / "run", quiet=True))
    lines = evaluations(tmp_path / "run")
    for when, step in (("before", 0), ("after", outcome["best_step"])):
        assert outcome["scores"][when]["accuracy"] == lines[step]["eval/accuracy"]
    assert outcome["scores"]["after"].keys() > outcome["scores"]["before"].keys()


def test_several_processes_do_not_decode(tmp_path, monkeypatch):
    prepared = prepare(experiment("", "continuation", metric="bleu", direction="max"))
    check_metric(prepared)
    monkeypatch.setattr("jax.process_count", lambda: 2)
    with pytest.raises(UserError, match="several processes do not decode together; use one of loss, accuracy, text"):
        check_metric(prepared)


def test_texts_are_decoded_where_they_are_the_metric(tmp_path):
    config = experiment("", "continuation", metric="exact", direction="max", steps=4, eval_rows=6)
    outcome = train(config, tmp_path / "run", quiet=True)
    assert {"eval/bleu", "eval/chrf", "eval/exact", "eval/loss"} <= set(evaluations(tmp_path / "run")[4])
    assert outcome["best"] == max(line["eval/exact"] for step, line in evaluations(tmp_path / "run").items() if step)


def test_a_sweep_takes_the_best_of_the_task(tmp_path, capsys):
    spec = tagged(tmp_path)
    words = ["sweep", "stdlib_roles", "--tiny", "--quiet", "parallel.devices=1", "run.steps=2", "run.eval_every=1"]
    words += [f"data.source.train={spec}", "run.metric=entity_f1", "run.direction=max", "run.eval_rows=0"]
    words += ["optimizer.warmup=0", "--json", "--run", str(tmp_path / "sweep")]
    assert launch.main([*words, "optimizer.peak_lr=1e-9,1e-1"]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    scores = {row["trial"]: row["score"] for row in result["trials"]}
    assert result["metric"] == "entity_f1"
    for trial, score in scores.items():
        found = evaluations(tmp_path / "sweep" / f"trial-{trial}")
        assert score == max(line["eval/entity_f1"] for step, line in found.items() if step)

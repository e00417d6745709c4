# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Evaluation: sums over every row of a split, divided once at the end."""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from seqjax.data.pipeline import Dataset
from seqjax.data.questions import answers as answers_of
from seqjax.data.rows import Rows
from seqjax.evaluation import analysis, metrics, spans, squad, texts
from seqjax.evaluation.analysis import Judged
from seqjax.evaluation.retrieval import nearest, retrieval_report, vectors
from seqjax.evaluation.stopping import Stop, never, until
from seqjax.models.model import Model, shapes
from seqjax.objectives.answering import Answering
from seqjax.objectives.question_answering import QuestionAnswering
from seqjax.objectives.regression import Regression
from seqjax.objectives.supervised import Classification, Tagging
from seqjax.objectives.two_towers import InBatchNegatives
from seqjax.training.parallel import Devices
from seqjax.training.step import evaluation_step
from seqjax.types import Batch, Params

Scorer = Callable[..., dict[str, float]]
SAMPLES = 10  # texts that a report shows
TUNED = "validation"  # the split on which the threshold of no answer is chosen
REPORTED = Judged | InBatchNegatives | Answering  # objectives with scores by class, of numbers or of whole texts


def scorer(model: Model, dataset: Dataset, devices: Devices, seed: int) -> Scorer:
    """Returns a function (params, split, limit=0, stop=never) -> {"loss": ..., metric: ...} that compiles once.

    It asks `stop` before each batch, and raises BrokenOff where that says so.
    The result is the same for any batch size and number of devices, up to the rounding of a sum. "loss" is the sum of
    the objective's terms, each times its factor and in nats per unit of weight. A causal language model gets
    "perplexity" too, and "bits_per_byte" of the original text where all of it was read.
    """
    objective = dataset.objective

    def score(params: Params, batch: Batch, key: None, **options: Any) -> Any:
        return evaluation_step(params, batch, apply=model.apply, objective=objective, **options)

    compiled = devices.spread(score)

    def run(params: Params, split: str, limit: int = 0, stop: Stop = never) -> dict[str, float]:
        totals: dict[str, list[float]] = {}
        carry = None
        for batch in until(stop, dataset.evaluation(split, seed, len(devices), limit)):
            given = dict(devices.put_whole(batch))
            if dataset.rows(split).strips:
                carry = model.initial_carry(*batch["tokens"].shape) if carry is None else carry
                given["carry"] = carry
            pairs, carry = compiled(params, given, None)
            for name, (value, weight) in jax.device_get(pairs).items():
                total = totals.setdefault(name, [0.0, 0.0])
                total[0] += float(value)
                total[1] += float(weight)
        scores = {name: value / weight if weight else math.nan for name, (value, weight) in totals.items()}
        factors = objective.term_weights()
        out = {"loss": sum(factor * scores[name] for name, factor in factors.items())} | scores
        if "clm" in scores:
            out["perplexity"] = math.exp(min(scores["clm"], 700.0))
            text_bytes = dataset.rows(split).corpus.bytes
            if text_bytes and not limit:
                out["bits_per_byte"] = totals["clm"][0] / math.log(2.0) / text_bytes
        return out

    return run


def score_names(model: Model, dataset: Dataset, split: str, limit: int = 0) -> list[str]:
    """Returns the names of what a `scorer` gives, from shapes alone."""
    batch = next(dataset.evaluation(split, 0, limit=1))
    score = functools.partial(evaluation_step, apply=model.apply, objective=dataset.objective)
    names = ["loss", *jax.eval_shape(score, shapes(model), batch)[0]]
    if "clm" in names:
        names += ["perplexity"] + ["bits_per_byte"] * (dataset.rows(split).corpus.bytes > 0 and not limit)
    return names


def reported(model: Model, dataset: Dataset, devices: Devices, params: Params, split: str) -> dict[str, Any]:
    """Returns scores by class, of numbers or of whole texts, for an objective of REPORTED.

    Those of classes, tags, numbers and answers are as `report` gives them, those of retrieval as `retrieval_report`,
    those of texts as `texts.text_report` or, where they name classes or numbers, `texts.parsed_report`. Texts and
    answers have the first few of them as "samples". Where a question may have no answer, "tuned" has the scores with
    the threshold that is best for the F1 of the validation split. "worst" has the worst errors, as `analysis` gives
    them.
    """
    return reporter(model, dataset, devices)(params, split)


def reporter(model: Model, dataset: Dataset, devices: Devices) -> Callable[[Params, str], dict[str, Any]]:
    """Returns `reported` as a function of (params, split), which compiles once."""
    objective = dataset.objective
    if isinstance(objective, Answering):
        return functools.partial(_texts, model, dataset, objective)
    if isinstance(objective, InBatchNegatives):
        return functools.partial(_retrieved, dataset, vectors(model, dataset, devices))
    predict = predictor(model, dataset, devices)

    def run(params: Params, split: str) -> dict[str, Any]:
        assert isinstance(objective, Judged)
        found = predict(params, split)
        out = report(objective, found) | {"worst": analysis.worst(objective, dataset.records(split), found)}
        if isinstance(objective, QuestionAnswering):
            if objective.no_answer:
                tuning = out if split == TUNED else report(objective, predict(params, TUNED))
                out["tuned"] = report(dataclasses.replace(objective, threshold=tuning["best_f1_thresh"]), found)
            out["samples"] = found[:SAMPLES]
        return out

    return run


def _texts(model: Model, dataset: Dataset, objective: Answering, params: Params, split: str) -> dict[str, Any]:
    pairs = texts.answers(model, dataset, params, split)
    extra = {"samples": pairs[:SAMPLES], "worst": analysis.worst_texts(pairs)}
    return texts.judged_report(objective, pairs) | extra


def _retrieved(dataset: Dataset, encode: Callable[..., Any], params: Params, split: str) -> dict[str, Any]:
    found_ND = encode(params, split)
    errors = analysis.worst_retrieved(dataset.records(split), *nearest(*found_ND))
    return retrieval_report(*found_ND) | {"worst": errors}


def format_reported(report: dict[str, Any]) -> str:
    """Returns what `reported` gave as plain text."""
    if "signatures" in report:
        return texts.format_text_report(report)
    if "per_class" in report:
        text = metrics.format_report(report)
    else:
        text = squad.format_answer_report(report) if "f1" in report else metrics.format_numbers(report)
    return text + analysis.format_by_length(report, "tokens")


def predictor(model: Model, dataset: Dataset, devices: Devices) -> Callable[..., list[dict[str, Any]]]:
    """Returns a function (params, split, limit=0, stop=never) -> one {"gold", "predicted"} for each record, in order.

    It compiles once. With a `limit` records are those that the first so many rows hold whole, and at least the first;
    `stop` is asked before each batch, and BrokenOff is raised where it says so.
    Both are class names for classification, numbers for regression, and lists of tags, one for each word, for tagging.
    Of a question "gold" is the list of its answers, "predicted" the best span's text and "score" how much that scores
    above no answer; "source" is the question. Of classes and tags "sure" is the probability of what is predicted and
    "chance" that of gold; of a question "sure" is that of what is said, which is nothing below the threshold. "record"
    is the record's number, and "length" how many tokens its texts have.
    """
    objective = dataset.objective
    assert isinstance(objective, Judged)
    if isinstance(objective, QuestionAnswering):
        return _answerer(model, dataset, devices, objective)

    def choose(params: Params, batch: Batch, key: None) -> tuple[jax.Array, jax.Array | None]:
        assert not isinstance(objective, QuestionAnswering)
        chances = None if isinstance(objective, Regression) else objective.chances(model.apply, params, batch)
        return objective.predict(model.apply, params, batch), chances

    compiled = devices.spread(choose, rows=True)

    def run(params: Params, split: str, limit: int = 0, stop: Stop = never) -> list[dict[str, Any]]:
        rows = dataset.rows(split)
        documents = _documents(rows, limit)
        found: dict[int, dict[str, Any]] = {}
        for numbers, batch in until(stop, dataset.numbered(split, 0, len(devices), len(documents))):
            predicted, chances = jax.device_get(compiled(params, devices.put_whole(batch), None))
            for place, number in enumerate(numbers):
                example = {name: values[place] for name, values in batch.items()}
                chance = None if chances is None else chances[place]
                found[number] = _judged(objective, example, predicted[place], chance)
        out: dict[int, dict[str, Any]] = {}
        for number, document in enumerate(documents.tolist()):
            if document in out:  # a sentence that takes several rows
                out[document] = {name: tags + found[number][name] for name, tags in out[document].items()}
            else:
                out[document] = found[number]
        each = rows.corpus.choices
        return [
            values
            | {"record": document // each, "length": int(np.sum(rows.corpus.lengths[document : document + each]))}
            for document, values in out.items()
        ]

    return run


def _documents(rows: Rows, limit: int) -> np.ndarray:
    """Returns the document of each row, of all or of those that the first `limit` rows hold whole, or of the first."""
    every = rows.windows[rows.bounds[:-1], 0]
    if not 0 < limit < len(every):
        return every
    return every[every < max(every[limit], every[0] + 1)]


def _judged(objective: Judged, example: Batch, predicted: np.ndarray, chances: np.ndarray | None) -> dict[str, Any]:
    """Returns what `predictor` says of one row that it has as arrays without the batch axis."""
    if isinstance(objective, Regression):
        return {"gold": example["number"].tolist(), "predicted": predicted.tolist()}
    assert isinstance(objective, Classification | Tagging) and chances is not None
    gold = example["label"] if isinstance(objective, Classification) else example["tags"]
    if isinstance(objective, Tagging):
        words = example["tag_weights"] > 0
        gold, predicted, chances = gold[words], predicted[words], chances[words]
    labels = np.array(objective.labels)
    out = {"gold": labels[gold], "predicted": labels[predicted]}
    for name, classes in (("chance", gold), ("sure", predicted)):
        out[name] = np.take_along_axis(chances, np.asarray(classes)[..., None], axis=-1)[..., 0]
    return {name: values.tolist() for name, values in out.items()}


def _answerer(
    model: Model, dataset: Dataset, devices: Devices, objective: QuestionAnswering
) -> Callable[..., list[dict[str, Any]]]:
    """Returns the `predictor` of questions."""

    def compute(params: Params, batch: Batch, key: None) -> jax.Array:
        return objective.predict(model.apply, params, batch)

    compiled = devices.spread(compute, rows=True)

    def run(params: Params, split: str, limit: int = 0, stop: Stop = never) -> list[dict[str, Any]]:
        rows, records = dataset.rows(split), dataset.records(split)
        documents = _documents(rows, limit)
        logits: dict[int, np.ndarray] = {}
        for numbers, batch in until(stop, dataset.numbered(split, 0, len(devices), len(documents))):
            logits |= zip(numbers, np.asarray(compiled(params, devices.put_whole(batch), None)), strict=False)
        found = [records[i] for i in range(int(documents[-1]) + 1)]
        answers = spans.answer_all(objective, rows, logits, [record["pair"] for record in found])
        return [
            {
                "source": record["text"],
                "gold": [text for text, _ in answers_of(record, f"record {number}")],
                "predicted": answer["n_best"][0]["answer"] if answer["n_best"] else "",
                "score": answer["score"],
                "sure": answer["probability"],
                "record": number - 1,
                "length": int(rows.corpus.lengths[number - 1]),
            }
            for number, (record, answer) in enumerate(zip(found, answers, strict=True), 1)
        ]

    return run


def report(objective: Judged, pairs: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns the scores of what a `predictor` gave, by class or of answers; of classes with the confusion matrix.

    Where pairs have a "length", "by_length" has the scores of up to four equally large parts by it.
    """
    gold, predicted = [pair["gold"] for pair in pairs], [pair["predicted"] for pair in pairs]
    if isinstance(objective, QuestionAnswering):
        scores = squad.answer_report(pairs, objective.score, objective.no_answer, objective.threshold)
    elif isinstance(objective, Tagging):
        scores = metrics.tagging_report(gold, predicted)
    elif isinstance(objective, Regression):
        scores = metrics.regression_report(gold, predicted)
    else:
        labels = list(objective.labels)
        scores = metrics.classification_report(gold, predicted, labels)
        scores |= {"labels": labels, "confusion": metrics.confusion(gold, predicted, labels)}
    return scores | analysis.by_length(objective, pairs)

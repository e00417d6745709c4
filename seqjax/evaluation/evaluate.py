# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Evaluation: sums over every row of a split, divided once at the end."""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax

from seqjax.data.pipeline import Dataset
from seqjax.evaluation.stopping import Stop, never, until
from seqjax.evaluation.tasks.table import known_task
from seqjax.models.model import Model, shapes
from seqjax.objectives.objective import Objective
from seqjax.training.parallel import Devices
from seqjax.training.step import evaluation_step
from seqjax.types import Batch, Params

Scorer = Callable[..., dict[str, float]]


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
    """Returns the scores of a fine-tuned model by class, of numbers, answers, vectors or whole texts.

    With "worst", its worst errors, as `analysis` gives them; texts and answers have the first few of them as "samples".
    See `report`, and `Questions.besides` for the threshold of no answer.

    Raises:
      UserError: an objective without a task.
    """
    return known_task(dataset.objective).reporter(model, dataset, devices)(params, split)


def predictor(model: Model, dataset: Dataset, devices: Devices) -> Callable[..., Any]:
    """Returns a function (params, split, limit=0, stop=never) that gives what a fine-tuned model says of each record.

    It compiles once. With a `limit` records are those that the first so many rows hold whole, and at least the first
    (where texts are generated, so many records); `stop` is asked before each batch, and BrokenOff is raised where it
    says so.

    It gives one {"gold", "predicted", ...} for each record, in order. Both are class names for classification, numbers
    for regression, and lists of tags, one for each word, for tagging. Of a question "gold" is the list of its answers,
    "predicted" the best span's text and "score" how much that scores above no answer; "source" is the question. Of
    classes and tags "sure" is the probability of what is predicted and "chance" that of gold; of a question "sure" is
    that of what is said, which is nothing below the threshold. "record" is the record's number, and "length" how many
    tokens its texts have. Of generated texts there are "source", "gold" and "predicted" alone; of two towers it gives
    the vectors of all first and of all second texts instead, float32 [N, D] each.

    Raises:
      UserError: an objective without a task.
    """
    return known_task(dataset.objective).finder(model, dataset, devices)


def report(objective: Objective, found: Any) -> dict[str, Any]:
    """Returns the scores of what a `predictor` gave, by class or of answers; of classes with the confusion matrix.

    Where records have a "length", "by_length" has the scores of up to four equally large parts by it.

    Raises:
      UserError: an objective without a task.
    """
    return known_task(objective).report(found)

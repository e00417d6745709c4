# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The evaluation of a run that goes on: what a `scorer` sums up and, where run.metric asks for it, the task's scores.

The task's own are the headlines of its report: F1 of entities, correlations, EM and F1 of answers, BLEU of texts. They
are no sums over rows, so they take predictions of their own, and of texts the search for each answer.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from seqjax.data.pipeline import Dataset
from seqjax.evaluation import texts
from seqjax.evaluation.analysis import Judged, headlines
from seqjax.evaluation.evaluate import REPORTED, Scorer, predictor, report, scorer
from seqjax.evaluation.retrieval import retrieval_report, vectors
from seqjax.evaluation.stopping import BrokenOff, Stop, never
from seqjax.models.model import Model
from seqjax.objectives.answering import Answering
from seqjax.objectives.question_answering import QuestionAnswering
from seqjax.objectives.regression import Regression
from seqjax.objectives.supervised import Tagging
from seqjax.objectives.two_towers import InBatchNegatives
from seqjax.training.parallel import Devices
from seqjax.types import Params


def evaluator(model: Model, dataset: Dataset, devices: Devices, seed: int, metric: str) -> Scorer:
    """Returns what `scorer` does, whose function gives the task's own scores too where `metric` is only among them.

    With a limit these are of the records that the first so many rows hold whole. Where `stop` says so it returns {}.
    """
    score, own = scorer(model, dataset, devices, seed), _own(model, dataset, devices)

    def run(params: Params, split: str, limit: int = 0, stop: Stop = never) -> dict[str, float]:
        try:
            scores = score(params, split, limit, stop)
            found = {} if metric in scores else headlines(dataset.objective, own(params, split, limit, stop))
        except BrokenOff:
            return {}
        return scores | {name: value for name, value in found.items() if name not in scores}

    return run


def _own(model: Model, dataset: Dataset, devices: Devices) -> Callable[..., dict[str, Any]]:
    """Returns a function (params, split, limit, stop) -> the report of the task, without its worst errors."""
    objective = dataset.objective
    if isinstance(objective, Answering):
        return lambda *asked: texts.judged_report(objective, texts.answers(model, dataset, *asked))
    if isinstance(objective, InBatchNegatives):
        encode = vectors(model, dataset, devices)
        return lambda *asked: retrieval_report(*encode(*asked))
    if isinstance(objective, Judged):
        predict = predictor(model, dataset, devices)
        return lambda *asked: report(objective, predict(*asked))
    return lambda *asked: {}


def task_names(objective: Any) -> list[str]:
    """Returns the names of the task's own scores, those of reports on made-up answers; none where it has no report.

    Those that need data of some kind, such as questions without an answer, are left out.
    """
    if not isinstance(objective, REPORTED):
        return []
    found = [headlines(objective, each) for each in _made_up(objective)]
    return [name for name in found[0] if all(name in each for each in found)]


def _made_up(objective: Any) -> list[dict[str, Any]]:
    if isinstance(objective, InBatchNegatives):
        return [retrieval_report(np.eye(1), np.eye(1))]
    if isinstance(objective, Answering):
        return [texts.judged_report(objective, [{"gold": text, "predicted": text} for text in "12"])]
    if isinstance(objective, QuestionAnswering):
        answers: list[list[str]] = [["a"], []] if objective.no_answer else [["a"]]
        return [report(objective, [{"gold": gold, "predicted": "a", "score": 0.0}]) for gold in answers]
    if isinstance(objective, Regression):
        said: list[Any] = [0.0]
    else:
        said = [objective.labels] if isinstance(objective, Tagging) else list(objective.labels)
    return [report(objective, [{"gold": each, "predicted": each} for each in said])]

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The evaluation of a run that goes on: what a `scorer` sums up and, where run.metric asks for it, the task's scores.

The task's own are the headlines of its report: F1 of entities, correlations, EM and F1 of answers, BLEU of texts. They
are no sums over rows, so they take predictions of their own, and of texts the search for each answer.
"""

from seqjax.data.pipeline import Dataset
from seqjax.evaluation.evaluate import Scorer, scorer
from seqjax.evaluation.stopping import BrokenOff, Stop, never
from seqjax.evaluation.tasks.table import task_of
from seqjax.models.model import Model
from seqjax.training.parallel import Devices
from seqjax.types import Params


def evaluator(model: Model, dataset: Dataset, devices: Devices, seed: int, metric: str) -> Scorer:
    """Returns what `scorer` does, whose function gives the task's own scores too where `metric` is only among them.

    With a limit these are of the records that the first so many rows hold whole. Where `stop` says so it returns {}.
    """
    score, task = scorer(model, dataset, devices, seed), task_of(dataset.objective)
    find = task.finder(model, dataset, devices) if task else None

    def run(params: Params, split: str, limit: int = 0, stop: Stop = never) -> dict[str, float]:
        own: dict[str, float] = {}
        try:
            scores = score(params, split, limit, stop)
            if task and find and metric not in scores:
                own = task.headlines(task.report(find(params, split, limit, stop)))
        except BrokenOff:
            return {}
        return scores | {name: value for name, value in own.items() if name not in scores}

    return run

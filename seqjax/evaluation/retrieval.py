# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Retrieval: for each first text of a split, at which rank among all second texts stands its own?"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from seqjax.data.pipeline import Dataset
from seqjax.errors import UserError
from seqjax.evaluation.metrics import interval, resampled
from seqjax.evaluation.stopping import Stop, never, until
from seqjax.models.model import Model
from seqjax.objectives.two_towers import InBatchNegatives
from seqjax.training.parallel import Devices
from seqjax.types import Batch, Params

AT = (1, 5, 10)
TOGETHER = 1024  # queries whose scores are in memory at a time
MARGIN = 1e-6  # two equal texts score equal but for rounding


def retrieval_report(queries_ND: np.ndarray, candidates_ND: np.ndarray) -> dict[str, Any]:
    """Returns scores of finding candidate i for query i among all, by the largest inner product.

    Returns:
      "recall_at_1", "recall_at_5", "recall_at_10" (the share of queries whose candidate is among the first so many),
      "mrr" (the mean of 1 / rank, Voorhees 1999), "candidates" (how many there are) and, as
      `metrics.classification_report` has them, "intervals" over queries. Ranks count from 1; a candidate that scores
      equal, such as the same text again, is not before.

    Raises:
      UserError: nothing to score.
    """
    if not len(queries_ND):
        raise UserError("there is nothing to score")
    rank, _ = nearest(queries_ND, candidates_ND)
    each: dict[str, np.ndarray] = {f"recall_at_{k}": (rank <= k).astype(float) for k in AT} | {"mrr": 1.0 / rank}
    drawn = resampled(np.ones(len(rank))) / len(rank)
    out: dict[str, Any] = {name: float(np.mean(values)) for name, values in each.items()}
    intervals = {name: interval(drawn @ values) for name, values in each.items()}
    return out | {"candidates": len(candidates_ND), "intervals": intervals}


def nearest(queries_ND: np.ndarray, candidates_ND: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rank of candidate i for query i, and which candidate is first for it, int [N] each."""
    ranks, best = [], []
    for start in range(0, len(queries_ND), TOGETHER):
        scores = queries_ND[start : start + TOGETHER] @ candidates_ND.T
        own = scores[np.arange(len(scores)), np.arange(start, start + len(scores))]
        ranks.append(1 + np.sum(scores > own[:, None] + MARGIN, axis=1))
        best.append(np.argmax(scores, axis=1))
    return np.concatenate(ranks), np.concatenate(best)


def vectors(model: Model, dataset: Dataset, devices: Devices) -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """Returns a function (params, split, limit=0, stop=never) that compiles once.

    It gives the vectors of the first and of the second texts of a split, float32 [N, D] each, in order; see
    `Task.finder` for `limit` and `stop`.
    """
    objective = dataset.objective
    assert isinstance(objective, InBatchNegatives)

    def encode(params: Params, batch: Batch, key: None) -> jax.Array:
        return objective.vectors(model.apply, params, batch, key)

    compiled = devices.spread(encode, rows=True)

    def run(params: Params, split: str, limit: int = 0, stop: Stop = never) -> tuple[np.ndarray, np.ndarray]:
        found: dict[int, np.ndarray] = {}
        for numbers, batch in until(stop, dataset.numbered(split, 0, len(devices), limit)):
            out_BG2D = np.asarray(compiled(params, devices.put_whole(batch), None))
            found |= dict(zip(numbers, out_BG2D.reshape(-1, *out_BG2D.shape[2:]), strict=False))
        every = np.stack([found[number] for number in range(len(found))])
        return every[:, 0], every[:, 1]

    return run

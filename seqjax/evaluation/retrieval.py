# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Retrieval: for each first text of a split, at which rank among all second texts stands its own?"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from seqjax.data.pipeline import Dataset
from seqjax.errors import UserError
from seqjax.evaluation.metrics import mean_intervals
from seqjax.evaluation.stopping import Stop, never, until
from seqjax.models.model import Model
from seqjax.objectives.two_towers import InBatchNegatives
from seqjax.training.parallel import Devices
from seqjax.types import Batch, Params

Vectors = tuple[np.ndarray, np.ndarray, np.ndarray]  # of first and of second texts, and which of these are equal

AT = (1, 5, 10)
TOGETHER = 1024  # queries whose scores are in memory at a time
MARGIN = 1e-6  # two equal texts score equal but for rounding


def retrieval_report(queries_ND: np.ndarray, candidates_ND: np.ndarray, texts_N: np.ndarray) -> dict[str, Any]:
    """Returns scores of finding candidate i for query i among all, by the largest inner product.

    Args:
      queries_ND: vectors of first texts.
      candidates_ND: vectors of second texts.
      texts_N: a number for each second text, equal where texts are.

    Returns:
      "recall_at_1", "recall_at_5", "recall_at_10" (the share of queries whose candidate is among the first so many),
      "mrr" (the mean of 1 / rank, Voorhees 1999), "candidates" (how many there are) and, as
      `metrics.classification_report` has them, "intervals" over queries. Ranks count from 1; the same
      text again is not before, and another that scores equal is half before: where all vectors are one, as of towers
      that have collapsed, ranks are the middle. A score that is no number has all others before it.

    Raises:
      UserError: nothing to score.
    """
    if not len(queries_ND):
        raise UserError("there is nothing to score")
    rank, _ = nearest(queries_ND, candidates_ND, texts_N)
    each: dict[str, np.ndarray] = {f"recall_at_{k}": (rank <= k).astype(float) for k in AT} | {"mrr": 1.0 / rank}
    out: dict[str, Any] = {name: float(np.mean(values)) for name, values in each.items()}
    return out | {"candidates": len(candidates_ND), "intervals": mean_intervals(each)}


def nearest(queries_ND: np.ndarray, candidates_ND: np.ndarray, texts_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rank of candidate i for query i, float [N], and which candidate is first for it, int [N]."""
    ranks, best = [], []
    for start in range(0, len(queries_ND), TOGETHER):
        scores = queries_ND[start : start + TOGETHER] @ candidates_ND.T
        own = scores[np.arange(len(scores)), np.arange(start, start + len(scores))][:, None]
        other = texts_N[start : start + TOGETHER, None] != texts_N[None]
        before, equal = other & ~(scores <= own + MARGIN), other & (np.abs(scores - own) <= MARGIN)
        ranks.append(1.0 + np.sum(before, axis=1) + 0.5 * np.sum(equal, axis=1))
        best.append(np.argmax(scores, axis=1))
    return np.concatenate(ranks), np.concatenate(best)


def vectors(
    model: Model, dataset: Dataset, devices: Devices
) -> Callable[..., tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Returns a function (params, split, limit=0, stop=never) that compiles once.

    It gives the vectors of the first and of the second texts of a split, float32 [N, D] each, in order, and numbers of
    the second texts, int [N], equal where these are; see `Task.finder` for `limit` and `stop`.
    """
    objective = dataset.objective
    assert isinstance(objective, InBatchNegatives)

    def encode(params: Params, batch: Batch, key: None) -> jax.Array:
        return objective.vectors(model.apply, params, batch, key)

    compiled = devices.spread(encode, rows=True)

    def run(params: Params, split: str, limit: int = 0, stop: Stop = never) -> Vectors:
        found: dict[int, np.ndarray] = {}
        for numbers, batch in until(stop, dataset.numbered(split, 0, len(devices), limit)):
            out_BG2D = np.asarray(compiled(params, devices.put_whole(batch), None))
            found |= dict(zip(numbers, out_BG2D.reshape(-1, *out_BG2D.shape[2:]), strict=False))
        every = np.stack([found[number] for number in range(len(found))])
        records = dataset.records(split)
        _, texts_N = np.unique([records[number]["pair"] for number in range(len(every))], return_inverse=True)
        return every[:, 0], every[:, 1], texts_N

    return run

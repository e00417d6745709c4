# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Retrieval: for each first text of a split, at which rank among all second texts stands its own?"""

import functools
from typing import Any

import jax
import numpy as np

from seqjax.data.pipeline import Dataset
from seqjax.errors import UserError
from seqjax.models.model import Model
from seqjax.objectives.two_towers import InBatchNegatives
from seqjax.types import Params

AT = (1, 5, 10)
TOGETHER = 1024  # queries whose scores are in memory at a time
MARGIN = 1e-6  # two equal texts score equal but for rounding


def retrieval_report(queries_ND: np.ndarray, candidates_ND: np.ndarray) -> dict[str, Any]:
    """Returns scores of finding candidate i for query i among all, by the largest inner product.

    Returns:
      "recall_at_1", "recall_at_5", "recall_at_10" (the share of queries whose candidate is among the first so many),
      "mrr" (the mean of 1 / rank, Voorhees 1999) and "candidates" (how many there are). Ranks count from 1; a candidate
      that scores equal, such as the same text again, is not before.

    Raises:
      UserError: nothing to score.
    """
    if not len(queries_ND):
        raise UserError("there is nothing to score")
    ranks = []
    for start in range(0, len(queries_ND), TOGETHER):
        scores = queries_ND[start : start + TOGETHER] @ candidates_ND.T
        own = scores[np.arange(len(scores)), np.arange(start, start + len(scores))]
        ranks.append(1 + np.sum(scores > own[:, None] + MARGIN, axis=1))
    rank = np.concatenate(ranks)
    out: dict[str, Any] = {f"recall_at_{k}": float(np.mean(rank <= k)) for k in AT}
    return out | {"mrr": float(np.mean(1.0 / rank)), "candidates": len(candidates_ND)}


def vectors(model: Model, dataset: Dataset, params: Params, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns the vectors of the first and of the second texts of a split, float32 [N, D] each, in order."""
    objective = dataset.objective
    assert isinstance(objective, InBatchNegatives)
    compute = jax.jit(functools.partial(objective.vectors, model.apply, key=None))
    found: dict[int, np.ndarray] = {}
    for numbers, batch in dataset.numbered(split, 0):
        out_BG2D = np.asarray(compute(params, batch))
        found |= dict(zip(numbers, out_BG2D.reshape(-1, *out_BG2D.shape[2:]), strict=False))
    every = np.stack([found[number] for number in range(len(found))])
    return every[:, 0], every[:, 1]

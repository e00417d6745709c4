# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""A number for each text or pair of texts."""

import functools
from collections.abc import Sequence
from typing import Any, ClassVar

import jax
import numpy as np

from seqjax.evaluation import analysis, metrics
from seqjax.evaluation.analysis import Errors
from seqjax.evaluation.records import Asked
from seqjax.evaluation.tasks.rows import LabelTask, asked_rows, computed, cut
from seqjax.evaluation.tasks.task import Answerer, Ready, Said, shown
from seqjax.models.model import Model
from seqjax.objectives.regression import Regression
from seqjax.types import Batch, Params


class Numbers(LabelTask[Regression]):
    """Pairs hold numbers."""

    paired: ClassVar[bool] = True

    def answerer(self, run: Ready) -> Answerer:
        """Returns what gives "number"."""
        compute = jax.jit(functools.partial(self.objective.predict, run.model.apply))

        def answer(texts: list[Asked]) -> list[Said]:
            rows = asked_rows(run, texts)
            found = {place: float(number) for place, _, number in computed(run, compute, rows)}
            too_long = cut(run, rows).tolist()
            return [text.given | {"number": found[i], "cut": too_long[i]} for i, text in enumerate(texts)]

        return answer

    def line(self, said: Said) -> str:
        return f"{said['number']:.4f}  {shown(said)}"

    def predicted(self, model: Model, params: Params, batch: Batch) -> jax.Array:
        return self.objective.predict(model.apply, params, batch)

    def pair(self, example: Batch, found: np.ndarray) -> Said:
        return {"gold": example["number"].tolist(), "predicted": found.tolist()}

    def scores(self, pairs: Sequence[Said]) -> dict[str, Any]:
        return metrics.regression_report([pair["gold"] for pair in pairs], [pair["predicted"] for pair in pairs])

    def in_short(self, pairs: Sequence[Said]) -> dict[str, float]:
        found = self.scores(pairs)
        return {name: found[name] for name in ("pearson", "mean_absolute_error")}

    def worst(self, records: Any, found: Sequence[Said]) -> Errors:
        """Returns the worst by absolute error."""
        errors = []
        for pair in found:
            text, error = analysis.readable(records[pair["record"]]), abs(pair["gold"] - pair["predicted"])
            errors.append({"text": text, "gold": pair["gold"], "predicted": pair["predicted"], "value": error})
        return analysis.worst_first("absolute error", errors, lambda error: -error["value"])

    def made_up(self) -> list[list[Said]]:
        return [[{"gold": 0.0, "predicted": 0.0}]]

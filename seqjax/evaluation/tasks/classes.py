# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""A class for each text, pair of texts or pair of entities, and the choice among several texts."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from seqjax.data import marked
from seqjax.data.sources import Source
from seqjax.errors import UserError
from seqjax.evaluation import analysis, metrics
from seqjax.evaluation.analysis import Errors
from seqjax.evaluation.records import Asked, canonical, text_columns, text_of
from seqjax.evaluation.tasks.rows import LabelTask, asked_rows, computed, cut
from seqjax.evaluation.tasks.task import Answerer, Read, Ready, Said, shown
from seqjax.models.model import Model
from seqjax.objectives.supervised import Classification
from seqjax.types import Batch, Params


class Classes(LabelTask[Classification]):
    """Pairs hold names of classes, and as "sure" and "chance" the probabilities of what is predicted and of gold."""

    @property
    def paired(self) -> bool:  # type: ignore[override]
        """Only a text of a plain class may: not one in which two entities are marked, nor one with its choices."""
        return self.objective.reads == "label"

    def read(self, source: Source, record: Mapping[str, Any], where: str) -> Read:
        given, read = super().read(source, record, where)
        if self.objective.reads == "relation":
            marked.plain(given["text"], where)  # raises what is wrong with its marks
        return given, read

    def answerer(self, run: Ready) -> Answerer:
        """Returns what gives "label", "probability" and "probabilities" ({label: probability})."""
        labels = self.objective.labels
        compute = jax.jit(functools.partial(self.objective.chances, run.model.apply))

        def answer(texts: list[Asked]) -> list[Said]:
            rows = asked_rows(run, texts)
            found = {place: chances for place, _, chances in computed(run, compute, rows)}
            out = []
            for i, (text, too_long) in enumerate(zip(texts, cut(run, rows).tolist(), strict=True)):
                best = int(np.argmax(found[i]))
                every = dict(zip(labels, found[i].astype(float).tolist(), strict=True))
                said = {"label": labels[best], "probability": every[labels[best]], "probabilities": every}
                out.append(text.given | said | {"cut": too_long})
            return out

        return answer

    def line(self, said: Said) -> str:
        return f"{said['label']}  {said['probability']:.4f}  {shown(said)}"

    def predicted(self, model: Model, params: Params, batch: Batch) -> tuple[jax.Array, jax.Array]:
        return self.objective.predict(model.apply, params, batch), self.objective.chances(model.apply, params, batch)

    def pair(self, example: Batch, found: tuple[np.ndarray, np.ndarray]) -> Said:
        (predicted, chances), gold, labels = found, example["label"], self.objective.labels
        return {
            "gold": labels[gold], "predicted": labels[predicted],
            "chance": float(chances[gold]), "sure": float(chances[predicted]),
        }  # fmt: skip

    def scores(self, pairs: Sequence[Said]) -> dict[str, Any]:
        """Returns them by class, with the confusion matrix."""
        gold, predicted = [pair["gold"] for pair in pairs], [pair["predicted"] for pair in pairs]
        labels = list(self.objective.labels)
        out = metrics.classification_report(gold, predicted, labels)
        return out | {"labels": labels, "confusion": metrics.confusion(gold, predicted, labels)}

    def in_short(self, pairs: Sequence[Said]) -> dict[str, float]:
        return {"accuracy": float(np.mean([pair["gold"] == pair["predicted"] for pair in pairs]))}

    def worst(self, records: Any, found: Sequence[Said]) -> Errors:
        """Returns the worst by the loss of gold."""
        errors = []
        for pair in found:
            if pair["gold"] != pair["predicted"]:
                own = {name: pair[name] for name in ("gold", "predicted", "sure")}
                text = analysis.readable(records[pair["record"]])
                errors.append({"text": text, **own, "value": analysis.nats(pair["chance"])})
        return analysis.worst_first("loss in nats", errors, lambda error: -error["value"])

    def formatted(self, report: dict[str, Any]) -> str:
        return metrics.format_report(report) + analysis.format_by_length(report, "tokens")

    def made_up(self) -> list[list[Said]]:
        return [[{"gold": label, "predicted": label} for label in self.objective.labels]]


class Choices(Classes):
    """Which of several texts goes best with a first one."""

    def columns(self, source: Source) -> list[tuple[str, ...]]:
        return [(*text_columns(source), *self._names())]

    def described(self, names: tuple[str, ...]) -> str:
        texts = names[: -len(self.objective.labels)]
        return f"{'a text' if texts == ('text',) else ', '.join(texts)} and its {len(self.objective.labels)} choices"

    def read(self, source: Source, record: Mapping[str, Any], where: str) -> Read:
        record = canonical(source, record)
        text, choices = text_of(record, "text", where), self._choices(source, record, where)
        return {"text": text, "choices": choices}, (text, *choices)

    def _names(self) -> tuple[str, ...]:
        return tuple(f"choice {label}" for label in self.objective.labels)

    def _choices(self, source: Source, record: Mapping[str, Any], where: str) -> list[str]:
        """Returns the choices, of columns of their own or of a list."""
        named, columns = self._names(), source.joined.get("choices", ())
        names = next((each for each in (named, columns) if each and set(each) <= set(record)), ("choices",))
        values = record.get(names[0]) if len(names) == 1 else [text_of(record, name, where) for name in names]
        if not isinstance(values, list) or len(values) != len(named):
            raise UserError(f"{where}: expected a list of {len(named)} choices, found {values!r:.60}")
        return [text_of({"choices": value}, "choices", where) for value in values]

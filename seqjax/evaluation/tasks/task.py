# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""What a task is: how a fine-tuned model is asked, what it answers, and how that is judged.

An objective says what is learnt; its task says the rest. Each kind has one file here, and one line in `table`.
"""

import abc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from seqjax.data.pipeline import Dataset
from seqjax.data.sources import Source
from seqjax.evaluation import metrics
from seqjax.evaluation.analysis import Errors
from seqjax.evaluation.records import Asked, canonical, text_columns, text_of
from seqjax.experiment import Experiment
from seqjax.models.model import Model
from seqjax.objectives.objective import Objective
from seqjax.training.parallel import Devices
from seqjax.types import Params

O = TypeVar("O", bound=Objective)  # noqa: E741 - as of "objective"
SAMPLES = 10  # texts and answers that a report shows
Finder = Callable[..., Any]  # (params, split, limit=0, stop=never) -> what `Task.report` reads
Answerer = Callable[[list[Asked]], list[dict[str, Any]]]


class Ready(NamedTuple):
    """A run that can be asked."""

    experiment: Experiment
    model: Model
    params: Params
    tokenizer: Any


@dataclass(frozen=True)
class Task(abc.ABC, Generic[O]):
    """Base of the tasks; see `numbers.py` for the shortest."""

    objective: O

    @property
    def pairs(self) -> bool:
        """Whether a text may have a second beside it."""
        return False

    def shapes(self, source: Source) -> list[tuple[str, ...]]:
        """Returns of which columns the parts of a text may be."""
        columns = text_columns(source)
        return [columns, (*columns, "pair")] if self.pairs else [columns]

    def described(self, names: tuple[str, ...]) -> str:
        """Returns in words what a text of these parts is."""
        named = {("text",): "one text", ("text", "pair"): "a pair of texts"}
        return named.get(names, "a text for each of " + ", ".join(names))

    def read(self, source: Source, record: Mapping[str, Any], where: str) -> Asked:
        """Returns a record as the model reads it.

        Args:
          source: of the run's training data.
          record: by the columns that training read, or by the keys of a record.
          where: how errors name it.

        Raises:
          UserError: it lacks something, or nothing is in it.
        """
        record = canonical(source, record)
        text = text_of(record, "text", where)
        if not self.pairs or record.get("pair") is None:
            return Asked({"text": text}, text)
        pair = text_of(record, "pair", where)
        return Asked({"text": text, "pair": pair}, (text, pair))

    @abc.abstractmethod
    def answerer(self, run: Ready, among: Sequence[str] | None = None) -> Answerer:
        """Returns a function from texts to what a model says of each, in order, which begins with what was given.

        Args:
          run: that is asked.
          among: texts to find in, of retrieval.
        """

    @abc.abstractmethod
    def finder(self, model: Model, dataset: Dataset, devices: Devices) -> Finder:
        """Returns a function (params, split, limit=0, stop=never) that compiles once.

        It gives what a model says of each record of a split beside gold, in the form in which `report` and `worst` read
        it. With a `limit` records are those that the first so many rows hold whole, and at least the first; `stop` is
        asked before each batch, and BrokenOff is raised where it says so.
        """

    @abc.abstractmethod
    def report(self, found: Any) -> dict[str, Any]:
        """Returns the scores of what a `finder` gave."""

    @abc.abstractmethod
    def worst(self, records: Any, found: Any) -> Errors:
        """Returns the worst errors in what a `finder` gave of these records; see `analysis`."""

    def reported(self, find: Finder, dataset: Dataset, params: Params, split: str) -> dict[str, Any]:
        """Returns the scores of a split, with its worst errors and perhaps samples."""
        found = find(params, split)
        return self.report(found) | {"worst": self.worst(dataset.records(split), found)}

    @abc.abstractmethod
    def made_up(self) -> list[Any]:
        """Returns things that a `finder` might give, of which the reports have every score that is always there."""

    def headlines(self, report: Mapping[str, Any]) -> dict[str, float]:
        """Returns the scores among the single numbers of a report by name, with the F1 of its averages.

        These are "micro_f1", "macro_f1" and "weighted_f1". Thresholds are no scores.
        """
        out = {name: value for name, value in report.items() if isinstance(value, float) and "thresh" not in name}
        return out | {f"{name}_f1": report[name]["f1"] for name in metrics.AVERAGES if name in report}

    def score_names(self) -> list[str]:
        """Returns the names of the scores that reports always have; see `headlines`."""
        found = [self.headlines(self.report(each)) for each in self.made_up()]
        return [name for name in found[0] if all(name in each for each in found)]

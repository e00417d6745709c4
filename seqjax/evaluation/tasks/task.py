# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""What a task is: how a fine-tuned model is asked, what it answers, how that is judged.

An objective says what is learnt; its task says the rest. Each kind has one file here, and one line in `table`.
"""

import abc
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

from seqjax.data.pipeline import Dataset
from seqjax.data.sources import Source
from seqjax.errors import UserError
from seqjax.evaluation import analysis, metrics
from seqjax.evaluation.analysis import Errors
from seqjax.evaluation.records import Asked, canonical, pair_column, text_columns, text_of
from seqjax.experiment import Experiment
from seqjax.models.model import Model
from seqjax.objectives.objective import Objective
from seqjax.training.parallel import Devices
from seqjax.types import Params

O = TypeVar("O", bound=Objective)  # noqa: E741 - as of "objective"
SAMPLES = 10  # texts and answers that a report shows
Said = dict[str, Any]
Read = tuple[dict[str, Any], str | tuple[str, ...]]  # as `Asked` has them: what was given, what the model reads
Finder = Callable[..., Any]  # (params, split, limit=0, stop=never) -> what `Task.report` reads
Reporter = Callable[[Params, str], dict[str, Any]]
Answerer = Callable[[list[Asked]], list[Said]]


class Ready(NamedTuple):
    """A run that can be asked, for the objective of its task.

    Attributes:
      among: of retrieval: texts to find in; None: none are found.
    """

    experiment: Experiment
    model: Model
    params: Params
    tokenizer: Any
    among: Sequence[str] | None = None


@dataclass(frozen=True)
class Task(abc.ABC, Generic[O]):
    """Base of the tasks; see `numbers.py` for the shortest.

    Attributes:
      paired: whether a text may have a second beside it.
      alone: whether it need not, where each had one in training.
      averages: what the F1 of each average of a report by class is called among its `headlines`.
    """

    paired: ClassVar[bool] = False
    alone: ClassVar[bool] = False
    averages: ClassVar[Mapping[str, str]] = {name: f"{name}_f1" for name in metrics.AVERAGES}

    objective: O

    def columns(self, source: Source) -> list[tuple[str, ...]]:
        """Returns of which columns the parts of a text may be."""
        names = text_columns(source)
        return [names] * self._may_be_alone(source) + [(*names, "pair")] * self.paired

    def described(self, names: tuple[str, ...]) -> str:
        """Returns in words what a text of these parts is."""
        named = {("text",): "one text", ("text", "pair"): "a pair of texts"}
        return named.get(names, "a text for each of " + ", ".join(names))

    def read(self, source: Source, record: Mapping[str, Any], where: str) -> Read:
        """Returns what is given of a record, and what the model reads of it.

        Args:
          source: of the run's training data.
          record: by the columns that training read, or by the keys of a record.
          where: how errors name it.

        Raises:
          UserError: it lacks something, or nothing is in it.
        """
        found = canonical(source, record)
        text = text_of(found, "text", where)
        if not self.paired or (found.get("pair") is None and self._may_be_alone(source)):
            return {"text": text}, text
        if found.get("pair") is None:
            name = pair_column(source)
            raise UserError(f"{where}: expected a text '{name}' beside the first, found {', '.join(record)}")
        pair = text_of(found, "pair", where)
        return {"text": text, "pair": pair}, (text, pair)

    def _may_be_alone(self, source: Source) -> bool:
        return not self.paired or self.alone or not pair_column(source)

    @abc.abstractmethod
    def answerer(self, run: Ready) -> Answerer:
        """Returns a function from texts to what a model says of each, in order, which begins with what was given."""

    @abc.abstractmethod
    def line(self, said: Said) -> str:
        """Returns what an `answerer` said of a text, to be read."""

    @abc.abstractmethod
    def finder(self, model: Model, dataset: Dataset, devices: Devices) -> Finder:
        """Returns a function (params, split, limit=0, stop=never) that compiles once.

        It gives what a model says of each record of a split beside gold, in the form in which `report` and `worst` read
        it. With a `limit` records are those that the first so many rows hold whole, and at least the first (of
        `Answers` so many records); `stop` is asked before each batch, and BrokenOff is raised where it says so.
        """

    @abc.abstractmethod
    def report(self, found: Any) -> dict[str, Any]:
        """Returns the scores of what a `finder` gave."""

    @abc.abstractmethod
    def worst(self, records: Any, found: Any) -> Errors:
        """Returns the worst errors in what a `finder` gave of these records; see `analysis`."""

    def reporter(self, model: Model, dataset: Dataset, devices: Devices) -> Reporter:
        """Returns a function (params, split) that compiles once: the scores of a split, with its worst errors."""
        find = self.finder(model, dataset, devices)

        def report(params: Params, split: str) -> dict[str, Any]:
            found = find(params, split)
            out = self.report(found) | {"worst": self.worst(dataset.chosen(split), found)}
            return out | self.besides(out, found, split, functools.partial(find, params))

        return report

    def besides(self, report: dict[str, Any], found: Any, split: str, find: Callable[[str], Any]) -> dict[str, Any]:
        """Returns what a `reporter` adds to a report.

        Args:
          report: the scores.
          found: that they are of.
          split: its name.
          find: what a `finder` gives of another split, by the same parameters.
        """
        return {}

    def formatted(self, report: dict[str, Any]) -> str:
        """Returns a report as plain text."""
        return metrics.format_numbers(report) + analysis.format_by_length(report, "tokens")

    @abc.abstractmethod
    def made_up(self) -> list[Any]:
        """Returns things that a `finder` might give, of which the reports have every score that is always there."""

    def headlines(self, report: Mapping[str, Any]) -> dict[str, float]:
        """Returns the scores among the single numbers of a report by name, and its `averages`.

        Thresholds are no scores.
        """
        out = {name: value for name, value in report.items() if isinstance(value, float) and "thresh" not in name}
        return out | {named: report[name]["f1"] for name, named in self.averages.items() if name in report}

    def score_names(self) -> list[str]:
        """Returns the names of the scores that reports always have; see `headlines`."""
        found = [self.headlines(self.report(each)) for each in self.made_up()]
        return [name for name in found[0] if all(name in each for each in found)]


def shown(said: Said) -> str:
    """Returns the texts that something was said of, on one line."""
    return " | ".join([said["text"], *([said["pair"]] if "pair" in said else said.get("choices", []))])

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Tasks said in words: a text that asks and a text that answers, of records with a label (Raffel et al. 2020, 2.4)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from seqjax.data.fields import real_number
from seqjax.data.records import Record, Records, fingerprint
from seqjax.errors import UserError

COLUMN = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Phrasing:
    """How a task is said in words.

    Attributes:
      template: what is asked: "mrpc sentence1: {text} sentence2: {pair}", columns stand in braces; empty: nothing.
      answers: what labels are called: "0=not_equivalent"; one that is not named here is its own answer.
      step: above 0 a label is a number, and the answer its nearest multiple of this (0.2 for STS-B).
    """

    shorthand: ClassVar[str] = "template"
    template: str = ""
    answers: tuple[str, ...] = ()
    step: float = 0.0

    def __post_init__(self) -> None:
        if (self.answers or self.step) and not self.template:
            raise UserError("data.source.task.answers and .step are of a task said in words; set .template")
        if strange := next((answer for answer in self.answers if "=" not in answer), None):
            raise UserError(f"data.source.task.answers: expected LABEL=ANSWER, found '{strange}'")
        if self.step < 0:
            raise UserError(f"data.source.task.step={self.step} must be at least 0")

    @property
    def columns(self) -> tuple[str, ...]:
        """What the template asks for: text and pair first, then the others as they stand in it."""
        found = dict.fromkeys(COLUMN.findall(self.template))
        return tuple(sorted(found, key=lambda name: ("text", "pair", name).index(name)))

    def ask(self, record: Record, where: str) -> str:
        """Returns the template with a record's columns in it.

        Raises:
          UserError: the record, which `where` names, has no such text.
        """

        def column(match: re.Match[str]) -> str:
            if not isinstance(record.get(match[1]), str):
                has = ", ".join(name for name, value in record.items() if isinstance(value, str))
                raise UserError(f"{where} has no text '{match[1]}' (it has {has}), which data.source.task asks for")
            return str(record[match[1]])

        return COLUMN.sub(column, self.template)


@dataclass(frozen=True)
class Phrased:
    """Records whose `text` is a template with their columns in it, and whose `pair` is what their label is called."""

    records: Records
    task: Phrasing

    @property
    def fingerprint(self) -> str:
        """Changes with the records and with the words."""
        return fingerprint([self.records.fingerprint, self.task.template, self.task.answers, self.task.step])

    @property
    def labels(self) -> tuple[str, ...]:
        """None: there are only texts."""
        return ()

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> Record:
        record = self.records[index]
        return record | {"text": self.task.ask(record, f"record {index + 1}"), "pair": self._answer(record, index)}

    def __iter__(self) -> Iterator[Record]:
        return (self[index] for index in range(len(self)))

    def _answer(self, record: Record, index: int) -> str:
        if "label" not in record:
            raise UserError(f"record {index + 1} has no label to be an answer; choose with data.source.label=")
        label = str(record["label"])
        if not self.task.step:
            return dict(answer.split("=", 1) for answer in self.task.answers).get(label, label)
        return str(round(real_number(label, index) / self.task.step) * Decimal(str(self.task.step)))

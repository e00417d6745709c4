# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Records without labels, made into what a run's training data were: by the same keys, columns joined."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seqjax.data import glue
from seqjax.data.sources import Source
from seqjax.errors import UserError

Text = str | tuple[str, ...] | Mapping[str, Any]


@dataclass(frozen=True)
class Asked:
    """A text to predict of.

    Attributes:
      given: what was given, by the keys of a record; a result begins with it.
      read: what the model reads: a text, its parts, or the words to tag; () of a blank line.
      where: how errors name it.
    """

    given: dict[str, Any]
    read: str | tuple[str, ...]
    where: str


def text_columns(source: Source) -> tuple[str, ...]:
    """Returns the columns that training joined to a text, else "text"."""
    return source.joined.get("text", ("text",))


def pair_column(source: Source) -> str:
    """Returns the column of the second text that training had beside each, "" where none is known."""
    kind, _, folder = source.train.partition(":")
    if source.pair or kind != "glue":
        return source.pair
    return glue.pair_column(folder.partition("@")[0], source.encoding)


def canonical(source: Source, record: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a record whose text and pair have these keys, a text of several columns joined as in training.

    One that lacks a column of the training text has these keys already: its "text" is no column of that name.
    """
    columns = source.joined.get("text", (source.text,))
    out = dict(record)
    if source.train.startswith("glue:") and (own := glue.columns(list(record))):
        out |= {"text": record[own[0]]} | ({"pair": record[own[1]]} if own[1] else {})
    named = all(isinstance(record.get(column), str) for column in columns)
    if named:
        out["text"] = " ".join(record[column] for column in columns)
    if source.pair and source.pair in record and (named or source.pair != "text"):
        out["pair"] = record[source.pair]
    return out


def text_of(record: Mapping[str, Any], name: str, where: str) -> str:
    """Returns a text of a record.

    Raises:
      UserError: it has none of this name, or nothing is in it.
    """
    value = record.get(name)
    if not isinstance(value, str):
        raise UserError(f"{where}: expected a text '{name}', found {', '.join(record) or 'nothing'}")
    if not value.strip():
        raise UserError(f"{where}: expected text, found nothing")
    return value

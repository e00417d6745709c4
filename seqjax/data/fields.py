# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""What a record holds, read with errors that name it; `index` counts records from 0, the messages from 1."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from seqjax.config import unknown
from seqjax.errors import UserError


def field(record: Mapping[str, Any], index: int, name: str) -> Any:
    """Returns a field of a record.

    Raises:
      UserError: it has none of this name.
    """
    if name not in record:
        hint = "" if name == "answers" else f"; set data.source.{name}"  # which no setting names
        raise UserError(f"record {index + 1} has no '{name}' (it has {', '.join(record)}){hint}")
    return record[name]


def class_number(label: str, labels: Sequence[str], index: int) -> int:
    """Returns the place of a label, or a tag, among all.

    Raises:
      UserError: it is not among them, or they are none, or no texts.
    """
    if label not in labels:
        _check_labels(labels, index)
        raise UserError(
            f"record {index + 1}: {unknown('label', str(label), list(labels))} (labels of the training data)"
        )
    return list(labels).index(label)


def real_number(label: str, index: int) -> float:
    """Returns a label that is a number.

    Raises:
      UserError: it is none, or not finite.
    """
    try:
        number = float(label)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UserError(
            f"record {index + 1}: expected a number for the label, found '{label:.60}'; choose the column with "
            "data.source.label="
        )
    return number


def choices_of(record: Mapping[str, Any], index: int, labels: Sequence[str]) -> list[str]:
    """Returns the choices of a record, one for each of the labels.

    Raises:
      UserError: there are more or fewer.
    """
    found: list[str] = field(record, index, "choices")
    if len(found) != len(labels):
        _check_labels(labels, index)
        raise UserError(
            f"record {index + 1} has {len(found)} choices, but {len(labels)} labels name them ({', '.join(labels)}); "
            "set data.source.choices, or objective.labels"
        )
    return found


def _check_labels(labels: Sequence[str], index: int) -> None:
    """Raises UserError where an objective has no labels, as one that a notebook makes without them, or no texts."""
    if not labels:
        raise UserError(
            f"record {index + 1}: expected the objective to name its labels, found none; pass them, labels=(...)"
        )
    if (strange := next((name for name in labels if not isinstance(name, str)), None)) is not None:
        raise UserError(f"objective.labels: expected texts, found {strange!r:.60}; write them as texts")

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The end of files held out for validation, with a word where it does not resemble the rest."""

import functools
import sys
from pathlib import Path
from typing import Any

from seqjax.data import files
from seqjax.data.records import Record, coarser
from seqjax.errors import UserError

SHOWN = 5  # classes that a warning names


def hold_out(rows: Any, part: str, share: float, coarse: str, encoding: str, paths: list[Path]) -> Any:
    """Returns the part "train" or "validation" of the rows of files that hold both.

    Says on stderr which classes one part lacks.

    Args:
      rows: of all the files.
      part: which is asked for.
      share: of the rows that are validation, at least one; they are the last.
      coarse: see `sources.Source`.
      encoding: of the files.
      paths: of the files.

    Raises:
      UserError: there is only one row.
    """
    if len(rows) == 1:
        raise UserError(
            f"{paths[0]}: expected at least 2 records, one to hold out for validation, found 1; "
            "set data.source.validation=... or data.source.holdout=0"
        )
    cut = min(len(rows) - 1, max(1, len(rows) - max(1, round(len(rows) * share))))
    if isinstance(rows, files.TextFiles):
        return files.TextFiles(paths[:cut] if part == "train" else paths[cut:], encoding)
    if part == "train":
        _compare(_classes(rows[:cut], coarse), _classes(rows[cut:], coarse), paths)
    return rows[:cut] if part == "train" else rows[cut:]


def _classes(rows: list[Record], coarse: str) -> set[str]:
    """Returns the classes of records; none where labels are numbers to predict."""
    labels = {row["label"] for row in rows if "label" in row}
    if any("." in label and _is_number(label) for label in labels):
        return set()
    return {coarser(label, coarse) for label in labels}


def _compare(kept: set[str], held: set[str], paths: list[Path]) -> None:
    """Says on stderr which classes one part of the records has and the other has not, as where files are sorted."""
    lacks = [
        f"{part} lacks {', '.join(map(repr, sorted(missing)[:SHOWN]))}{', ...' * (len(missing) > SHOWN)}"
        for part, missing in (("validation", kept - held), ("train", held - kept))
        if missing
    ]
    if kept and held and lacks:
        _say_once(
            f"{paths[-1]}: its end is held out for validation, and {' and '.join(lacks)}; shuffle its lines, or name "
            "files with data.source.validation="
        )


def _is_number(text: str) -> bool:
    try:
        return bool(float(text) or True)
    except ValueError:
        return False


@functools.cache
def _say_once(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr)

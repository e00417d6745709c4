# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Dialogues as pairs: each turn after the first is said to all turns before it, which stand on lines of their own."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqjax.data.files import json_rows
from seqjax.errors import UserError

KEYS = ("dialogue", "dialog", "turns")  # that hold a dialogue's turns, each a text or an object with one


def dialogue_rows(path: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields {"text": the turns before, "pair": the turn} and what else the file says of the turn and its dialogue.

    The file is a list of dialogues, as DailyDialog is published in JSON (Li et al. 2017), or has one on each line. The
    number before each counts dialogues in a list, and lines in a file of lines.

    Raises:
      UserError: no JSON, or not of that form.
    """
    for number, dialogue in _dialogues(path, text):
        key = next((key for key in KEYS if isinstance(dialogue.get(key), list)), None)
        if key is None:
            has = ", ".join(dialogue) or "nothing"
            raise UserError(f"{path}:{number}: expected a list of turns as '{KEYS[0]}', found {has}")
        said: list[str] = []
        for turn in dialogue[key]:
            row = {"text": turn} if isinstance(turn, str) else turn
            if not isinstance(row, dict) or not isinstance(row.get("text"), str) or not row["text"].strip():
                raise UserError(f"{path}:{number}: expected turns with a text each, found {json.dumps(turn):.60}")
            if said:
                about = {name: value for name, value in (dialogue | row).items() if name != key}
                yield number, about | {"text": "\n".join(said), "pair": row["text"].strip()}
            said.append(row["text"].strip())


def _dialogues(path: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields the objects of a list, or of lines."""
    if not text.lstrip().startswith("["):
        yield from json_rows(path, text.split("\n"))
        return
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        line, reason = getattr(error, "lineno", 1), getattr(error, "msg", str(error))
        raise UserError(f"{path}:{line}: expected a list of dialogues in JSON, found {reason}") from None
    for number, dialogue in enumerate(found, 1):
        if not isinstance(dialogue, dict):
            raise UserError(f"{path}:{number}: expected a dialogue as an object, found {json.dumps(dialogue):.60}")
        yield number, dialogue

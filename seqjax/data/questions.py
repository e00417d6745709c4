# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Questions with a context that holds their answers: SQuAD's JSON, and where the answers really stand.

A record has `text` (the question), `pair` (its context) and `answers`: [{"text", "answer_start"}], as SQuAD writes them
or as TFDS does, {"text": [...], "answer_start": [...]}. A question without an answer has none (SQuAD 2.0).
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from seqjax.errors import UserError

NO_ANSWER = -1  # for the places of an answer: the context holds none
UNKNOWN = -2  # there is one, but nobody knows where


def squad_rows(path: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields the questions of a SQuAD file, 1.1 or 2.0, each with `text`, `pair`, `answers` and perhaps `id`.

    The number before each counts questions, for the file may be a single line.

    Raises:
      UserError: no JSON, or not of that form.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        line, reason = getattr(error, "lineno", 1), getattr(error, "msg", str(error))
        raise UserError(f"{path}:{line}: expected the JSON of SQuAD, found {reason}") from None
    number = 0
    for i, article in enumerate(_list(content, "data", path, "the file")):
        for j, paragraph in enumerate(_list(article, "paragraphs", path, f"data[{i}]")):
            where = f"data[{i}].paragraphs[{j}]"
            context = _text(paragraph, "context", path, where)
            for k, asked in enumerate(_list(paragraph, "qas", path, where)):
                inner = f"{where}.qas[{k}]"
                number += 1
                row: dict[str, Any] = {"text": _text(asked, "question", path, inner), "pair": context}
                row["answers"] = _list(asked, "answers", path, inner)
                yield number, row | ({"id": asked["id"]} if "id" in asked else {})


def _list(node: Any, key: str, path: Path, where: str) -> list[Any]:
    return _member(node, key, list, path, where)


def _text(node: Any, key: str, path: Path, where: str) -> str:
    return _member(node, key, str, path, where)


def _member(node: Any, key: str, kind: type, path: Path, where: str) -> Any:
    if not isinstance(node, dict) or not isinstance(node.get(key), kind):
        has = ", ".join(node) if isinstance(node, dict) else f"{json.dumps(node)[:40]}"
        wanted = "a list" if kind is list else "a text"
        raise UserError(
            f"{path}: expected {wanted} '{key}' in {where}, found {has or 'nothing'}; squad: reads SQuAD's JSON, "
            "for one question a line write jsonl:"
        )
    return node[key]


def answers(record: Mapping[str, Any], where: str) -> list[tuple[str, int]]:
    """Returns the answers of a record, each as (text, offset in characters).

    Raises:
      UserError: `answers` of another form; the message begins with `where`.
    """
    found = record["answers"]
    try:
        if isinstance(found, Mapping):
            pairs = list(zip(found["text"], found["answer_start"], strict=True))
        else:
            pairs = [(answer["text"], answer["answer_start"]) for answer in found]
        return [(str(text), int(start)) for text, start in pairs]
    except (KeyError, TypeError, ValueError):
        raise UserError(
            f'{where}: expected answers as [{{"text": ..., "answer_start": ...}}], found {str(found)[:60]}'
        ) from None


def located(record: Mapping[str, Any], offsets: str, where: str) -> tuple[tuple[int, int], int]:
    """Returns where the answer to learn stands, and how many answers do not stand at their offset.

    Args:
      record: with `pair` and `answers`.
      offsets: what to do about a wrong one: "refuse" it, "find" the text's nearest occurrence, or "drop" it.
      where: what an error begins with.

    Returns:
      First character and the one after the last of the first answer whose place is known; NO_ANSWER twice for a
      question that has none, UNKNOWN twice where no place is known.

    Raises:
      UserError: a wrong offset that is refused, or answers of another form.
    """
    context, places, wrong = record["pair"], [], 0
    for text, start in (found := answers(record, where)):
        if not (text.strip() and start >= 0 and context.startswith(text, start)):
            wrong += 1
            if offsets == "refuse":
                raise UserError(
                    f"{where}: answer {text!r:.40} does not stand at character {start} of its context; set "
                    "objective.offsets=find (take its nearest occurrence) or objective.offsets=drop"
                )
            start = _nearest(context, text, start) if offsets == "find" and text.strip() else -1
        if start >= 0:
            places.append((start, start + len(text)))
    if not found:
        return (NO_ANSWER, NO_ANSWER), wrong
    return (places[0] if places else (UNKNOWN, UNKNOWN)), wrong


def _nearest(context: str, text: str, start: int) -> int:
    """Returns where the occurrence of `text` nearest to `start` begins, -1 where there is none."""
    before, after = context.rfind(text, 0, max(start, 0) + len(text)), context.find(text, max(start, 0))
    return min((place for place in (before, after) if place >= 0), key=lambda place: abs(place - start), default=-1)


def in_tokens(spans: np.ndarray, start: int, stop: int) -> tuple[int, int]:
    """Returns the first and the last token that hold characters from `start` up to `stop`; UNKNOWN twice: none does.

    Args:
      spans: int [tokens, 2], as `Tokenizer.encode_spans` gives it.
      start: a character, NO_ANSWER or UNKNOWN, which are returned as they are.
      stop: the character after the last.
    """
    if start < 0:
        return start, start
    held = np.flatnonzero((spans[:, 0] < stop) & (spans[:, 1] > start))
    return (int(held[0]), int(held[-1])) if len(held) else (UNKNOWN, UNKNOWN)

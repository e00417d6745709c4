# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Texts without labels, made into what a run's training data were: joined, put into a template, split into words."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import regex

from seqjax.data import glue, marked
from seqjax.data.sources import Source
from seqjax.errors import UserError
from seqjax.evaluation.texts import UNSPACED
from seqjax.objectives.answering import Answering
from seqjax.objectives.multiple_choice import MultipleChoice
from seqjax.objectives.question_answering import QuestionAnswering
from seqjax.objectives.regression import Regression
from seqjax.objectives.supervised import Classification, Tagging
from seqjax.objectives.two_towers import InBatchNegatives

Text = str | tuple[str, ...] | Mapping[str, Any]
PAIRED = Classification | Regression | InBatchNegatives  # of a text or a pair
LONGEST_WORD = 8  # letters of such a script in a word: more are a sentence


@dataclass(frozen=True)
class Asked:
    """A text to predict of.

    Attributes:
      given: what was given, by the keys of a record; a result begins with it.
      read: what the model reads: a text, its parts, or the words to tag; () of a blank line.
    """

    given: dict[str, Any]
    read: str | tuple[str, ...]


def asked(source: Source, objective: Any, texts: Iterable[tuple[str, Text | None]]) -> Iterator[Asked]:
    """Yields each text as the model reads it.

    Args:
      source: of the run's training data.
      objective: of the run.
      texts: how errors name each, and the text: its parts in the order of the columns that training read, or a record
        with these columns or the keys text, pair, choices (a list), words (a list), question and context. None is a
        blank line, of which nothing is read.

    Raises:
      UserError: a text with other parts than it may have or than the first has, or with nothing in one; or a text that
        is to be tagged without spaces between its words, where nothing says what its words are.
    """
    shapes = _shapes(source, objective)
    first = 0
    for where, text in texts:
        if text is None:
            yield Asked({"text": ""}, ())
            continue
        if isinstance(text, Mapping):
            record = dict(text)
        else:
            parts = (text,) if isinstance(text, str) else tuple(text)
            if len(parts) not in shapes and not first:
                what = " or ".join(_said(objective, names) for names in shapes.values())
                raise UserError(f"{where}: expected {what}, found {text!r:.60}")
            names = shapes.get(len(parts), next(iter(shapes.values())))
            if len(parts) != len(names):
                raise UserError(f"{where}: expected {_said(objective, names)}, found {text!r:.60}")
            record = dict(zip(names, parts, strict=True))
        found = _asked(source, objective, record, where)
        count = len(found.read) if isinstance(found.read, tuple) and not isinstance(objective, Tagging) else 1
        if first and count != first:
            what = "a pair of texts, as the first is" if first == 2 else "one text"
            raise UserError(f"{where}: expected {what}, found {text!r:.60}")
        first = count
        yield found


def _shapes(source: Source, objective: Any) -> dict[int, tuple[str, ...]]:
    """Returns of how many parts a text may be, and which columns they are then."""
    columns = source.joined.get("text", ("text",))
    if isinstance(objective, QuestionAnswering):
        kinds = [(*columns, "pair")]
    elif isinstance(objective, MultipleChoice):
        kinds = [(*columns, *(f"choice {label}" for label in objective.labels))]
    elif isinstance(objective, Answering) and source.task.template:
        asks = source.task.columns
        kinds = [tuple(part for name in asks for part in (columns if name == "text" else (name,)))]
    elif _paired(objective):
        kinds = [columns, (*columns, "pair")]
    else:
        kinds = [columns]
    return {len(names): names for names in kinds}


def _paired(objective: Any) -> bool:
    return isinstance(objective, PAIRED) and objective.reads != "relation"


def _said(objective: Any, names: tuple[str, ...]) -> str:
    """Returns in words what a text of these parts is."""
    if isinstance(objective, MultipleChoice):
        texts = names[: -len(objective.labels)]
        return f"{'a text' if texts == ('text',) else ', '.join(texts)} and its {len(objective.labels)} choices"
    named = {("text",): "one text", ("text", "pair"): "a pair of texts"}
    if isinstance(objective, QuestionAnswering):
        named[names] = "a question and its context"
    return named.get(names, "a text for each of " + ", ".join(names))


def _asked(source: Source, objective: Any, record: dict[str, Any], where: str) -> Asked:
    if isinstance(objective, Tagging):
        words = _words(source, record, where)
        return Asked({"text": str(record.get("text", " ".join(words)))}, words)
    record = _canonical(source, objective, record)
    if isinstance(objective, Answering) and source.task.template:
        given = {name: _text(record, name, where) for name in source.task.columns}
        read = source.task.ask(record, where)
        return Asked(given | {"asked": read}, read)
    text = _text(record, "text", where)
    if isinstance(objective, QuestionAnswering):
        context = _text(record, "pair", where)
        return Asked({"question": text, "context": context}, (text, context))
    if isinstance(objective, MultipleChoice):
        choices = _choices(source, objective, record, where)
        return Asked({"text": text, "choices": choices}, (text, *choices))
    if objective.reads == "relation":
        marked.plain(text, where)  # raises what is wrong with its marks
    if record.get("pair") is None or not _paired(objective):
        return Asked({"text": text}, text)
    pair = _text(record, "pair", where)
    return Asked({"text": text, "pair": pair}, (text, pair))


def _canonical(source: Source, objective: Any, record: dict[str, Any]) -> dict[str, Any]:
    """Returns a record whose text and pair have these keys, a text of several columns joined as in training."""
    columns = source.joined.get("text", (source.text,))
    out = dict(record)
    if source.train.startswith("glue:") and (own := glue.columns(list(record))):
        out |= {"text": record[own[0]]} | ({"pair": record[own[1]]} if own[1] else {})
    if all(isinstance(record.get(column), str) for column in columns):
        out["text"] = " ".join(record[column] for column in columns)
    out |= {"pair": record[source.pair]} if source.pair in record else {}
    if isinstance(objective, QuestionAnswering):
        named = {"text": "question", "pair": "context"}
        out |= {key: record[name] for key, name in named.items() if key not in out and name in record}
    return out


def _text(record: dict[str, Any], name: str, where: str) -> str:
    value = record.get(name)
    if not isinstance(value, str):
        raise UserError(f"{where}: expected a text '{name}', found {', '.join(record) or 'nothing'}")
    if not value.strip():
        raise UserError(f"{where}: expected text, found nothing")
    return value


def _choices(source: Source, objective: MultipleChoice, record: dict[str, Any], where: str) -> list[str]:
    columns = source.joined.get("choices", ())
    named = tuple(f"choice {label}" for label in objective.labels)
    names = next((each for each in (named, columns) if each and set(each) <= set(record)), ("choices",))
    values = record.get(names[0]) if len(names) == 1 else [_text(record, name, where) for name in names]
    if not isinstance(values, list) or len(values) != len(named):
        raise UserError(f"{where}: expected a list of {len(named)} choices, found {values!r:.60}")
    return [_text({"choices": value}, "choices", where) for value in values]


def _words(source: Source, record: dict[str, Any], where: str) -> tuple[str, ...]:
    """Returns the words of a text as those of the training data were parted."""
    listed = record.get("words", record.get(source.words))
    if listed is not None:
        if not isinstance(listed, list) or not listed or not all(isinstance(each, str) and each for each in listed):
            raise UserError(f"{where}: expected a list of words, found {listed!r:.60}")
        return tuple(listed)
    text = _text(record, "text", where)
    if source.placed:  # a character was a word
        return tuple("".join(text.split()))
    words = text.split()
    letters = [len(regex.findall(UNSPACED, word)) for word in words]
    if max(letters) > (1 if len(words) == 1 else LONGEST_WORD):
        raise UserError(
            f"{where}: expected spaces between words, found {text!r:.60}; put them where the training data part "
            'words, perhaps after every character, or give {"words": [...]} in a .jsonl file'
        )
    return tuple(words)

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""What a fine-tuned model says of texts without labels, in order, batch by batch."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from seqjax.data.sources import Source
from seqjax.errors import UserError
from seqjax.evaluation.records import Asked, Text
from seqjax.evaluation.tasks.table import known_task
from seqjax.evaluation.tasks.task import Ready
from seqjax.experiment import Experiment
from seqjax.objectives.objective import Objective
from seqjax.types import Params

TOGETHER = 16  # batches that are sorted by length together


def predict(experiment: Experiment, params: Params, tokenizer: Any, texts: Iterable[Text]) -> Iterator[dict[str, Any]]:
    """Yields what a model says of each text, in order; texts are read as they are needed.

    Args:
      experiment: of the run, as `seqjax.load` gives it; its objective says what is predicted, and its data.source how
        the training texts were made, of which columns and with which words around them.
      params: of the run.
      tokenizer: of the run.
      texts: each one text, a tuple of its parts, or a dict of them by name; see `asked`. A tagging model reads words
        between spaces (or {"words": [...]}), one that chooses a text and its choices, one that answers questions a
        question and its context, one with a template what that asks for, one that says how two entities relate a text
        with <e1> </e1> and <e2> </e2> around them.

    Yields:
      With "text" (and "pair" or "choices"): of a classifier, or a model that chooses, "label", "probability" and
      "probabilities" ({label: probability}); of a tagger "words", "tags" and, where the tags have a scheme, "entities"
      ({"type", "text", "start", "stop"} in words); of a regression "number"; of retrieval "vector", or of a pair
      "similarity"; of text to text "answer", and with a template "asked", what it makes of the text; of a model that
      answers questions what `spans.choose` gives. "cut" is true where a text is longer than the model was trained to
      read; a tagger reads such a text in several parts, and so is a context read.

    Raises:
      UserError: a run of another objective, or what `asked` raises.
    """
    numbered = ((f"text {number}", text) for number, text in enumerate(texts, start=1))
    yield from predict_asked(
        experiment, params, tokenizer, asked(experiment.data.source, experiment.objective, numbered)
    )


def predict_asked(
    experiment: Experiment,
    params: Params,
    tokenizer: Any,
    texts: Iterable[Asked],
    among: Sequence[str] | None = None,
) -> Iterator[dict[str, Any]]:
    """As `predict`, of texts in the form of the training data, or blank lines, of which there is a bare "text".

    Args:
      experiment: of the run.
      params: of the run.
      tokenizer: of the run.
      texts: see `asked`.
      among: of retrieval: texts of which the most alike are found for each, as "nearest" ({"text", "similarity",
        "number"} of the five best) instead of vectors.
    """
    task = known_task(experiment.objective)
    model = experiment.objective.build(experiment.model)
    answer = task.answerer(Ready(experiment, model, params, tokenizer, among))
    iterator = iter(texts)
    while group := list(itertools.islice(iterator, TOGETHER * experiment.data.eval_batch)):
        asks = [text for text in group if text.read]
        found = iter(answer(asks) if asks else [])
        yield from (next(found) if text.read else text.given for text in group)


def asked(source: Source, objective: Objective, texts: Iterable[tuple[str, Text | None]]) -> Iterator[Asked]:
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
    task = known_task(objective)
    columns = {len(names): names for names in task.columns(source)}
    pair: bool | None = None  # as the first is, where it may be one
    for where, text in texts:
        if text is None:
            yield Asked({"text": ""}, (), where)
            continue
        if isinstance(text, Mapping):
            record = dict(text)
        else:
            parts = (text,) if isinstance(text, str) else tuple(text)
            if len(parts) not in columns:
                fits = [names for names in columns.values() if pair in (None, "pair" in names) or not task.paired]
                what = " or ".join(map(task.described, fits))
                raise UserError(f"{where}: expected {what}, found {text!r:.60}")
            record = dict(zip(columns[len(parts)], parts, strict=True))
        found = Asked(*task.read(source, record, where), where)
        pair = "pair" in found.given if pair is None else pair
        if ("pair" in found.given) != pair:
            what = "a pair of texts, as the first is" if pair else "one text"
            raise UserError(f"{where}: expected {what}, found {text!r:.60}")
        yield found

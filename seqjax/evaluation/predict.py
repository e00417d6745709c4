# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""What a fine-tuned model says of texts without labels: classes, tags or answers, in order, batch by batch."""

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from seqjax.data.corpus import unlabelled
from seqjax.data.marked import plain
from seqjax.data.pipeline import Example, pad
from seqjax.data.rows import Rows, lay_out
from seqjax.errors import UserError
from seqjax.evaluation.spans import answer_all
from seqjax.evaluation.texts import say
from seqjax.experiment import Experiment
from seqjax.objectives.answering import Answering
from seqjax.objectives.multiple_choice import MultipleChoice
from seqjax.objectives.question_answering import QuestionAnswering
from seqjax.objectives.regression import Regression
from seqjax.objectives.supervised import Classification, Tagging
from seqjax.tags import entities, parts
from seqjax.types import Params

TOGETHER = 16  # batches that are sorted by length together
SHORTEST_ROW = 16  # places; each other width, twice the one before, is a program to compile
# Objectives of runs that can be asked.
PREDICTED = Classification | Tagging | Regression | Answering | QuestionAnswering

Text = str | tuple[str, ...]


def predict(experiment: Experiment, params: Params, tokenizer: Any, texts: Iterable[Text]) -> Iterator[dict[str, Any]]:
    """Yields what a model says of each text, in order; texts are read as they are needed.

    Args:
      experiment: of the run, as `seqjax.load` gives it; its objective says what is predicted.
      params: of the run.
      tokenizer: of the run.
      texts: each one text, or a pair of two; of a tagging model words between spaces, of one that chooses a text and
        its choices, of one that answers questions a question and its context, of one that says how two entities relate
        a text with <e1> </e1> and <e2> </e2> around them.

    Yields:
      With "text" (and "pair" or "choices"): of a classifier, or a model that chooses, "label", "probability" and
      "probabilities" ({label: probability}); of a tagger "words", "tags" and, where the tags have a scheme, "entities"
      ({"type", "text", "start", "stop"} in words); of a regression "number"; of text to text "answer"; of a model that
      answers questions what `spans.choose` gives. "cut" is true where a text is longer than the model was trained to
      read; a tagger reads such a text in several parts, and so is a context read.

    Raises:
      UserError: a run of another objective; texts and pairs beside each other, pairs for what reads none, a question
        without a context, a text with nothing in it, or without the two entities that it is about.
    """
    objective = experiment.objective
    if not isinstance(objective, PREDICTED):
        raise UserError("this run was trained to predict no class, tag, number or answer; fine-tune it first")
    model, size = objective.build(experiment.model), experiment.data.eval_batch
    ask: Callable[[list[Text]], list[dict[str, Any]]]
    if isinstance(objective, Answering):
        ask = functools.partial(_answers, experiment, model, params, tokenizer)
    else:
        compute = objective.chances if isinstance(objective, Classification) else objective.predict
        compiled = jax.jit(functools.partial(compute, model.apply))
        answering = isinstance(objective, QuestionAnswering)
        ask = functools.partial(_spans if answering else _labels, experiment, compiled, params, tokenizer)
    iterator = _checked(texts, objective)
    while group := list(itertools.islice(iterator, TOGETHER * size)):
        yield from ask(group)


def _shapes(objective: Any) -> dict[int, str]:
    """Returns of how many parts a text may be, and what it is then."""
    if isinstance(objective, QuestionAnswering):
        return {2: "a question and its context"}
    if isinstance(objective, MultipleChoice):
        return {1 + len(objective.labels): f"a text and its {len(objective.labels)} choices"}
    paired = isinstance(objective, Classification | Regression) and objective.reads != "relation"
    pairs = {2: "a pair of texts, as the first is"} if paired else {}
    return {1: "one text"} | pairs


def _checked(texts: Iterable[Text], objective: Any) -> Iterator[Text]:
    """Yields texts; raises UserError where one is not what the first is, has other parts than it may, or nothing."""
    wanted = _shapes(objective)
    for number, text in enumerate(texts, start=1):
        count = 1 if isinstance(text, str) else len(text)
        if number == 1 and count in wanted:
            wanted = {count: wanted[count]}
        if count not in wanted:
            raise UserError(f"text {number}: expected {next(iter(wanted.values()))}, found {text!r:.60}")
        if not all(part.strip() for part in ([text] if isinstance(text, str) else text)):
            raise UserError(f"text {number}: expected text, found nothing")
        if objective.reads == "relation":
            plain(str(text), f"text {number}")
        yield text


def _answers(experiment: Experiment, model: Any, params: Params, tokenizer: Any, texts: list[Text]) -> list[dict]:
    objective, data = experiment.objective, experiment.data
    assert isinstance(objective, Answering)
    sources = [str(text) for text in texts]
    said = say(model, objective, tokenizer, data.length, data.eval_batch, params, sources)
    room = objective.widest(data.length)[0]
    lengths = [len(ids) for ids in tokenizer.source.encode_batch(sources)]
    return [
        {"text": text, "answer": answer, "cut": length >= room}
        for text, answer, length in zip(sources, said, lengths, strict=True)
    ]


def _labels(
    experiment: Experiment, compute: Callable[..., jax.Array], params: Params, tokenizer: Any, texts: list[Text]
) -> list[dict[str, Any]]:
    objective, data = experiment.objective, experiment.data
    assert isinstance(objective, Classification | Tagging | Regression)
    rows = _rows(experiment, tokenizer, texts)
    found: dict[int, np.ndarray] = {}
    for place, example, out in _computed(experiment, compute, params, tokenizer, rows):
        found[place] = out[example["tag_weights"] > 0] if isinstance(objective, Tagging) else out
    if isinstance(objective, Tagging):
        said: list[list[int]] = [[] for _ in texts]
        for place in range(len(rows)):  # a sentence may take several
            said[rows.windows[place, 0]] += found[place].astype(int).tolist()
        return [_tags(objective.labels, str(text), tags) for text, tags in zip(texts, said, strict=True)]
    choices = rows.corpus.choices
    room = objective.row_length(data.length) // choices - (3 if rows.corpus.pair else 2)
    cut = np.any((rows.corpus.lengths > room).reshape(-1, choices), axis=1)
    return [_said(objective, text, found[place]) | {"cut": bool(cut[place])} for place, text in enumerate(texts)]


def _spans(
    experiment: Experiment, compute: Callable[..., jax.Array], params: Params, tokenizer: Any, texts: list[Text]
) -> list[dict[str, Any]]:
    objective = experiment.objective
    assert isinstance(objective, QuestionAnswering)
    rows = _rows(experiment, tokenizer, texts)
    logits = {place: out for place, _, out in _computed(experiment, compute, params, tokenizer, rows)}
    found = answer_all(objective, rows, logits, [text[1] for text in texts])
    return [
        {"question": text[0], "context": text[1]} | answer | {"cut": bool(length > rows.question)}
        for text, answer, length in zip(texts, found, rows.corpus.first, strict=True)
    ]


def _rows(experiment: Experiment, tokenizer: Any, texts: list[Text]) -> Rows:
    """Returns the rows of texts without labels, each as short as it may be."""
    objective, data = experiment.objective, experiment.data
    corpus = unlabelled(texts, tokenizer, objective.reads)
    buckets = [SHORTEST_ROW << i for i in range(16) if SHORTEST_ROW << i < data.length]
    longest, *shorter = (objective.row_length(width) for width in (data.length, *buckets))
    layout = ("bucket", objective.framing, longest, 0, shorter)
    asked = objective.question_length if isinstance(objective, QuestionAnswering) else 0
    return lay_out(corpus, tokenizer, *layout, whole=True, overlap=data.overlap, question=asked)


def _computed(
    experiment: Experiment, compute: Callable[..., jax.Array], params: Params, tokenizer: Any, rows: Rows
) -> Iterator[tuple[int, Example, np.ndarray]]:
    """Yields the number of each row, its example and what is computed of it, batch by batch."""
    for places in _batches(rows, experiment.data.eval_batch):
        generator = np.random.default_rng(0)  # nothing is drawn from it
        examples = [experiment.objective.corrupt(rows.row(place), generator, tokenizer) for place in places]
        out = np.asarray(compute(params, pad(examples, experiment.data.eval_batch)))
        yield from zip(places, examples, out, strict=False)


def _said(objective: Classification | Regression, text: Text, found: np.ndarray) -> dict[str, Any]:
    named: dict[str, Any] = {"text": text} if isinstance(text, str) else {"text": text[0], "pair": text[1]}
    if isinstance(objective, MultipleChoice):
        named = {"text": text[0], "choices": list(text[1:])}
    if isinstance(objective, Regression):
        return named | {"number": float(found)}
    best = int(np.argmax(found))
    every = {label: float(chance) for label, chance in zip(objective.labels, found, strict=True)}
    return named | {"label": objective.labels[best], "probability": float(found[best]), "probabilities": every}


def _tags(labels: Sequence[str], text: str, found: Sequence[int]) -> dict[str, Any]:
    words, tags = text.split(), [labels[tag] for tag in found]
    out: dict[str, Any] = {"text": text, "words": words, "tags": tags}
    if all(tag == "O" or "-" in tag for tag in labels) and all(parts(tag) for tag in labels):
        out["entities"] = [
            {"type": kind, "text": " ".join(words[start:stop]), "start": start, "stop": stop}
            for start, stop, kind in entities(tags)
        ]
    return out


def _batches(rows: Rows, size: int) -> Iterator[list[int]]:
    """Yields places of rows of one width, at most `size` at a time."""
    for width in np.unique(rows.widths):
        same = np.flatnonzero(rows.widths == width).tolist()
        yield from (same[start : start + size] for start in range(0, len(same), size))

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
from seqjax.data.pipeline import Example, pad
from seqjax.data.rows import Rows, lay_out
from seqjax.errors import UserError
from seqjax.evaluation.asked import Asked, Text, asked
from seqjax.evaluation.embed import sentence_embeddings
from seqjax.evaluation.spans import answer_all
from seqjax.evaluation.texts import say
from seqjax.experiment import Experiment
from seqjax.objectives.answering import Answering
from seqjax.objectives.question_answering import QuestionAnswering
from seqjax.objectives.regression import Regression
from seqjax.objectives.supervised import Classification, Tagging
from seqjax.objectives.two_towers import InBatchNegatives
from seqjax.tags import entities, parts
from seqjax.types import Params

TOGETHER = 16  # batches that are sorted by length together
SHORTEST_ROW = 16  # places; each other width, twice the one before, is a program to compile
# Objectives of runs that can be asked.
PREDICTED = Classification | Tagging | Regression | Answering | QuestionAnswering | InBatchNegatives
NEAREST = 5


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


def check_asked(objective: Any) -> None:
    """Raises UserError where runs of an objective cannot be asked."""
    if not isinstance(objective, PREDICTED):
        raise UserError("this run was trained to predict no class, tag, number or answer; fine-tune it first")


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
        "number"} of NEAREST, the best first) instead of vectors.
    """
    objective = experiment.objective
    check_asked(objective)
    assert isinstance(objective, PREDICTED)
    model, size = objective.build(experiment.model), experiment.data.eval_batch
    ask: Callable[[list[Asked]], list[dict[str, Any]]]
    if isinstance(objective, Answering):
        ask = functools.partial(_answers, experiment, model, params, tokenizer)
    elif isinstance(objective, InBatchNegatives):
        ask = _towers(experiment, model, params, tokenizer, among)
    else:
        compute = objective.chances if isinstance(objective, Classification) else objective.predict
        compiled = jax.jit(functools.partial(compute, model.apply))
        answering = isinstance(objective, QuestionAnswering)
        ask = functools.partial(_spans if answering else _labels, experiment, compiled, params, tokenizer)
    iterator = iter(texts)
    while group := list(itertools.islice(iterator, TOGETHER * size)):
        asks = [text for text in group if text.read]
        found = iter(ask(asks) if asks else [])
        yield from (next(found) if text.read else text.given for text in group)


def _answers(experiment: Experiment, model: Any, params: Params, tokenizer: Any, texts: list[Asked]) -> list[dict]:
    objective, data = experiment.objective, experiment.data
    assert isinstance(objective, Answering)
    sources = [str(text.read) for text in texts]
    said = say(model, objective, tokenizer, data.length, data.eval_batch, params, sources)
    room = objective.widest(data.length)[0]
    lengths = [len(ids) for ids in tokenizer.source.encode_batch(sources)]
    return [
        text.given | {"answer": answer, "cut": length >= room}
        for text, answer, length in zip(texts, said, lengths, strict=True)
    ]


def _towers(
    experiment: Experiment, model: Any, params: Params, tokenizer: Any, among: Sequence[str] | None
) -> Callable[[list[Asked]], list[dict[str, Any]]]:
    """Returns what gives vectors of texts, or how alike pairs are, or which of other texts are most alike."""
    objective, data = experiment.objective, experiment.data
    assert isinstance(objective, InBatchNegatives)
    vectors = functools.partial(
        sentence_embeddings, model, params, tokenizer, pool=objective.pool, batch=data.eval_batch, length=data.length,
        normalise=objective.similarity == "cosine",
    )  # fmt: skip

    candidates_ND = vectors(list(among)) if among else None

    def ask(texts: list[Asked]) -> list[dict[str, Any]]:
        parts = [(text.read,) if isinstance(text.read, str) else text.read for text in texts]
        first_ND = vectors([part[0] for part in parts])
        cut = [any(len(ids) > data.length - 2 for ids in tokenizer.encode_batch(list(part))) for part in parts]
        if len(parts[0]) == 2:
            alike = np.sum(first_ND * vectors([part[1] for part in parts]), axis=1)
            found: list[dict[str, Any]] = [{"similarity": float(each)} for each in alike]
        elif candidates_ND is None or among is None:
            found = [{"vector": each.tolist()} for each in first_ND]
        else:
            found = [
                {"nearest": [{"text": among[i], "similarity": float(row[i]), "number": int(i) + 1} for i in order]}
                for row in first_ND @ candidates_ND.T
                for order in [np.argsort(-row, kind="stable")[:NEAREST]]
            ]
        return [text.given | each | {"cut": long} for text, each, long in zip(texts, found, cut, strict=True)]

    return ask


def _labels(
    experiment: Experiment, compute: Callable[..., jax.Array], params: Params, tokenizer: Any, texts: list[Asked]
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
        joint = "" if data.source.placed else " "
        return [_tags(objective.labels, text, tags, joint) for text, tags in zip(texts, said, strict=True)]
    choices = rows.corpus.choices
    room = objective.row_length(data.length) // choices - (3 if rows.corpus.pair else 2)
    cut = np.any((rows.corpus.lengths > room).reshape(-1, choices), axis=1)
    return [_said(objective, text, found[place]) | {"cut": bool(cut[place])} for place, text in enumerate(texts)]


def _spans(
    experiment: Experiment, compute: Callable[..., jax.Array], params: Params, tokenizer: Any, texts: list[Asked]
) -> list[dict[str, Any]]:
    objective = experiment.objective
    assert isinstance(objective, QuestionAnswering)
    rows = _rows(experiment, tokenizer, texts)
    logits = {place: out for place, _, out in _computed(experiment, compute, params, tokenizer, rows)}
    found = answer_all(objective, rows, logits, [text.read[1] for text in texts])
    return [
        text.given | answer | {"cut": bool(length > rows.question)}
        for text, answer, length in zip(texts, found, rows.corpus.first, strict=True)
    ]


def _rows(experiment: Experiment, tokenizer: Any, texts: list[Asked]) -> Rows:
    """Returns the rows of texts without labels, each as short as it may be."""
    objective, data = experiment.objective, experiment.data
    corpus = unlabelled([text.read for text in texts], tokenizer, objective.reads)
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


def _said(objective: Classification | Regression, text: Asked, found: np.ndarray) -> dict[str, Any]:
    if isinstance(objective, Regression):
        return text.given | {"number": float(found)}
    best = int(np.argmax(found))
    every = {label: float(chance) for label, chance in zip(objective.labels, found, strict=True)}
    return text.given | {"label": objective.labels[best], "probability": float(found[best]), "probabilities": every}


def _tags(labels: Sequence[str], text: Asked, found: Sequence[int], joint: str) -> dict[str, Any]:
    words, tags = list(text.read), [labels[tag] for tag in found]
    out: dict[str, Any] = text.given | {"words": words, "tags": tags}
    if all(tag == "O" or "-" in tag for tag in labels) and all(parts(tag) for tag in labels):
        out["entities"] = [
            {"type": kind, "text": joint.join(words[start:stop]), "start": start, "stop": stop}
            for start, stop, kind in entities(tags)
        ]
    return out


def _batches(rows: Rows, size: int) -> Iterator[list[int]]:
    """Yields places of rows of one width, at most `size` at a time."""
    for width in np.unique(rows.widths):
        same = np.flatnonzero(rows.widths == width).tolist()
        yield from (same[start : start + size] for start in range(0, len(same), size))

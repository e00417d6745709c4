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
from seqjax.data.pipeline import pad
from seqjax.data.rows import Rows, lay_out
from seqjax.errors import UserError
from seqjax.evaluation.texts import say
from seqjax.experiment import Experiment
from seqjax.objectives.multiple_choice import MultipleChoice
from seqjax.objectives.regression import Regression
from seqjax.objectives.supervised import Classification, Tagging
from seqjax.objectives.text_to_text import TextToText
from seqjax.tags import entities, parts
from seqjax.types import Params

TOGETHER = 16  # batches that are sorted by length together
SHORTEST_ROW = 16  # places; each other width, twice the one before, is a program to compile
PREDICTED = Classification | Tagging | Regression | TextToText  # objectives of runs that can be asked

Text = str | tuple[str, ...]


def predict(experiment: Experiment, params: Params, tokenizer: Any, texts: Iterable[Text]) -> Iterator[dict[str, Any]]:
    """Yields what a model says of each text, in order; texts are read as they are needed.

    Args:
      experiment: of the run, as `seqjax.load` gives it; its objective says what is predicted.
      params: of the run.
      tokenizer: of the run.
      texts: each one text, or a pair of two; of a tagging model words between spaces; of a model that chooses a text
        and its choices.

    Yields:
      With "text" (and "pair" or "choices"): of a classifier, or a model that chooses, "label", "probability" and
      "probabilities" ({label: probability}); of a tagger "words", "tags" and, where the tags have a scheme, "entities"
      ({"type", "text", "start", "stop"} in words); of a regression "number"; of an encoder-decoder "answer". "cut" is
      true where a text is longer than the model was trained to read; a tagger reads such a text in several parts.

    Raises:
      UserError: a run of another objective; texts and pairs beside each other, pairs for anything but a classifier, or
        a text with nothing in it.
    """
    objective = experiment.objective
    if not isinstance(objective, PREDICTED):
        raise UserError("this run was trained to predict no class, tag, number or answer; fine-tune it first")
    model, size = objective.build(experiment.model), experiment.data.eval_batch
    ask: Callable[[list[Text]], list[dict[str, Any]]]
    if isinstance(objective, TextToText):
        ask = functools.partial(_answers, experiment, model, params, tokenizer)
    else:
        compute = objective.chances if isinstance(objective, Classification) else objective.predict
        compiled = jax.jit(functools.partial(compute, model.apply))
        ask = functools.partial(_labels, experiment, compiled, params, tokenizer)
    parts = _parts(objective)
    iterator = _checked(texts, parts)
    while group := list(itertools.islice(iterator, TOGETHER * size)):
        yield from ask(group)


def _parts(objective: Any) -> tuple[int, ...]:
    """Returns of how many parts a text may be."""
    if isinstance(objective, MultipleChoice):
        return (1 + len(objective.labels),)
    return (1, 2) if isinstance(objective, Classification | Regression) else (1,)


def _checked(texts: Iterable[Text], parts: tuple[int, ...]) -> Iterator[Text]:
    """Yields texts; raises UserError where one is not what the first is, has other parts than it may, or nothing."""
    names = {1: "one text", 2: "a pair of texts, as the first is"}
    for number, text in enumerate(texts, start=1):
        count = 1 if isinstance(text, str) else len(text)
        if number == 1 and count in parts:
            parts = (count,)
        if count not in parts:
            wanted = names[parts[0]] if parts[0] in names else f"a text and its {parts[0] - 1} choices"
            raise UserError(f"text {number}: expected {wanted}, found {text!r:.60}")
        if not all(part.strip() for part in ([text] if isinstance(text, str) else text)):
            raise UserError(f"text {number}: expected text, found nothing")
        yield text


def _answers(experiment: Experiment, model: Any, params: Params, tokenizer: Any, texts: list[Text]) -> list[dict]:
    objective, data = experiment.objective, experiment.data
    assert isinstance(objective, TextToText)
    sources = [str(text) for text in texts]
    said = say(model, objective, tokenizer, data.length, data.eval_batch, params, sources)
    room = objective.places(objective.row_length(data.length))[0]
    lengths = [len(ids) for ids in tokenizer.encode_batch(sources)]
    return [
        {"text": text, "answer": answer, "cut": length >= room}
        for text, answer, length in zip(sources, said, lengths, strict=True)
    ]


def _labels(
    experiment: Experiment, compute: Callable[..., jax.Array], params: Params, tokenizer: Any, texts: list[Text]
) -> list[dict[str, Any]]:
    objective, data = experiment.objective, experiment.data
    assert isinstance(objective, Classification | Tagging | Regression)
    corpus = unlabelled(texts, tokenizer, objective.reads)
    buckets = [SHORTEST_ROW << i for i in range(16) if SHORTEST_ROW << i < data.length]
    longest = objective.row_length(data.length)
    layout = ("bucket", objective.framing, longest, 0, [objective.row_length(width) for width in buckets])
    rows = lay_out(corpus, tokenizer, *layout, whole=True, overlap=data.overlap)
    found: dict[int, np.ndarray] = {}
    for places in _batches(rows, data.eval_batch):
        generator = np.random.default_rng(0)  # nothing is drawn from it
        examples = [objective.corrupt(rows.row(place), generator, tokenizer) for place in places]
        batch = pad(examples, data.eval_batch)
        out = np.asarray(compute(params, batch))
        for place, example, each in zip(places, examples, out, strict=False):
            found[place] = each[example["tag_weights"] > 0] if isinstance(objective, Tagging) else each
    if isinstance(objective, Tagging):
        said: list[list[int]] = [[] for _ in texts]
        for place in range(len(rows)):  # a sentence may take several
            said[rows.windows[place, 0]] += found[place].astype(int).tolist()
        return [_tags(objective.labels, str(text), tags) for text, tags in zip(texts, said, strict=True)]
    long = corpus.lengths > longest // corpus.choices - (3 if corpus.pair else 2)
    cut = np.any(long.reshape(-1, corpus.choices), axis=1)
    return [_said(objective, text, found[place]) | {"cut": bool(cut[place])} for place, text in enumerate(texts)]


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

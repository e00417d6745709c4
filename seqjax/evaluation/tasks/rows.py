# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Tasks whose model says something of each row: classes, tags, numbers, spans."""

import abc
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from seqjax.data.corpus import unlabelled
from seqjax.data.pipeline import Dataset, Example, pad
from seqjax.data.rows import Rows, lay_out
from seqjax.evaluation import analysis
from seqjax.evaluation.records import Asked
from seqjax.evaluation.stopping import Stop, never, until
from seqjax.evaluation.tasks.task import O, Ready, Said, Task
from seqjax.models.model import Model
from seqjax.training.parallel import Devices
from seqjax.types import Batch, Params

SHORTEST_ROW = 16  # places; each other width, twice the one before, is a program to compile
Compute = Callable[[Params, Batch], jax.Array]


class RowTask(Task[O]):
    """A task whose `finder` gives {"gold", "predicted", ...} of each record, in order.

    "record" is the record's number, "length" how many tokens its texts have, and "sure", but of numbers, how probable
    the model finds what it says.
    """

    @abc.abstractmethod
    def scores(self, pairs: Sequence[Said]) -> dict[str, Any]:
        """Returns the scores of what a `finder` gave."""

    @abc.abstractmethod
    def in_short(self, pairs: Sequence[Said]) -> dict[str, float]:
        """Returns the few scores that are shown of the records of a length."""

    def report(self, found: Sequence[Said]) -> dict[str, Any]:
        """Returns the scores; with lengths "by_length" has those of up to four equally large parts by it."""
        return self.scores(found) | analysis.by_length(found, self.in_short)


class LabelTask(RowTask[O]):
    """A task of which each row is predicted by itself."""

    @abc.abstractmethod
    def predicted(self, model: Model, params: Params, batch: Batch) -> Any:
        """Returns what `pair` reads of each row, arrays with the batch's axis; this is compiled."""

    @abc.abstractmethod
    def pair(self, example: Batch, found: Any) -> Said:
        """Returns gold and what was predicted of one row, both without the batch axis."""

    def finder(self, model: Model, dataset: Dataset, devices: Devices) -> Callable[..., list[Said]]:
        """Returns what gives a pair of each record; where several rows hold one its lists follow each other."""

        def compute(params: Params, batch: Batch, key: None) -> Any:
            return self.predicted(model, params, batch)

        compiled = devices.spread(compute, rows=True)

        def find(params: Params, split: str, limit: int = 0, stop: Stop = never) -> list[Said]:
            rows = dataset.rows(split)
            documents = documents_of(rows, limit)
            found: dict[int, Said] = {}
            for numbers, batch in until(stop, dataset.numbered(split, 0, len(devices), len(documents))):
                out = jax.device_get(compiled(params, devices.put_whole(batch), None))
                for place, number in enumerate(numbers):
                    example, said = jax.tree.map(lambda values, i=place: values[i], (dict(batch), out))
                    found[number] = self.pair(example, said)
            pairs: dict[int, Said] = {}
            for number, document in enumerate(documents.tolist()):
                if document in pairs:
                    pairs[document] = {name: said + found[number][name] for name, said in pairs[document].items()}
                else:
                    pairs[document] = found[number]
            each, lengths = rows.corpus.choices, rows.corpus.lengths
            return [
                pair | {"record": document // each, "length": int(np.sum(lengths[document : document + each]))}
                for document, pair in pairs.items()
            ]

        return find


def documents_of(rows: Rows, limit: int) -> np.ndarray:
    """Returns the document of each row, of all or of those that the first `limit` rows hold whole, or of the first."""
    every = rows.windows[rows.bounds[:-1], 0]
    if not 0 < limit < len(every):
        return every
    return every[every < max(every[limit], every[0] + 1)]


def asked_rows(run: Ready, texts: Sequence[Asked]) -> Rows:
    """Returns the rows of texts without labels, each as short as it may be."""
    objective, data = run.experiment.objective, run.experiment.data
    corpus = unlabelled([text.read for text in texts], run.tokenizer, objective.reads, [text.where for text in texts])
    buckets = [SHORTEST_ROW << i for i in range(16) if SHORTEST_ROW << i < data.length]
    longest, *shorter = (objective.row_length(width) for width in (data.length, *buckets))
    layout = ("bucket", objective.framing, longest, 0, shorter)
    return lay_out(corpus, run.tokenizer, *layout, whole=True, overlap=data.overlap, question=objective.question_length)


def computed(run: Ready, compute: Compute, rows: Rows) -> Iterator[tuple[int, Example, np.ndarray]]:
    """Yields the number of each row, its example and what is computed of it, batch by batch."""
    size = run.experiment.data.eval_batch
    for places in _batches(rows, size):
        generator = np.random.default_rng(0)  # nothing is drawn from it
        examples = [run.experiment.objective.corrupt(rows.row(place), generator, run.tokenizer) for place in places]
        yield from zip(places, examples, np.asarray(compute(run.params, pad(examples, size))), strict=False)


def cut(run: Ready, rows: Rows) -> np.ndarray:
    """Returns of each record whether the row that it takes has no room for all of it, bool [records]."""
    corpus = rows.corpus
    row = run.experiment.objective.row_length(run.experiment.data.length)
    room = row // corpus.choices - (3 if corpus.pair else 2)
    return np.any((corpus.lengths > room).reshape(-1, corpus.choices), axis=1)


def _batches(rows: Rows, size: int) -> Iterator[list[int]]:
    """Yields places of rows of one width, at most `size` at a time."""
    for width in np.unique(rows.widths):
        same = np.flatnonzero(rows.widths == width).tolist()
        yield from (same[start : start + size] for start in range(0, len(same), size))

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""From rows to batches (Grain): training order is a function of (seed, step) alone, evaluation sees each row once."""

import dataclasses
import functools
import itertools
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import grain
import numpy as np

from seqjax import rng
from seqjax.config import require, require_choice
from seqjax.data import corpus as corpora
from seqjax.data import marked, tokenizers
from seqjax.data.questions import NO_ANSWER
from seqjax.data.records import sample, texts_of
from seqjax.data.rows import LAYOUTS, SHORTEST, Rows, lay_out
from seqjax.data.sources import Source, open_split
from seqjax.data.stages import StagedIterator, stage_seed
from seqjax.errors import UserError
from seqjax.objectives.objective import Objective
from seqjax.objectives.question_answering import QuestionAnswering

Example = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Data:
    """What is read, how it is tokenised and laid out."""

    shorthand: ClassVar[str] = "source"

    source: Source = Source()
    tokenizer: str = "bpe:8192"
    source_tokenizer: str = ""  # of what an encoder reads, in a vocabulary of its own (empty: `tokenizer`)
    length: int = 128  # L: tokens that the model reads in a row
    batch: int = 32  # B: rows of an update, over all devices and accumulation steps
    stages: tuple[tuple[int, int, int], ...] = ()  # (updates, length, batch) of what comes before `length` and `batch`
    eval_batch: int = 64
    layout: str = "pack"  # "pack", "stream", "strips", "pad" or "bucket"; see seqjax.data.rows.lay_out
    buckets: tuple[int, ...] = ()  # row lengths for "bucket" below `length`
    places: int = 0  # for "bucket": of a batch, of pairs in their sources; as many rows as fit (0: `batch` rows)
    multiple: int = 8  # rows of a batch by `places`: of this, which devices and micro-batches divide
    overlap: int = 32  # tokens shared by windows of a tagged sentence or a context longer than a row, at most half
    limit: int = 0  # train on a fixed random choice of so many records (0: all)
    threads: int = 2  # that prepare batches ahead of the step

    def __post_init__(self) -> None:
        require_choice(self, "data", {"layout": LAYOUTS})
        require(self, "data", ("batch", "eval_batch", "threads", "multiple"), 1)
        require(self, "data", ("length",), SHORTEST)
        require(self, "data", ("limit", "places", "overlap"), 0)
        if self.places and self.layout != "bucket":
            raise UserError("data.places is for data.layout=bucket")
        if 0 < self.places < self.multiple * self.length:
            raise UserError(
                f"data.places={self.places} holds no data.multiple={self.multiple} rows of data.length={self.length}; "
                f"it must be at least {self.multiple * self.length}"
            )
        if self.layout == "bucket" and not self.buckets:
            raise UserError("data.layout=bucket needs data.buckets, for example data.buckets=32,64")
        for width in self.buckets:
            if not SHORTEST <= width <= self.length:
                raise UserError(
                    f"data.buckets: {width} must be at least {SHORTEST} and at most data.length={self.length}"
                )
        if self.stages and self.layout in ("bucket", "strips"):
            raise UserError(
                f"data.stages are not for data.layout={self.layout}, whose batches have shapes of their own"
            )
        for updates, length, batch in self.stages:
            if updates < 1 or batch < 1 or not SHORTEST <= length <= self.length:
                raise UserError(
                    f"data.stages: {updates}, {length}, {batch} must be updates (at least 1), a length ({SHORTEST} to "
                    f"data.length={self.length}) and a batch (at least 1)"
                )

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """(length, batch) of each stage, of which the last has no end; or of each bucket."""
        if self.places:
            return [(width, self.rows_of(width)) for width in sorted({*self.buckets, self.length})]
        return [(length, batch) for _, length, batch in self.stages] + [(self.length, self.batch)]

    @property
    def batches(self) -> list[tuple[str, int]]:
        """The setting that says so, and rows, of each size of batch."""
        last = "data.places" if self.places else "data.batch"
        names = itertools.chain(["data.stages"] * len(self.stages), itertools.repeat(last))
        return [(name, rows) for name, (_, rows) in zip(names, self.shapes, strict=False)]

    def rows_of(self, width: int) -> int:
        """Returns how many rows of this width a batch has."""
        return self.places // width // self.multiple * self.multiple if self.places else self.batch

    def shape(self, step: int) -> tuple[int, int]:
        """Returns (length, batch) of the update that follows `step` updates."""
        ends = itertools.accumulate(updates for updates, _, _ in self.stages)
        return self.shapes[sum(end <= step for end in ends)]


@dataclasses.dataclass
class Dataset:
    """An opened data set: records by split, their tokenizer, and batches for one objective.

    Attributes:
      config: what was asked for.
      objective: whose examples are made.
      tokenizer: from text to ids and back; its `source` is that of the texts that an encoder reads.
      records: function from a split's name to its records.
    """

    config: Data
    objective: Objective
    tokenizer: Any
    records: Callable[[str], Any]

    def __post_init__(self) -> None:
        self.rows: Callable[[str], Rows] = functools.cache(self._lay_out)  # tokenised on first use

    def chosen(self, split: str) -> Any:
        """Returns the records of a split that rows are made of: of training a sample of data.limit, else all."""
        records = self.records(split)
        return sample(records, self.config.limit) if split == "train" and self.config.limit else records

    def _lay_out(self, split: str) -> Rows:
        objective, data = self.objective, self.config
        if data.layout not in objective.layouts:
            good = " or ".join(objective.layouts)
            raise UserError(f"data.layout={data.layout} does not suit this objective; use {good}")
        objective.check(self.tokenizer, data.length)
        records = self.chosen(split)
        labels = getattr(objective, "labels", None) or ()
        asking = objective if isinstance(objective, QuestionAnswering) else None
        offsets = asking.offsets if asking else "refuse"
        corpus = corpora.tokenise(records, self.tokenizer, objective.reads, labels, offsets)
        if asking:
            _check_answers(corpus, asking, split)
        if corpus.tags is not None:
            objective.check_tags(np.asarray(corpus.tags), np.asarray(corpus.offsets), split)
        framing, lookahead, whole = objective.framing, objective.lookahead, objective.reads != "text"
        length = objective.row_length(data.length)
        # Evaluation rows stay as wide as training rows: a score must not depend on what else is in the batch.
        strips = data.batch if split == "train" else 1
        buckets, needed = [objective.row_length(width) for width in data.buckets], None
        if buckets and corpus.pair:
            needed = objective.places_needed(np.asarray(corpus.first), corpus.lengths - corpus.first, length)
        layout = (data.layout, framing, length, lookahead, buckets, whole, strips, needed, data.overlap)
        rows = lay_out(corpus, self.tokenizer, *layout, objective.question_length)
        if not len(rows):
            strip = f" in {strips} strips" if data.layout == "strips" else ""
            raise UserError(f"split '{split}' holds no text to make rows of{strip}")
        rows = dataclasses.replace(rows, parts=objective.parts, late=objective.late)
        if split == "train" and data.layout == "bucket":
            rows = dataclasses.replace(rows, widths=widened(rows.widths, self._batch_rows(rows)))
        return rows

    def example(self, split: str, seed: int, epoch: int, record: int) -> Example:
        """Returns one example, a function of its arguments alone."""
        rows, epoch = self.rows(split), self.objective.corruption_epoch(epoch)
        generator = rng.generator(seed, epoch, record)
        row = rows.row(record, self._shift(rows, seed, epoch))
        if self.objective.partners:
            row["partner"] = rows.real_tokens(rows.partner(record, generator))
        return self.objective.corrupt(row, generator, self.tokenizer)

    def _shift(self, rows: Rows, seed: int, epoch: int) -> int:
        """Where a stream's rows begin: another place in each epoch, so that no token always comes first in its row."""
        return int(np.random.default_rng((seed, epoch)).integers(rows.stride)) if rows.stride and epoch else 0

    def train(self, seed: int, host: int = 0, hosts: int = 1) -> Any:
        """Returns endless training batches: this host's rows of each, [B / hosts, ...], stage after stage.

        Host after host they are the rows that a single one reads, in their order. The iterator's state is JSON; its
        position counts batches, so it fits any number of hosts.

        Raises:
          UserError: the batch does not divide among the hosts.
        """
        if self.config.stages:
            updates = [updates for updates, _, _ in self.config.stages]
            return StagedIterator(updates, lambda number: self._stage(number, seed, host, hosts))
        rows, size, group = self.rows("train"), self.config.batch, self.objective.group
        groups = f" in groups of {group} (objective.group)" if group > 1 else ""
        for name, count in self.config.batches:
            if count % (hosts * group):
                raise UserError(f"{name}: a batch of {count} rows does not divide among {hosts} hosts{groups}")
        if self.config.layout == "bucket":
            order = bucket_order(rows.widths, self.batch_rows(), seed)
            chosen = grain.MapDataset.range(len(order(0))).repeat().map_with_index(_Lookup(order, host, hosts))
            dataset = chosen.map(_Gather(self, seed))
        else:
            count = len(rows)
            dataset = grain.MapDataset.range(count)
            dataset = (dataset if rows.strips else dataset.seed(seed).shuffle()).repeat()
            dataset = dataset.map_with_index(lambda i, record: self.example("train", seed, i // count, record))
            dataset = dataset.batch(group, drop_remainder=True) if group > 1 else dataset
            dataset = dataset.batch(size // group // hosts, drop_remainder=True)[host::hosts]
        options = grain.ReadOptions(num_threads=self.config.threads, prefetch_buffer_size=2 * self.config.threads)
        return iter(dataset.to_iter_dataset(options))

    def batch_rows(self) -> dict[int, int]:
        """Returns the rows of a training batch by the width of a row, of the widths that there are."""
        return self._batch_rows(self.rows("train"))

    def _batch_rows(self, rows: Rows) -> dict[int, int]:
        data = self.config
        every = {self.objective.row_length(w) + self.objective.lookahead: w for w in (*data.buckets, data.length)}
        return {width: data.rows_of(every.get(width, width)) for width in np.unique(rows.widths).tolist()}

    def _stage(self, number: int, seed: int, host: int, hosts: int) -> Any:
        length, batch = self.config.shapes[number]
        config = dataclasses.replace(self.config, length=length, batch=batch, stages=())
        return dataclasses.replace(self, config=config).train(stage_seed(seed, number), host, hosts)

    def evaluation(self, split: str, seed: int, multiple: int = 1, limit: int = 0) -> Iterator[Example]:
        """Yields batches that hold each row of a split once, in order; the last is filled with rows that count nothing.

        Args:
          split: its name.
          seed: of the corruption, which is the same in every evaluation.
          multiple: the number of rows in a batch is a multiple of this (the number of devices).
          limit: stop after so many rows (0: all).
        """
        for _, batch in self.numbered(split, seed, multiple, limit):
            yield batch

    def numbered(self, split: str, seed: int, multiple: int = 1, limit: int = 0) -> Iterator[tuple[list[int], Example]]:
        """Yields what `evaluation` does, each batch after the numbers of its rows."""
        rows = self.rows(split)
        multiple *= self.objective.group
        size = -(-(rows.strips or self.config.eval_batch) // multiple) * multiple
        together = rows.strips or size  # strips are read side by side, each row after the one before
        records, group = np.arange(len(rows))[: limit or None], self.objective.group
        for width in np.unique(rows.widths):
            same = records[rows.widths[records] == width]
            for start in range(0, len(same), together):
                here = same[start : start + together].tolist()
                yield here, grouped(pad([self.example(split, seed, 0, record) for record in here], size), group)


def _check_answers(corpus: corpora.Corpus, objective: QuestionAnswering, split: str) -> None:
    """Says how many answers do not stand at their offset; raises UserError where there must be one and is none."""
    if corpus.wrong_offsets:
        wrong = f"{corpus.wrong_offsets} answers do not stand at their offset"
        print(f"split '{split}': {wrong}; objective.offsets={objective.offsets}", file=sys.stderr)
    assert corpus.answers is not None
    if not objective.no_answer and (without := int(np.sum(corpus.answers[:, 0] == NO_ANSWER))):
        raise UserError(f"split '{split}': {without} questions have no answer; set objective.no_answer=true")


def stack(examples: Sequence[Example]) -> Example:
    """Returns one batch of examples of equal shapes."""
    return {name: np.stack([example[name] for example in examples]) for name in examples[0]}


def pad(examples: Sequence[Example], size: int) -> Example:
    """Returns a batch of `size` rows, filled up with zeros: segments and weights of 0 count nothing."""
    batch = stack(examples)
    missing = size - len(examples)
    return {name: np.pad(x, [(0, missing)] + [(0, 0)] * (x.ndim - 1)) for name, x in batch.items()}


def grouped(batch: Example, group: int) -> Example:
    """Returns a batch with an axis for groups of rows that stand beside each other, where they are more than one."""
    return batch if group == 1 else {name: x.reshape(-1, group, *x.shape[1:]) for name, x in batch.items()}


def widened(widths: np.ndarray, sizes: Mapping[int, int]) -> np.ndarray:
    """Returns the widths of rows such that there are enough rows of each for a batch.

    Rows of a width that has too few are made as wide as the next; where that is the widest, it takes in the one below.

    Args:
      widths: int [rows].
      sizes: the rows of a batch by width.

    Raises:
      UserError: there are fewer rows in all than a batch of the widest has.
    """
    widths = widths.copy()
    ascending = sorted(sizes)
    for width, wider in itertools.pairwise(ascending):
        if np.sum(widths == width) < sizes[width]:
            widths[widths == width] = wider
    widest = ascending[-1]
    for width in reversed(ascending[:-1]):
        if np.sum(widths == widest) < sizes[widest]:
            widths[widths == width] = widest
    if np.sum(widths == widest) < sizes[widest]:
        raise UserError(f"data.layout=bucket: {len(widths)} rows are no batch of {sizes[widest]}; use a smaller one")
    return widths


def bucket_order(widths: np.ndarray, sizes: Mapping[int, int], seed: int) -> Callable[[int], list[np.ndarray]]:
    """Returns a function epoch -> batches of rows of one width, shuffled within and among widths, `sizes` of each.

    Rows that do not fill a batch of their width sit out this epoch; which ones changes with the epoch.
    """
    groups = [(np.flatnonzero(widths == width), size) for width, size in sorted(sizes.items())]

    @functools.lru_cache(maxsize=2)
    def order(epoch: int) -> list[np.ndarray]:
        generator = np.random.default_rng((seed, epoch))
        batches: list[np.ndarray] = []
        for group, size in groups:
            batches += list(generator.permutation(group)[: len(group) // size * size].reshape(-1, size))
        return [batches[place] for place in generator.permutation(len(batches))]

    return order


@dataclasses.dataclass(frozen=True)
class _Lookup(grain.transforms.MapWithIndex):
    order: Callable[[int], list[np.ndarray]]
    host: int
    hosts: int

    def map_with_index(self, index: int, element: int) -> tuple[int, np.ndarray]:
        epoch = index // len(self.order(0))
        return epoch, self.order(epoch)[element].reshape(self.hosts, -1)[self.host]


@dataclasses.dataclass(frozen=True)
class _Gather(grain.transforms.Map):
    dataset: Dataset
    seed: int

    def map(self, element: tuple[int, np.ndarray]) -> Example:
        epoch, records = element
        batch = stack([self.dataset.example("train", self.seed, epoch, int(record)) for record in records])
        return grouped(batch, self.dataset.objective.group)


def open_data(config: Data, objective: Objective, tokenizer: Any = None) -> Dataset:
    """Returns the data set of a configuration; builds the tokenizer from the training text unless one is given."""
    records = functools.cache(lambda split: open_split(config.source, split))
    if tokenizer is None and config.source_tokenizer:
        source = tokenizers.build(config.source_tokenizer, lambda: texts_of(records("train"), ("text",)))
        target = tokenizers.build(config.tokenizer, lambda: texts_of(records("train"), ("pair",)))
        tokenizer = target.with_source(source)
    elif tokenizer is None:
        learnt = marked.texts_of if objective.reads == "relation" else texts_of
        tokenizer = tokenizers.build(config.tokenizer, lambda: learnt(records("train")))
    return Dataset(config, objective, tokenizer, records)

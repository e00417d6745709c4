# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Which piece of which document stands in which row: pure index arithmetic over document lengths."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from seqjax.data.corpus import Corpus
from seqjax.data.marked import around
from seqjax.data.questions import UNKNOWN
from seqjax.data.windows import cut, first_fit
from seqjax.errors import UserError
from seqjax.objectives.objective import Row, Vocabulary

LAYOUTS = ("pack", "stream", "strips", "pad", "bucket")
SHORTEST = 4  # places of a row: two texts of a pair take three special tokens


@dataclasses.dataclass(frozen=True)
class Rows:
    """Random access to rows of fixed width, each one or several framed windows of documents.

    Attributes:
      corpus: the documents.
      windows: int64 [windows, 3]: document, start, stop; those of one row stand together. Of a question with a context
        start and stop count the context's tokens alone.
      bounds: int64 [rows + 1]: row i holds windows[bounds[i]:bounds[i + 1]].
      widths: int64 [rows]: places of each row, padding included.
      framing: "continuous", "wrapped", "ended" or "bare" (no special tokens; a stream).
      vocabulary: special ids.
      stride: of a stream: tokens from the beginning of one row to that of the next; else 0.
      strips: of a text in strips: how many there are. Row i is of strip i % strips, and the rows of a strip follow each
        other with positions that go on; else 0.
      overlap: of tagged documents: places that the windows of one share. A tag in there counts in the window where it
        is farther from the edge.
      question: of questions with a context: most tokens of a question that stand before each window of its context.
      parts: of pairs: function from a row's width to the most tokens of either text; None where they share the room.
      late: of pairs: a first text that is cut keeps its end.
    """

    corpus: Corpus
    windows: np.ndarray
    bounds: np.ndarray
    widths: np.ndarray
    framing: str
    vocabulary: Vocabulary
    stride: int = 0
    strips: int = 0
    overlap: int = 0
    question: int = 0
    parts: Callable[[int], tuple[int, int]] | None = None
    late: bool = False

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def row(self, index: int, shift: int = 0) -> Row:
        """Returns tokens, segments and positions [W] and what else the corpus holds for this row.

        Args:
          index: of the row.
          shift: begin so many tokens later (in a stream, where rows may begin anywhere); the last row gets shorter.
        """
        width = int(self.widths[index])
        row: Row = {name: np.zeros(width, np.int32) for name in ("tokens", "segments", "positions")}
        row["tokens"][:] = max(self.vocabulary.pad, 0)
        if self.corpus.pair:
            row["token_types"] = np.zeros(width, np.int32)
        if self.corpus.tags is not None:
            row["tags"] = np.full(width, -1, np.int32)
            document, start, stop = self.windows[self.bounds[index]].tolist()
            row["sentence_begins"] = np.array(start == 0, np.int32)
            row["sentence_ends"] = np.array(stop == self.corpus.lengths[document], np.int32)
        if self.corpus.entities is not None:
            row["entities"] = np.zeros(width, np.int32)
        if self.corpus.answers is not None:
            row["answer_places"] = np.zeros(width, np.int32)
            row["answer"] = self._answer(index)
        at = 0
        for segment, window in enumerate(range(self.bounds[index], self.bounds[index + 1]), start=1):
            document, start, stop = self.windows[window].tolist()
            frame = self._frame(document, start + shift, stop + shift, width)
            here = slice(at, at + len(frame["tokens"]))
            for name, values in frame.items():
                row[name][here] = values
            row["segments"][here] = segment
            row["positions"][here] = np.arange(len(frame["tokens"]))
            at = here.stop
        if self.strips:
            row["positions"][:at] += int(self.windows[index, 1] - self.windows[index % self.strips, 1])
        if self.corpus.label is not None:
            label = self.corpus.label[self.windows[self.bounds[index], 0]]
            row["number" if self.corpus.label.dtype.kind == "f" else "label"] = label
        return row

    def real_tokens(self, index: int) -> np.ndarray:
        """Returns the tokens of a row without its padding."""
        row = self.row(index)
        return row["tokens"][row["segments"] > 0]

    def partner(self, index: int, rng: np.random.Generator) -> int:
        """Returns a random row that begins in another document than row `index` does.

        Raises:
          UserError: there is only one document.
        """
        own = self.windows[self.bounds[index], 0]
        for _ in range(100):
            other = int(rng.integers(len(self)))
            if self.windows[self.bounds[other], 0] != own:
                return other
        raise UserError("pairs of texts need several documents; these data are (nearly) all one")

    def _frame(self, document: int, start: int, stop: int, width: int) -> Row:
        tokens, begin = self.corpus.tokens, int(self.corpus.offsets[document])
        bos, eos = self.vocabulary.bos, self.vocabulary.eos
        if self.corpus.answers is not None:
            return self._frame_question(document, start, stop)
        if self.framing == "bare":
            return {"tokens": tokens[begin + start : begin + stop]}
        if self.framing == "continuous":  # place 0 of the sequence is the begin token, place i the document's i - 1
            body = tokens[begin + max(start - 1, 0) : begin + stop - 1]
            return {"tokens": np.concatenate([[bos], body]) if start == 0 else body}
        frame = {"tokens": np.concatenate([[bos], tokens[begin + start : begin + stop], [eos]])}
        if self.corpus.tags is not None:
            tags = self.corpus.tags[begin + start : begin + stop].copy()
            tags[: self.overlap // 2 if start else 0] = -1
            if stop < self.corpus.lengths[document]:
                tags[stop - start - self.overlap + self.overlap // 2 :] = -1
            frame["tags"] = np.concatenate([[-1], tags, [-1]])
        if self.corpus.entities is not None:
            frame["entities"] = np.pad(self.corpus.entities[begin + start : begin + stop], 1)
        if self.corpus.pair:
            frame = self._frame_pair(document, stop - start, width)
        return frame

    def context_at(self, document: int) -> int:
        """Returns the place in a row at which a window of this document's context begins."""
        return min(int(self.corpus.first[document]), self.question) + 2

    def _answer(self, index: int) -> np.ndarray:
        """Returns first and last place of the answer in a row, int32 [2]; 0 where this window does not hold all of it.

        UNKNOWN stays what it is.
        """
        assert self.corpus.answers is not None
        document, start, stop = self.windows[index].tolist()
        answer = np.array(self.corpus.answers[document], np.int32)
        if (answer == UNKNOWN).all():
            return answer
        held = start <= answer[0] and answer[1] < stop
        return answer - start + self.context_at(document) if held else np.zeros(2, np.int32)

    def _frame_question(self, document: int, start: int, stop: int) -> Row:
        """[begin] question [end] window of the context [end]; an answer may stand in the window or, for none, first."""
        begin, first = int(self.corpus.offsets[document]), int(self.corpus.first[document])
        question = self.corpus.tokens[begin : begin + min(first, self.question)]
        context = self.corpus.tokens[begin + first + start : begin + first + stop]
        bos, eos = [self.vocabulary.bos], [self.vocabulary.eos]
        sizes = [1, len(question) + 1, len(context), 1]
        return {
            "tokens": np.concatenate([bos, question, eos, context, eos]),
            "token_types": np.repeat([0, 0, 1, 1], sizes),
            "answer_places": np.repeat([1, 0, 1, 0], sizes),
        }

    def _frame_pair(self, document: int, room: int, width: int) -> Row:
        """[begin] first [end] second [end], each text cut to its part of the row.

        Where they share the room the longer text is cut first until both fit (Devlin et al. 2019, code).
        """
        begin, first = int(self.corpus.offsets[document]), int(self.corpus.first[document])
        middle, second = begin + first, int(self.corpus.offsets[document + 1]) - 1 - begin - first
        if self.parts is not None:
            first, second = (min(*pair) for pair in zip((first, second), self.parts(width), strict=True))
        while first + second > room:
            first, second = (first - 1, second) if first > second else (first, second - 1)
        begin = middle - first if self.late else begin
        a, b = self.corpus.tokens[begin : begin + first], self.corpus.tokens[middle : middle + second]
        bos, eos = [self.vocabulary.bos], [self.vocabulary.eos]
        types = np.repeat([0, 1], [first + 2, second + 1])
        return {"tokens": np.concatenate([bos, a, eos, b, eos]), "token_types": types}


def lay_out(
    corpus: Corpus,
    vocabulary: Vocabulary,
    layout: str,
    framing: str,
    length: int,
    lookahead: int,
    buckets: Sequence[int] = (),
    whole: bool = False,
    strips: int = 1,
    needed: np.ndarray | None = None,
    overlap: int = 0,
    question: int = 0,
) -> Rows:
    """Returns the rows of a corpus.

    Args:
      corpus: the documents.
      vocabulary: special ids.
      layout: "pack" (several documents to a row, apart by segments), "stream" (the whole corpus as one text, cut
        everywhere), "strips" (the same text in `strips` parts of equal length, read side by side from row to row),
        "pad" (one window to a row), or "bucket" (as "pad", in rows as short as one of `buckets` allows).
      framing: the objective's, see `Objective`.
      length: L.
      lookahead: rows hold L + lookahead places.
      buckets: row lengths for "bucket", ascending; `length` is the last.
      whole: one row for each document, cut at L (labelled data), instead of as many windows as it takes; a tagged one
        that is longer has several rows, and so has a question with a longer context; of a text about two entities
        the part around both is taken.
      strips: of layout "strips": how many; the rows that are too few to go on in every strip are left out.
      needed: of layout "bucket": places of a row that each window takes, int [windows]; by default as many as it has.
      overlap: places that the windows of a tagged document or of a context share, at most half of one.
      question: most tokens of a question with a context, at most half of a row; what is beyond is cut.

    Raises:
      UserError: an unknown layout, or a tokenizer without the special tokens that the framing needs.
    """
    if layout not in LAYOUTS:
        raise UserError(f"data.layout: '{layout}' is not one of {', '.join(LAYOUTS)}")
    if length < SHORTEST:
        raise UserError(f"data.length={length} leaves no room for text; use at least {SHORTEST}")
    width = length + lookahead
    one = layout in ("stream", "strips")
    needs = {"bare": (), "ended": (vocabulary.eos,)}.get(framing, (vocabulary.bos, vocabulary.eos))
    if any(token < 0 for token in needs) and not (one and framing == "continuous"):
        cure = "data.layout=stream" if framing == "continuous" else "another data.tokenizer"
        raise UserError(f"this tokenizer has no begin or end token, which layout '{layout}' needs; use {cure}")
    if one:
        return _as_one(corpus, vocabulary, framing, width, lookahead, strips if layout == "strips" else 0)
    if framing == "continuous":
        sequences, extra, shared = corpus.lengths + 2, 0, lookahead
    else:
        extra = 0 if framing == "bare" else 3 if corpus.pair else 2
        sequences, shared = corpus.lengths, 0
    if whole and corpus.choices > 1:
        return _side_by_side(corpus, vocabulary, layout, framing, width, buckets)
    question = min(question, (width - extra) // 2)
    if corpus.answers is not None:
        asked = extra + np.minimum(corpus.first, question)
        windows = _contexts(corpus, width - asked, overlap)
        extra = asked[windows[:, 0]]
    elif whole and corpus.tags is None:
        windows = _wholes(corpus, sequences, width - extra)
    else:
        shared = min(overlap, (width - extra) // 2) if whole else shared
        windows = cut(sequences, width - extra, shared)
    sizes = windows[:, 2] - windows[:, 1] + extra
    if layout == "pack" and not whole:
        row_of = first_fit(sizes, width)
        order = np.argsort(row_of, kind="stable")
        bounds = np.concatenate([[0], np.cumsum(np.bincount(row_of))])
        return Rows(corpus, windows[order], bounds, np.full(len(bounds) - 1, width), framing, vocabulary)
    rows = _one_each(corpus, windows, width, framing, vocabulary)
    rows = dataclasses.replace(rows, overlap=shared if whole else 0, question=question)
    if layout == "bucket":
        sizes = sizes if needed is None else needed
        return dataclasses.replace(rows, widths=_narrowest(buckets, length, sizes - lookahead) + lookahead)
    return rows


def _as_one(corpus: Corpus, vocabulary: Vocabulary, framing: str, width: int, lookahead: int, strips: int) -> Rows:
    """Returns the rows of all documents as one text, or of so many strips of it."""
    extra = 2 if framing == "wrapped" else 0
    joined = dataclasses.replace(corpus, offsets=np.array([0, len(corpus.tokens) + 1]))
    windows = cut(np.array([len(corpus.tokens)]), width - extra, lookahead)
    if strips:
        windows = windows[: len(windows) // strips * strips].reshape(strips, -1, 3).swapaxes(0, 1).reshape(-1, 3)
        return dataclasses.replace(_one_each(joined, windows, width, "bare", vocabulary), strips=strips)
    rows = _one_each(joined, windows, width, framing if extra else "bare", vocabulary)
    return dataclasses.replace(rows, stride=width - extra - lookahead)


def _wholes(corpus: Corpus, sequences: np.ndarray, room: int) -> np.ndarray:
    """Returns one window of each document: its beginning, or the part around the two entities that it is about."""
    if corpus.entities is not None:
        return around(np.asarray(corpus.entities), np.asarray(corpus.offsets), room, corpus.names)
    stop = np.minimum(sequences, room)
    return np.stack([np.arange(len(corpus)), np.zeros_like(stop), stop], axis=1)


def _contexts(corpus: Corpus, room: np.ndarray, overlap: int) -> np.ndarray:
    """Cuts the contexts of questions, of which each has at least one window, an empty one where nothing is left."""
    contexts = corpus.lengths - corpus.first
    windows = cut(np.maximum(contexts, 1), room, np.minimum(overlap, room // 2))
    windows[:, 2] = np.minimum(windows[:, 2], contexts[windows[:, 0]])
    return windows


def _side_by_side(
    corpus: Corpus, vocabulary: Vocabulary, layout: str, framing: str, width: int, buckets: Sequence[int]
) -> Rows:
    """Returns one row for each record of several pairs, each cut to its equal part of the row."""
    special, room = 3, width // corpus.choices
    if room < SHORTEST:
        least = SHORTEST * corpus.choices
        raise UserError(f"data.length={width} leaves no room for {corpus.choices} choices; use at least {least}")
    stop = np.minimum(corpus.lengths, room - special)
    windows = np.stack([np.arange(len(corpus)), np.zeros_like(stop), stop], axis=1)
    bounds = np.arange(0, len(corpus) + 1, corpus.choices)
    widths = np.full(len(bounds) - 1, width)
    if layout == "bucket":
        widths = _narrowest(buckets, width, np.add.reduceat(stop + special, bounds[:-1]))
    return Rows(corpus, windows, bounds, widths, framing, vocabulary)


def _narrowest(buckets: Sequence[int], longest: int, sizes: np.ndarray) -> np.ndarray:
    """Returns the shortest row length that holds each size."""
    limits = np.array(sorted({*buckets, longest}))
    return limits[np.searchsorted(limits, sizes)]


def _one_each(corpus: Corpus, windows: np.ndarray, width: int, framing: str, vocabulary: Vocabulary) -> Rows:
    widths = np.full(len(windows), width)
    return Rows(corpus, windows, np.arange(len(windows) + 1), widths, framing, vocabulary)

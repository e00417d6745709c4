# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""A tokenised data set on disk: ragged arrays, made once for each (data, tokenizer) and then read at random.

Because every document's length is known, which document stands in which row of which batch is plain index arithmetic:
order needs no replay after a restart and no agreement between hosts.
"""

import dataclasses
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from seqjax.data import marked
from seqjax.data.cache import cache_dir
from seqjax.data.fields import choices_of, class_number, field, real_number
from seqjax.data.questions import NO_ANSWER, in_tokens, located
from seqjax.errors import UserError

_FORMAT = 5  # part of each folder's name: raise it when what stands in a folder changes
_BATCH = 512  # records tokenised in one call


class Records(Protocol):
    """Random access to dicts with `text` (and `pair`, `choices`, `label`, `answers`) or `words` and `tags`.

    See `data.sources`.
    """

    fingerprint: str
    labels: tuple[str, ...]

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> dict[str, Any]: ...


class Encoder(Protocol):
    """What a corpus needs of a tokenizer; see `seqjax.data.tokenizers`."""

    size: int
    eos: int
    hash: str

    @property
    def source(self) -> "Encoder": ...
    def encode_batch(self, texts: list[str]) -> list[list[int]]: ...
    def encode_spans(self, texts: list[str]) -> list[tuple[list[int], np.ndarray]]: ...
    def encode_words(self, words: list[str]) -> tuple[list[int], list[int]]: ...


@dataclasses.dataclass(frozen=True)
class Corpus:
    """Documents as flat arrays. Document i is tokens[offsets[i]:offsets[i + 1]]; its last token is the end token.

    Attributes:
      tokens: ids of all documents, one after the other.
      offsets: int64 [documents + 1].
      first: int64 [documents]: how many of a document's tokens are its first text (all but the end, unless a pair).
      label: of each document, int32 or, where it is a number to predict, float32; or None.
      tags: int32 like tokens: the tag of the word that begins here, -1 elsewhere; or None.
      pair: whether documents are pairs of texts.
      choices: how many documents, one after the other, are of one record and stand in one row.
      bytes: of the original text in UTF-8.
      hash: sha256 of all of the above and of what follows.
      answers: int32 [documents, 2], or None: first and last token of the answer in the pair's second text; NO_ANSWER or
        UNKNOWN twice.
      spans: int32 [tokens, 2], or None: which characters of a pair's second text a token stands for, as
        `Tokenizer.encode_spans` has it; 0 elsewhere.
      wrong_offsets: answers that do not stand where the data say.
      entities: int32 like tokens: 1 and 2 on those of the two entities that a text is about, 0 elsewhere; or None.
      names: how errors name each record; else they are "record 1", "record 2", ...
    """

    tokens: np.ndarray
    offsets: np.ndarray
    first: np.ndarray
    label: np.ndarray | None
    tags: np.ndarray | None
    pair: bool
    bytes: int
    hash: str
    choices: int = 1
    answers: np.ndarray | None = None
    spans: np.ndarray | None = None
    wrong_offsets: int = 0
    entities: np.ndarray | None = None
    names: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """int64 [documents]: tokens of each document without the end token."""
        return np.diff(self.offsets) - 1


def label_names(records: Records, reads: str) -> tuple[str, ...]:
    """Returns the names of the tags ("tags") or else the classes of the training records, sorted unless declared.

    Whole numbers are sorted as such: 2 comes before 10.
    """
    if reads != "tags":
        found = {field(records[i], i, "label") for i in range(len(records))} if not records.labels else set()
        numbers = all(name.isdecimal() for name in found)
        return records.labels or tuple(sorted(found, key=lambda name: (int(name) if numbers else 0, name)))
    names = records.labels or {tag for i in range(len(records)) for tag in field(records[i], i, "tags")}
    return tuple(sorted(names, key=lambda tag: (tag != "O", tag)))


def tokenise(
    records: Records, tokenizer: Encoder, reads: str, labels: Sequence[str] = (), offsets: str = "refuse"
) -> Corpus:
    """Returns the tokenised records, from the cache folder if they stand there already.

    Args:
      records: what to tokenise.
      tokenizer: by what; the first text of a "pair" by its `source`.
      reads: "text", "pair" (two texts), "label" (text, perhaps pair, and a class), "choices" (text, choices, and the
        class of the right one), "number" (text, perhaps pair, and a number), "relation" (a text with two marked
        entities, see `seqjax.data.marked`, and a class), "tags" (words and their tags) or "answers" (a question, its
        context as the pair, and the answers in there).
      labels: names of classes or tags; their order gives the ids.
      offsets: of "answers": what becomes of one that does not stand at its offset, see `questions.located`.

    Raises:
      UserError: no records, a record without the field that is read, one with a second text where the first has none
        or the other way round, a label that is not among `labels`, another number of choices than of labels, an answer
        at a wrong offset that is refused, entities that are not marked, or a second text beside choices or entities.
    """
    if not len(records):
        raise UserError("the data holds no records")
    if tokenizer.eos < 0:
        raise UserError(
            "this tokenizer has no end token, which parts texts; name one [SEP], </s>, <eos>, <|end_of_text|> or "
            "<|endoftext|> in its file, or use another data.tokenizer"
        )
    identity = json.dumps([_FORMAT, records.fingerprint, tokenizer.hash, reads, list(labels), offsets])
    folder = cache_dir() / "corpora" / hashlib.sha256(identity.encode()).hexdigest()[:24]
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(dir=folder.parent, prefix="partial-"))
        try:
            _write(partial, records, tokenizer, reads, labels, offsets)
            os.rename(partial, folder)
        except OSError:
            if not folder.exists():  # else another process was first; the two are equal
                raise
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return _read(folder)


def unlabelled(texts: Sequence[str | tuple[str, ...]], tokenizer: Encoder, reads: str, names: Sequence[str]) -> Corpus:
    """Returns texts that have no labels as a corpus in memory; the class or tag of each word is the first.

    Args:
      texts: all of them texts or all of them pairs; for `reads` "tags" the words, for "choices" a text and its choices,
        for "answers" a question and its context.
      tokenizer: by what.
      reads: as for `tokenise`.
      names: how errors name each.
    """
    choices = len(texts[0]) - 1 if reads == "choices" else 1
    if reads == "choices":
        texts = [(text[0], choice) for text in texts for choice in text[1:]]
    pair = reads != "tags" and not isinstance(texts[0], str)
    tags = answers = spans = entities = None
    if reads == "relation":
        told = marked.encode(tokenizer, [str(text) for text in texts], names)
        documents, firsts = [ids for ids, _ in told], [len(ids) for ids, _ in told]
        entities = np.concatenate([np.append(members, np.int32(0)) for _, members in told])
    elif reads == "answers":
        documents, firsts, found = _asked(tokenizer, [text[0] for text in texts], [text[1] for text in texts])
        answers, spans = np.full((len(texts), 2), NO_ANSWER, np.int32), np.concatenate(found)
    elif reads == "tags":
        pieces = [_begun_words(tokenizer, list(text)) for text in texts]
        documents = [ids for ids, _ in pieces]
        tags = np.minimum(np.concatenate([[*words, -1] for _, words in pieces]), 0).astype(np.int32)
        firsts = [len(ids) for ids in documents]
    else:
        documents = tokenizer.encode_batch([text if isinstance(text, str) else text[0] for text in texts])
        firsts = [len(ids) for ids in documents]
        if pair:
            seconds = tokenizer.encode_batch([text[1] for text in texts])
            documents = [a + b for a, b in zip(documents, seconds, strict=True)]
    tokens = np.concatenate([np.asarray([*ids, tokenizer.eos], np.int32) for ids in documents])
    offsets = np.concatenate([[0], np.cumsum([len(ids) + 1 for ids in documents])]).astype(np.int64)
    label = None
    if reads in ("label", "choices", "number", "relation"):
        label = np.zeros(len(texts), np.float32 if reads == "number" else np.int32)
    facts = (pair, 0, "", choices, answers, spans)
    return Corpus(tokens, offsets, np.asarray(firsts, np.int64), label, tags, *facts, entities=entities, names=names)


def _write(folder: Path, records: Records, tokenizer: Encoder, reads: str, labels: Sequence[str], offsets: str) -> None:
    dtype = np.dtype(np.uint16 if max(tokenizer.size, tokenizer.source.size) <= 1 << 16 else np.int32)
    lengths, firsts = [], []
    numbers: list[float] = []
    tags: list[int] = []
    answers: list[tuple[int, int]] = []
    spans: list[np.ndarray] = []
    entities: list[np.ndarray] = []
    may_pair = reads in ("label", "number")  # all records have a second text, or none has
    pair, size, wrong = reads in ("pair", "choices", "answers") or (may_pair and "pair" in records[0]), 0, 0
    each = range(len(labels) if reads == "choices" else 1)  # documents of a record
    with open(folder / "tokens.bin", "wb") as out:
        for start in _progress(range(0, len(records), _BATCH), len(records)):
            here = {i: records[i] for i in range(start, min(start + _BATCH, len(records)))}
            if reads == "tags":
                documents = []
                for i in here:
                    ids, words = _begun_words(tokenizer, field(here[i], i, "words"))
                    numbered = [class_number(tag, labels, i) for tag in field(here[i], i, "tags")]
                    tags += [numbered[word] if word >= 0 else -1 for word in (*words, -1)]
                    documents.append(ids)
                firsts += [len(ids) for ids in documents]
            elif reads == "answers":
                texts, contexts = ([field(here[i], i, name) for i in here] for name in ("text", "pair"))
                documents, questions, found = _asked(tokenizer, texts, contexts)
                firsts += questions
                spans += found
                size += sum(len(text.encode()) for text in (*texts, *contexts))
                for i, question, own in zip(here, questions, found, strict=True):
                    field(here[i], i, "answers")
                    span, missed = located(here[i], offsets, f"record {i + 1}")
                    answers.append(in_tokens(own[question:-1], *span))
                    wrong += missed
            else:
                texts = [field(here[i], i, "text") for i in here]
                size += sum(len(text.encode()) for text in texts)
                if reads == "relation":
                    told = marked.encode(tokenizer, texts, [f"record {i + 1}" for i in here])
                    documents = [ids for ids, _ in told]
                    entities += [np.append(members, np.int32(0)) for _, members in told]
                else:
                    documents = (tokenizer.source if reads == "pair" else tokenizer).encode_batch(texts)
                if may_pair:
                    _check_pairs(here, pair)
                if reads in ("choices", "relation"):
                    _check_alone(here)
                if reads in ("label", "choices", "relation"):
                    numbers += [class_number(field(here[i], i, "label"), labels, i) for i in here for _ in each]
                if reads == "number":
                    numbers += [real_number(field(here[i], i, "label"), i) for i in here]
                if reads == "choices":
                    documents = [ids for ids in documents for _ in each]
                firsts += [len(ids) for ids in documents]
                if pair:
                    seconds = tokenizer.encode_batch(_seconds(here, reads, labels))
                    documents = [a + b for a, b in zip(documents, seconds, strict=True)]
            for ids in documents:
                out.write(np.asarray([*ids, tokenizer.eos], dtype).tobytes())
                lengths.append(len(ids) + 1)
    np.save(folder / "offsets.npy", np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]))
    np.save(folder / "first.npy", np.asarray(firsts, np.int64))
    if reads in ("label", "choices", "number", "relation"):
        np.save(folder / "label.npy", np.asarray(numbers, np.float32 if reads == "number" else np.int32))
    if reads == "tags":
        np.save(folder / "tags.npy", np.asarray(tags, np.int32))
    if reads == "relation":
        np.save(folder / "entities.npy", np.concatenate(entities))
    if reads == "answers":
        np.save(folder / "answers.npy", np.asarray(answers, np.int32))
        np.save(folder / "spans.npy", np.concatenate(spans))
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        with open(path, "rb") as file:
            digest.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    meta = {
        "dtype": dtype.name, "pair": pair, "bytes": size, "hash": digest.hexdigest(), "choices": len(each),
        "wrong_offsets": wrong,
    }  # fmt: skip
    (folder / "meta.json").write_text(json.dumps(meta))


def _seconds(records: Mapping[int, Mapping[str, Any]], reads: str, labels: Sequence[str]) -> list[str]:
    """Returns the second text of each record, by number, or all its choices."""
    if reads == "choices":
        return [text for i, record in records.items() for text in choices_of(record, i, labels)]
    return [field(record, i, "pair") for i, record in records.items()]


def _check_pairs(records: Mapping[int, Mapping[str, Any]], pair: bool) -> None:
    """Raises UserError where a record, by number, has a second text though the first has none, or the reverse."""
    if (odd := next((i for i in records if ("pair" in records[i]) != pair), None)) is not None:
        what = "a second text in 'pair', as record 1 has" if pair else "one text, as record 1 is"
        raise UserError(f"record {odd + 1}: expected {what}, found {', '.join(records[odd])}")


def _check_alone(records: Mapping[int, Mapping[str, Any]]) -> None:
    """Raises UserError where a record, by number, has a second text that does not stand in the first as well."""
    odd = next((i for i in records if "pair" in records[i] and records[i]["pair"] not in records[i]["text"]), None)
    if odd is not None:
        raise UserError(
            f"record {odd + 1}: expected one text, found a second in 'pair', which would not be read; join it to the "
            "text, for example data.source.text=article,question, or leave it out"
        )


def _read(folder: Path) -> Corpus:
    meta = json.loads((folder / "meta.json").read_text())

    def load(name: str) -> np.ndarray | None:
        path = folder / f"{name}.npy"
        return np.load(path, mmap_mode="r") if path.exists() else None

    offsets, first = np.load(folder / "offsets.npy", mmap_mode="r"), np.load(folder / "first.npy", mmap_mode="r")
    tokens = np.memmap(folder / "tokens.bin", meta["dtype"], mode="r")
    facts = (meta["pair"], meta["bytes"], meta["hash"], meta["choices"])
    labels = (load("label"), load("tags"))
    found = Corpus(tokens, offsets, first, *labels, *facts, load("answers"), load("spans"), meta["wrong_offsets"])
    return dataclasses.replace(found, entities=load("entities"))


def _asked(
    tokenizer: Encoder, questions: list[str], contexts: list[str]
) -> tuple[list[list[int]], list[int], list[np.ndarray]]:
    """Returns (tokens of question and context, how many are the question's, spans of all and of the end token)."""
    firsts = tokenizer.encode_batch(questions)
    seconds = tokenizer.encode_spans(contexts)
    spans = [np.pad(own, [(len(ids), 1), (0, 0)]) for ids, (_, own) in zip(firsts, seconds, strict=True)]
    documents = [a + b for a, (b, _) in zip(firsts, seconds, strict=True)]
    return documents, [len(ids) for ids in firsts], spans


def _begun_words(tokenizer: Encoder, words: list[str]) -> tuple[list[int], list[int]]:
    """Returns the tokens of words, and for each the number of the word that begins there, -1 elsewhere."""
    ids, owners = tokenizer.encode_words(words)
    return ids, [word if j == 0 or word != owners[j - 1] else -1 for j, word in enumerate(owners)]


def _progress(batches: range, total: int) -> Iterable[int]:
    """Shows a bar on stderr where there is enough to do to be worth watching."""
    from rich.console import Console
    from rich.progress import track

    quiet = total < 20_000
    return track(batches, f"tokenising {total:,} records", console=Console(stderr=True), transient=True, disable=quiet)

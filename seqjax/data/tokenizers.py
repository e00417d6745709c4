# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Text to ids and back: one class over three engines, all picklable, with one way to save and to load.

    bytes                     a byte b is the id 5 + b
    chars                     the characters of the training text
    words:N                   the N commonest words between white space; the corpus's own <unk> is the unknown word
    bpe:N                     byte-level byte pairs, N ids in all
    wordpiece:N               as BERT, lower-cased; wordpiece-cased:N is not
    unigram:N                 the unigram language model of SentencePiece
    PATH/tokenizer.json       any tokenizer of the `tokenizers` library
    bert:PATH/vocab.txt       a WordPiece vocabulary, lower-casing; bert-cased:PATH/vocab.txt keeps case
    gpt2:FOLDER               encoder.json or vocab.json, and vocab.bpe or merges.txt
    sentencepiece:PATH.model  a SentencePiece model

Those that are made here begin with [PAD] = 0, [UNK] = 1, [CLS] = 2, [SEP] = 3, [MASK] = 4. Text never becomes one of
the special ids, whatever is written in it.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np

from seqjax.data.tokenizer_engines import NONE, SPECIAL_NAMES, Bytes, Engine, Library, SentencePiece
from seqjax.errors import UserError

_ENDS = (".", "!", "?", "\n", "…", "\u3002", "\uff01", "\uff1f")  # the last three are Chinese
META = "tokenizer_meta.json"
SOURCE = "source"  # the folder within a tokenizer's that holds the one of its sources
T = TypeVar("T")


class Tokenizer:
    """A vocabulary and the function from text to its ids.

    Attributes:
      size: the number of ids.
      pad, unk, bos, eos, mask: special ids; bos is also [CLS], eos is also [SEP]; -1 where the vocabulary has none.
      source: the tokenizer of what an encoder reads before a decoder says text of this vocabulary: itself, or another.
    """

    def __init__(self, engine: Engine, special: dict[str, int], source: "Tokenizer | None" = None):
        self.engine = engine
        self._source = source
        self.size = engine.size
        self.pad, self.unk, self.bos, self.eos, self.mask = (special[name] for name in SPECIAL_NAMES)
        self._never = frozenset({self.pad, self.bos, self.eos, self.mask} - {self.unk, NONE})

    @property
    def source(self) -> "Tokenizer":  # no attribute, for nothing that holds itself is freed at once
        return self._source or self

    def with_source(self, source: "Tokenizer") -> "Tokenizer":
        """Returns the same with another tokenizer for sources."""
        return Tokenizer(self.engine, {name: getattr(self, name) for name in SPECIAL_NAMES}, source)

    def encode(self, text: str) -> list[int]:
        """Returns the ids of a text, with no special tokens added."""
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Returns the ids of each text, with no special tokens added; quicker than one by one."""
        found = _encode(self.engine.encode_batch, texts)
        return [ids if self._never.isdisjoint(ids) else self._plain(ids) for ids in found]

    def encode_spans(self, texts: Sequence[str]) -> list[tuple[list[int], np.ndarray]]:
        """Returns for each text the ids that `encode_batch` gives, and where each stands in the text.

        The latter is int32 [ids, 2]: its first character and the one after its last. Blanks may be in there; ids that
        share a character, as bytes do, have equal spans.
        """
        out = []
        for pieces in _encode(self.engine.encode_spans, texts):
            spans = np.array([piece[1:] for piece in pieces], np.int32).reshape(-1, 2)
            out.append((self._plain([piece[0] for piece in pieces]), spans))
        return out

    def encode_words(self, words: Sequence[str]) -> tuple[list[int], list[int]]:
        """Returns the ids of a sequence of words and, for each id, the index of its word. No word is without an id."""
        texts = [f" {word}" if self.engine.spaced and place else word for place, word in enumerate(words)]
        ids: list[int] = []
        index: list[int] = []
        for place, found in enumerate(self.encode_batch(texts)):
            # A word of which normalisation leaves nothing still has its tag.
            found = found or [max(self.unk, 0)]
            ids += found
            index += [place] * len(found)
        return ids, index

    def decode(self, ids: Iterable[int]) -> str:
        """Returns the text of ids, special tokens left out: for bytes, chars and byte-level BPE, the text encoded."""
        plain = [int(index) for index in ids]
        for index in plain:
            if not 0 <= index < self.size:
                raise ValueError(f"id {index} is not in a vocabulary of {self.size}")
        return self.engine.decode([index for index in plain if index not in self._never])

    def id_to_piece(self, index: int) -> str:
        """Returns what an id stands for, as the vocabulary writes it."""
        return self.engine.piece(int(index))

    @cached_property
    def word_starts(self) -> np.ndarray:
        """Whether each id begins a new word, bool [size]; the first id of a text does so whatever it is."""
        special = {self.pad, self.unk, self.bos, self.eos, self.mask}
        starts = [index in special or self.engine.begins_word(self.id_to_piece(index)) for index in range(self.size)]
        return np.array(starts, dtype=bool)

    @cached_property
    def sentinels(self) -> np.ndarray:
        """The ids of <extra_id_0>, <extra_id_1>, ... where the vocabulary has them."""
        found = {piece: i for i in range(self.size) if (piece := self.id_to_piece(i)).startswith("<extra_id_")}
        names = (f"<extra_id_{number}>" for number in range(len(found)))
        return np.array([found[name] for name in names if name in found], dtype=np.int32)

    @cached_property
    def sentence_ends(self) -> np.ndarray:
        """Whether a sentence or a line may end after each id, bool [size]."""
        texts = [self.engine.decode([index]) if index not in self._never else "" for index in range(self.size)]
        return np.array([text.rstrip(" ").endswith(_ENDS) for text in texts], dtype=bool)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Writes what `load` reads into a folder, which it makes."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        for name, data in self._files().items():
            path = Path(folder) / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)

    @cached_property
    def hash(self) -> str:
        """The sha256 of what `save` writes, in hexadecimal."""
        digest = hashlib.sha256()
        for name, data in sorted(self._files().items()):
            digest.update(f"{name}\0{len(data)}\0".encode() + data)
        return digest.hexdigest()

    def _files(self) -> dict[str, bytes]:
        special = {name: getattr(self, name) for name in SPECIAL_NAMES}
        meta = {"kind": self.engine.kind, "size": self.size, "special": special}
        own = {META: (json.dumps(meta, indent=2) + "\n").encode(), **self.engine.files()}
        sources = self._source._files() if self._source else {}
        return own | {f"{SOURCE}/{name}": data for name, data in sources.items()}

    def _plain(self, ids: list[int]) -> list[int]:
        return [self.unk if index in self._never else index for index in ids]


def _encode(encode: Callable[[list[str]], list[T]], texts: Sequence[str]) -> list[T]:
    try:
        return encode(list(texts))
    except (UnicodeEncodeError, TypeError):  # half of a surrogate pair, which JSON can hold and UTF-8 cannot
        return encode([text.encode("utf-8", "replace").decode("utf-8") for text in texts])


def build(spec: str, texts: Callable[[], Iterable[str]]) -> Tokenizer:
    """Returns the tokenizer of a spec (see the top of this file).

    Args:
      spec: what to build or to read.
      texts: gives the training text; called only where the spec needs training, more than once for none.

    Raises:
      UserError: an unknown spec, a missing or malformed file, or a vocabulary too small for the text.
    """
    from seqjax.data import vocabularies

    return vocabularies.build(spec, texts)


def load(folder: str | os.PathLike[str]) -> Tokenizer:
    """Returns the tokenizer that `Tokenizer.save` wrote.

    Raises:
      UserError: the folder holds none, or a damaged one.
    """
    path = Path(folder)
    try:
        meta = json.loads((path / META).read_text("utf-8"))
        engine: Engine
        if meta["kind"] == Bytes.kind:
            engine = Bytes()
        elif meta["kind"] == Library.kind:
            import tokenizers

            engine = Library(tokenizers.Tokenizer.from_str((path / "tokenizer.json").read_text("utf-8")))
        elif meta["kind"] == SentencePiece.kind:
            engine = SentencePiece((path / "sentencepiece.model").read_bytes())
        else:
            raise ValueError(f"unknown kind {meta['kind']!r}")
        if engine.size != meta["size"]:
            raise ValueError(f"{engine.size} ids where {meta['size']} were saved")
        source = load(path / SOURCE) if (path / SOURCE).exists() else None
        return Tokenizer(engine, {name: meta["special"][name] for name in SPECIAL_NAMES}, source)
    except UserError:
        raise
    except FileNotFoundError as error:
        raise UserError(f"{path} holds no saved tokenizer: {Path(error.filename).name} is missing") from None
    except Exception as error:
        raise UserError(f"the tokenizer saved in {path} is damaged: {error}") from None

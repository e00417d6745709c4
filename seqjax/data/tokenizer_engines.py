# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The three engines behind `seqjax.data.tokenizers.Tokenizer`: bytes, the `tokenizers` library, `sentencepiece`."""

import json
import os
from typing import Any, Protocol

# Batches are encoded by several threads. A forked child has none of them, so there the library must not wait for them.
if "TOKENIZERS_PARALLELISM" not in os.environ:
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: os.environ.__setitem__("TOKENIZERS_PARALLELISM", "false"))

SPECIAL_NAMES = ("pad", "unk", "bos", "eos", "mask")
SPECIAL_PIECES = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
NONE = -1  # the id of a special token that a vocabulary has not got
Piece = tuple[int, int, int]  # id, and the first character that it stands for and the one after the last


class Engine(Protocol):
    """What does the work: a pure function between texts and ids. Special tokens are `Tokenizer`'s affair."""

    kind: str  # names the engine in what `save` writes
    size: int
    spaced: bool  # a word in running text is encoded together with the blank before it

    def encode_batch(self, texts: list[str]) -> list[list[int]]: ...

    def encode_spans(self, texts: list[str]) -> list[list[Piece]]: ...

    def decode(self, ids: list[int]) -> str: ...

    def piece(self, index: int) -> str: ...

    def begins_word(self, piece: str) -> bool: ...

    def files(self) -> dict[str, bytes]: ...


class Bytes:
    """The bytes of the text in UTF-8."""

    kind = "bytes"
    size = len(SPECIAL_NAMES) + 256
    spaced = True

    def encode_batch(self, texts: list[str]) -> list[list[int]]:
        offset = len(SPECIAL_NAMES)
        return [[offset + byte for byte in text.encode("utf-8")] for text in texts]

    def encode_spans(self, texts: list[str]) -> list[list[Piece]]:
        offset = len(SPECIAL_NAMES)
        return [
            [(offset + byte, place, place + 1) for place, letter in enumerate(text) for byte in letter.encode("utf-8")]
            for text in texts
        ]

    def decode(self, ids: list[int]) -> str:
        offset = len(SPECIAL_NAMES)
        return bytes(index - offset for index in ids if index >= offset).decode("utf-8", "replace")

    def piece(self, index: int) -> str:
        offset = len(SPECIAL_NAMES)
        return SPECIAL_PIECES[index] if index < offset else f"<0x{index - offset:02X}>"

    def begins_word(self, piece: str) -> bool:
        return piece in ("<0x20>", "<0x0A>", "<0x09>", "<0x0D>")

    def files(self) -> dict[str, bytes]:
        return {}


class Library:
    """A tokenizer of the `tokenizers` library."""

    kind = "tokenizers"

    def __init__(self, tokenizer: Any):
        tokenizer.no_padding()
        tokenizer.no_truncation()
        tokenizer.encode_special_tokens = True  # what is written in a text is text
        self.tokenizer = tokenizer
        # Ids are positions in the embedding table: with gaps in the numbering there are more of them than pieces.
        self.size = 1 + max(tokenizer.get_vocab(with_added_tokens=True).values())
        state = json.loads(tokenizer.to_str())
        self._continuing = state["model"].get("continuing_subword_prefix") if _is(state, "WordPiece") else None
        self._characters = _is(state, "WordLevel") and "Split" in _types(state["pre_tokenizer"])
        self._whole = _is(state, "WordLevel") and not self._characters
        self._blanks = "ĠĊĉč" if "ByteLevel" in _types(state["pre_tokenizer"]) | _types(state["decoder"]) else "▁"
        self.spaced = self._characters or (self._blanks == "ĠĊĉč" and self._continuing is None)

    def __getstate__(self) -> str:
        return str(self.tokenizer.to_str())

    def __setstate__(self, state: str) -> None:
        import tokenizers

        self.__init__(tokenizers.Tokenizer.from_str(state))  # type: ignore[misc]

    def encode_batch(self, texts: list[str]) -> list[list[int]]:
        return [encoding.ids for encoding in self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)]

    def encode_spans(self, texts: list[str]) -> list[list[Piece]]:
        found = self.tokenizer.encode_batch(texts, add_special_tokens=False)
        return [
            [(index, *span) for index, span in zip(encoding.ids, encoding.offsets, strict=True)] for encoding in found
        ]

    def decode(self, ids: list[int]) -> str:
        return str(self.tokenizer.decode(ids, skip_special_tokens=False))

    def piece(self, index: int) -> str:
        return self.tokenizer.id_to_token(index) or ""

    def begins_word(self, piece: str) -> bool:
        if self._whole:
            return True
        if self._continuing is not None:
            return not piece.startswith(self._continuing)
        return piece[:1].isspace() if self._characters else piece[:1] in self._blanks

    def files(self) -> dict[str, bytes]:
        return {"tokenizer.json": self.tokenizer.to_str(pretty=True).encode("utf-8")}


class SentencePiece:
    """A model of the `sentencepiece` library."""

    kind = "sentencepiece"
    spaced = False  # it puts a blank before every text itself

    def __init__(self, model: bytes):
        import sentencepiece

        self._model = model
        self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        self.size = self._processor.get_piece_size()

    def __getstate__(self) -> bytes:
        return self._model

    def __setstate__(self, model: bytes) -> None:
        self.__init__(model)  # type: ignore[misc]

    def special(self) -> dict[str, int]:
        """Returns the special ids that the model declares."""
        own = self._processor
        mask = own.piece_to_id("[MASK]")
        return {
            "pad": own.pad_id(), "unk": own.unk_id(), "bos": own.bos_id(), "eos": own.eos_id(),
            "mask": mask if mask != own.unk_id() else NONE,
        }  # fmt: skip

    def encode_batch(self, texts: list[str]) -> list[list[int]]:
        found: list[list[int]] = self._processor.encode(texts)
        return found

    def encode_spans(self, texts: list[str]) -> list[list[Piece]]:
        found: list[dict[str, Any]] = self._processor.encode(texts, out_type="offset_mapping")
        return [[(index, *span) for index, span in zip(each["ids"], each["offsets"], strict=True)] for each in found]

    def decode(self, ids: list[int]) -> str:
        return str(self._processor.decode(ids))

    def piece(self, index: int) -> str:
        return str(self._processor.id_to_piece(index))

    def begins_word(self, piece: str) -> bool:
        return piece.startswith("▁")

    def files(self) -> dict[str, bytes]:
        return {"sentencepiece.model": self._model}


def _is(state: dict[str, Any], model: str) -> bool:
    return bool(state["model"].get("type") == model)


def _types(part: Any) -> set[str]:
    """Returns the types of a part of a tokenizer's JSON and of what it is composed of."""
    if isinstance(part, dict):
        inner = [value for value in part.values() if isinstance(value, (dict, list))]
        return {part["type"]} | _types(inner) if isinstance(part.get("type"), str) else _types(inner)
    return set().union(*map(_types, part)) if isinstance(part, list) else set()

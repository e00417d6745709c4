# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The tokenizer of a published checkpoint, in and out."""

import json
from pathlib import Path

from seqjax.data import tokenizers
from seqjax.data.tokenizer_engines import SPECIAL_NAMES, Library, SentencePiece
from seqjax.data.tokenizers import Tokenizer
from seqjax.errors import UserError
from seqjax.interop import llama2c
from seqjax.interop.files import read_json

_SENTENCEPIECE = ("spiece.model", "tokenizer.model", "sentencepiece.model")
_PUBLISHED = {"pad": "pad_token", "unk": "unk_token", "bos": "bos_token", "eos": "eos_token", "mask": "mask_token"}


def read_tokenizer(folder: Path) -> Tokenizer | None:
    """Returns the tokenizer that lies in a folder, None where there is none of a kind that is known here."""
    names = {path.name for path in folder.iterdir()}
    if tokenizers.META in names:
        return tokenizers.load(folder)
    if "tokenizer.json" in names:
        return _build(str(folder / "tokenizer.json"))
    for name in _SENTENCEPIECE:
        if name in names:
            return _build(f"sentencepiece:{folder / name}")
    if "vocab.txt" in names:
        own = read_json(folder / "tokenizer_config.json") if "tokenizer_config.json" in names else {}
        return _build(f"{'bert' if own.get('do_lower_case', True) else 'bert-cased'}:{folder / 'vocab.txt'}")
    if {"vocab.json", "merges.txt"} <= names:
        return _build(f"gpt2:{folder}")
    found = sorted(name for name in names if name.startswith("tok") and name.endswith(".bin"))
    return llama2c.read_tokenizer(folder / found[0]) if len(found) == 1 else None


def write_tokenizer(folder: Path, tokenizer: Tokenizer) -> None:
    """Writes what `read_tokenizer` reads and, for the kinds that transformers has, what that reads."""
    tokenizer.save(folder)
    special = {
        theirs: tokenizer.id_to_piece(getattr(tokenizer, ours))
        for ours, theirs in _PUBLISHED.items()
        if getattr(tokenizer, ours) >= 0
    }
    if isinstance(tokenizer.engine, Library):
        config = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False} | special
        (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
    if isinstance(tokenizer.engine, SentencePiece):
        (folder / "tokenizer.model").write_bytes(tokenizer.engine.files()["sentencepiece.model"])


def special_ids(tokenizer: Tokenizer | None) -> dict[str, int | None]:
    """Returns the special ids as config.json names them."""
    ids = {name: getattr(tokenizer, name, -1) for name in SPECIAL_NAMES}
    return {f"{name}_token_id": ids[name] if ids[name] >= 0 else None for name in ("bos", "eos", "pad")}


def _build(spec: str) -> Tokenizer:
    def no_text() -> list[str]:
        raise UserError(f"tokenizer '{spec}' cannot be trained here")

    return tokenizers.build(spec, no_text)

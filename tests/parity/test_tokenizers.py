# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""`transformers` loads the tokenizers that we write beside a checkpoint, and gives the same ids."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"

import pytest

transformers = pytest.importorskip("transformers")

from seqjax.data import tokenizers
from seqjax.interop.texts import read_tokenizer, write_tokenizer

TEXT = ["the cat sat on the mat", "a naïve café, and then some", "one two three four"] * 9


@pytest.mark.parametrize("spec", ["bpe:400", "wordpiece:120", "wordpiece-cased:120", "words:12", "chars"])
def test_ids(spec, tmp_path):
    ours = tokenizers.build(spec, lambda: TEXT)
    write_tokenizer(tmp_path, ours)
    theirs = transformers.PreTrainedTokenizerFast.from_pretrained(tmp_path)
    for text in (*TEXT[:3], "the naïve cat"):
        assert theirs(text, add_special_tokens=False)["input_ids"] == ours.encode(text)
    for name in ("pad", "mask"):
        assert getattr(theirs, f"{name}_token_id") == getattr(ours, name)
    assert read_tokenizer(tmp_path).hash == ours.hash

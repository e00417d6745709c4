# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Windows of contexts beside those that the fast tokenizers of `transformers` cut, as its example for SQuAD does."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import pytest

transformers = pytest.importorskip("transformers")

from seqjax.data import tokenizers
from seqjax.data.corpus import tokenise
from seqjax.data.rows import lay_out
from seqjax.data.sources import from_records
from seqjax.interop.texts import write_tokenizer

CONTEXT = "The cat, which sat on the mat; and then some more cats came in. "
RECORDS = [
    {"text": question, "pair": CONTEXT * times, "answers": []}
    for question in ("Who?", "Which cat sat on the mat in the end?")
    for times in (1, 2, 5)
]


@pytest.mark.parametrize(("length", "overlap"), [(32, 4), (32, 8), (48, 0), (64, 16), (256, 96)])
def test_windows(length, overlap, tmp_path):
    ours = tokenizers.build("wordpiece:80", lambda: [CONTEXT, RECORDS[-1]["text"]] * 9)
    write_tokenizer(tmp_path, ours)
    theirs = transformers.BertTokenizerFast.from_pretrained(tmp_path)
    corpus = tokenise(from_records(RECORDS), ours, "answers")
    rows = lay_out(corpus, ours, "pad", "wrapped", length, 0, whole=True, overlap=overlap, question=64)
    wanted = theirs(
        [record["text"] for record in RECORDS],
        [record["pair"] for record in RECORDS],
        truncation="only_second",
        max_length=length,
        stride=overlap,
        padding="max_length",
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    assert wanted["overflow_to_sample_mapping"] == rows.windows[:, 0].tolist()
    for i in range(len(rows)):
        row = rows.row(i)
        assert row["tokens"].tolist() == wanted["input_ids"][i]
        assert row["token_types"].tolist() == wanted["token_type_ids"][i]
        assert row["segments"].tolist() == wanted["attention_mask"][i]
        document, start, stop = rows.windows[i].tolist()
        begin, at = corpus.offsets[document] + corpus.first[document], rows.context_at(document)
        np.testing.assert_array_equal(
            corpus.spans[begin + start : begin + stop], wanted["offset_mapping"][i][at : at + stop - start]
        )

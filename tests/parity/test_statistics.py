# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The statistics of masking beside those of `transformers`' collator on the same rows."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from seqjax.objectives.mlm import MLM
from tests.objectives.test_mlm import corrupt, row

ROWS = 800


def test_masking_is_as_frequent_and_of_the_same_kinds(tmp_path):
    """Shares of predicted, masked, kept and random tokens differ by less than 4 standard errors."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"w{i}" for i in range(5, 1000))]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    tokenizer = transformers.BertTokenizer(str(tmp_path / "vocab.txt"))
    assert tokenizer.mask_token_id == 4
    sources = [row(seed=seed) for seed in range(ROWS)]
    torch.manual_seed(0)
    collator = transformers.DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15)
    batch = collator([{"input_ids": source["tokens"].tolist()} for source in sources])
    theirs = [
        (source["tokens"], np.flatnonzero(labels != -100), tokens)
        for source, labels, tokens in zip(sources, batch["labels"].numpy(), batch["input_ids"].numpy(), strict=True)
    ]
    ours = []
    for seed, source in enumerate(sources):
        out = corrupt(MLM(), source, seed)
        ours.append((source["tokens"], out["mlm_positions"][out["mlm_weights"] > 0], out["tokens"]))

    def shares(rows):
        before = np.concatenate([tokens[places] for tokens, places, _ in rows])
        after = np.concatenate([tokens[places] for _, places, tokens in rows])
        masked, kept = after == 4, after == before
        return {"predicted": len(before) / (ROWS * 126)} | {
            name: kind.mean() for name, kind in (("masked", masked), ("kept", kept), ("random", ~masked & ~kept))
        }

    found, wanted = shares(ours), shares(theirs)
    for name, share in wanted.items():
        count = ROWS * 126 if name == "predicted" else 0.15 * ROWS * 126
        error = np.sqrt(2 * share * (1 - share) / count)
        assert abs(found[name] - share) < 4 * error, (name, found[name], share)

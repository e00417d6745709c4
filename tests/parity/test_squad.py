# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Scores of answers beside those of `torchmetrics`, which has the script of SQuAD 1.1 but for texts without a word."""

import random

import pytest

theirs = pytest.importorskip("torchmetrics.functional.text")

from seqjax.evaluation.squad import answer_report

WORDS = ["the", "a", "An", "cat", "Cat's", "dog,", "(dog)", "80%", "new-born", "caf\u00e9", "\u732b", "\u2019s"]


@pytest.mark.parametrize("seed", range(5))
def test_exact_match_and_f1(seed):
    chooser = random.Random(seed)

    def text():
        return " ".join(["", *chooser.choices(WORDS, k=chooser.randint(0, 3)), chooser.choice(WORDS[3:])])

    pairs = [{"gold": [text() for _ in range(chooser.randint(1, 4))], "predicted": text()} for _ in range(200)]
    pairs += [{"gold": pair["gold"], "predicted": chooser.choice(pair["gold"]).upper()} for pair in pairs[:50]]
    wanted = theirs.squad(
        [{"id": str(i), "prediction_text": pair["predicted"]} for i, pair in enumerate(pairs)],
        [
            {"id": str(i), "answers": {"text": pair["gold"], "answer_start": [0] * len(pair["gold"])}}
            for i, pair in enumerate(pairs)
        ],
    )
    found = answer_report([pair | {"score": 0.0} for pair in pairs], "squad", False, 0.0)
    assert found["exact"] == pytest.approx(float(wanted["exact_match"]), abs=1e-4)
    assert found["f1"] == pytest.approx(float(wanted["f1"]), abs=1e-4)
    assert 10 < found["exact"] < 90

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Scores of answers against hand counts; tests/parity has them beside another package."""

import numpy as np
import pytest

from seqjax.errors import UserError
from seqjax.evaluation.squad import answer_report, best_threshold, cmrc2018, format_answer_report, normalised, squad


def test_normalised():
    assert normalised(" The  Quick, (brown) fox's\tden ") == "quick brown foxs den"
    assert normalised("an apple a day") == "apple day"
    assert normalised("theatre") == "theatre"
    assert normalised("\u201cThe\u201d") == "\u201c \u201d"  # only ASCII punctuation goes


@pytest.mark.parametrize(
    ("gold", "predicted", "exact", "f1"),
    [
        (["France"], "france.", 1, 1),
        (["the 10th century", "10th and 11th centuries"], "in the 10th century", 0, 4 / 5),
        (["a b c d".replace("a ", "")], "b c x", 0, 2 * (2 / 3) * (2 / 3) / (4 / 3)),
        (["cat cat dog"], "cat cat cat", 0, 2 / 3),
        (["cat"], "dog", 0, 0),
    ],
)
def test_words(gold, predicted, exact, f1):
    for no_answer in (False, True):
        assert squad(gold, predicted, no_answer) == pytest.approx((exact, f1))


def test_what_has_no_word_is_as_in_either_script():
    assert squad(["The"], "a") == (1, 0)
    assert squad(["The"], "", True) == (1, 1)
    assert squad(["The", "cat"], "", True) == (0, 0)
    assert squad([], "", True) == (1, 1)
    assert squad([], "cat", True) == (0, 0)


@pytest.mark.parametrize(
    ("gold", "predicted", "exact", "f1"),
    [
        (["俗名龙尖"], "俗名龙尖。", 1, 1),
        (["俗名龙尖"], "龙尖", 0, 2 * 2 / 6),
        (["体长可达80公分"], "可达80公分", 0, 2 * 5 / 12),  # 80 is one word
        (["俗龙名尖"], "俗名龙尖", 0, 2 * 1 / 8),  # a run, not a bag
        (["Nexon", "跑跑卡丁车"], "nexon公司", 0, 2 * 1 / 4),
        (["3-5天"], "35天", 1, 1),
        (["猫"], "狗", 0, 0),
    ],
)
def test_characters(gold, predicted, exact, f1):
    assert cmrc2018(gold, predicted) == pytest.approx((exact, f1))


PAIRS = [
    {"gold": ["cat"], "predicted": "cat", "score": 2.0},
    {"gold": ["black cat", "cat"], "predicted": "a black dog", "score": -1.0},
    {"gold": [], "predicted": "dog", "score": -2.0},
    {"gold": [], "predicted": "dog", "score": 1.0},
]


def test_a_report_by_hand():
    found = answer_report(PAIRS, "squad", True, -1.0)
    assert {name: value for name, value in found.items() if name != "intervals"} == pytest.approx({
        "exact": 50.0, "f1": 62.5, "total": 4, "threshold": -1.0,
        "HasAns_exact": 50.0, "HasAns_f1": 75.0, "HasAns_total": 2,
        "NoAns_exact": 50.0, "NoAns_f1": 50.0, "NoAns_total": 2,
        "best_exact": 75.0, "best_exact_thresh": 2.0, "best_f1": 75.0, "best_f1_thresh": 2.0,
    })  # fmt: skip
    assert answer_report(PAIRS, "squad", True, 1.5)["exact"] == 75.0
    plain = answer_report(PAIRS[:2], "squad", False, 0.0)
    assert (plain["exact"], plain["f1"], plain["total"]) == (50.0, 75.0, 2)
    assert plain["intervals"]["exact"] == [0.0, 100.0]
    assert "exact             50.00" in format_answer_report(plain)
    assert "best for F1 on validation" in format_answer_report(found | {"tuned": found})
    assert "best_f1_thresh    0.00412345678" in format_answer_report(found | {"best_f1_thresh": 0.00412345678})
    chinese = [{"gold": ["龙尖"], "predicted": "名龙尖", "score": 0.0}]
    assert answer_report(chinese, "cmrc2018", False, 0.0)["f1"] == pytest.approx(80.0)
    with pytest.raises(UserError, match="nothing to score"):
        answer_report([], "squad", False, 0.0)


@pytest.mark.parametrize("seed", range(20))
def test_the_best_threshold_is_that_of_trying_all(seed):
    rng = np.random.default_rng(seed)
    above, gains = rng.integers(-4, 5, 12).astype(float), rng.choice([-1.0, 0.3, 1.0], 12, p=[0.6, 0.2, 0.2])
    best, threshold = best_threshold(above, gains)
    every = [gains[above >= value].sum() for value in [*np.unique(above), 99.0]]
    assert best == pytest.approx(max(every))
    assert gains[above >= threshold].sum() == pytest.approx(best)

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Exact match and F1 of answers, as the official scripts of SQuAD 1.1, SQuAD 2.0 and CMRC 2018 compute them."""

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from seqjax.errors import UserError
from seqjax.evaluation.metrics import mean_intervals

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_CHINESE = re.compile(r"[\u4e00-\u9fa5]")
# What the script of CMRC 2018 leaves out of both texts; other punctuation counts there.
_LEFT_OUT = frozenset("-:_*^/\\~`+=\uff0c\u3002\uff1a\uff1f\uff01\u201c\u201d\uff1b\u2019\u300a\u300b\u00b7\u3001") | (
    frozenset("\u300c\u300d\uff08\uff09\uff0d\uff5e\u300e\u300f")
)


def normalised(text: str) -> str:
    """Returns a text in lower case without punctuation, articles and blanks that are not between words (SQuAD)."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def squad(gold: Sequence[str], predicted: str, no_answer: bool = False) -> tuple[float, float]:
    """Returns exact match and F1 of one answer, each the best over the answers in `gold`.

    With `no_answer` as in the script of SQuAD 2.0: "" is right where no gold answer has a word, and of texts that have
    none the F1 is 1 if both are so. In that of 1.1 it is 0.
    """
    if no_answer:
        gold = [text for text in gold if normalised(text)] or [""]
    said = normalised(predicted)
    exact = max(float(said == normalised(text)) for text in gold)
    return exact, max(_f1(normalised(text).split(), said.split(), no_answer) for text in gold)


def _f1(gold: list[str], predicted: list[str], no_answer: bool) -> float:
    if no_answer and not (gold and predicted):
        return float(gold == predicted)
    same = sum((Counter(gold) & Counter(predicted)).values())
    return 2 * same / (len(gold) + len(predicted)) if same else 0.0


def cmrc2018(gold: Sequence[str], predicted: str) -> tuple[float, float]:
    """Returns exact match and F1 of one Chinese answer: of the longest common run of characters and words.

    Chinese characters are words of their own; what stands between them is cut as NLTK cuts English (the official script
    finds sentences in it first, which makes a difference for a full stop between two of them only).
    """
    said, words = _without(predicted), _segments(predicted)
    exact = max(float(said == _without(text)) for text in gold)
    return exact, max(_run_f1(_segments(text), words) for text in gold)


def _run_f1(gold: list[str], predicted: list[str]) -> float:
    longest, before = 0, [0] * (len(predicted) + 1)
    for word in gold:
        here = [0] + [before[j] + 1 if word == other else 0 for j, other in enumerate(predicted)]
        longest, before = max(longest, *here), here
    return 2 * longest / (len(gold) + len(predicted)) if longest else 0.0


def _without(text: str) -> str:
    return "".join(letter for letter in text.lower().strip() if letter not in _LEFT_OUT)


def _segments(text: str) -> list[str]:
    from nltk.tokenize import NLTKWordTokenizer

    words = NLTKWordTokenizer()
    out: list[str] = []
    for part in re.split(f"({_CHINESE.pattern})", _without(text)):
        out += [part] if _CHINESE.match(part) else words.tokenize(part)
    return out


def answer_scores(score: str, no_answer: bool) -> Callable[[Sequence[str], str], tuple[float, float]]:
    """Returns the function of gold answers and a predicted one that is "squad" or "cmrc2018"."""
    return cmrc2018 if score == "cmrc2018" else lambda gold, text: squad(gold, text, no_answer)


def answer_report(pairs: Sequence[dict[str, Any]], score: str, no_answer: bool, threshold: float) -> dict[str, Any]:
    """Returns scores of answers against gold, in percent.

    Args:
      pairs: of each question {"gold": texts (none: it has no answer), "predicted": the best span's text, "score": above
        no answer}.
      score: "squad" or "cmrc2018".
      no_answer: whether a question may have none; then "" is said where the score is below the threshold.
      threshold: see there.

    Returns:
      "exact", "f1", "intervals" of both (95 %, as `classification_report` has them), "total", and with `no_answer`
      "HasAns_exact", "HasAns_f1", "NoAns_exact", "NoAns_f1" (each with its "total"), "threshold", and the best of both
      scores that any threshold gives on these questions: "best_exact", "best_exact_thresh", "best_f1",
      "best_f1_thresh". Names are those of the script of SQuAD 2.0, whose thresholds have the other sign.

    Raises:
      UserError: nothing to score.
    """
    if not pairs:
        raise UserError("there is nothing to score")
    of = answer_scores(score, no_answer)
    scores_N2 = np.array([of(pair["gold"] or [""], pair["predicted"]) for pair in pairs])
    if not no_answer:
        return _means(scores_N2)
    above_N = np.array([pair["score"] for pair in pairs])
    nothing_N2 = np.array([of(pair["gold"] or [""], "") for pair in pairs])
    chosen_N2 = np.where((above_N >= threshold)[:, None], scores_N2, nothing_N2)
    has_N = np.array([bool(pair["gold"]) for pair in pairs])
    out = _means(chosen_N2) | {"threshold": threshold}
    for name, part in (("HasAns", chosen_N2[has_N]), ("NoAns", chosen_N2[~has_N])):
        if len(part):
            exact, f1 = 100.0 * part.mean(axis=0)
            out |= {f"{name}_exact": float(exact), f"{name}_f1": float(f1), f"{name}_total": len(part)}
    said_N = np.array([bool(pair["predicted"]) for pair in pairs])
    for column, name in enumerate(("exact", "f1")):
        gains_N = np.where(has_N, scores_N2[:, column], -1.0 * said_N)
        best, out[f"best_{name}_thresh"] = best_threshold(above_N, gains_N)
        out[f"best_{name}"] = 100.0 * float(np.mean(~has_N) + best / len(pairs))
    return out


def best_threshold(above_N: np.ndarray, gains_N: np.ndarray) -> tuple[float, float]:
    """Returns the most that can be gained by answering only where the score is not below a threshold, and that one.

    Args:
      above_N: by how much each question's best span scores above no answer.
      gains_N: what it gains to give that span. As in the official script it loses 1 where there is no answer, even if
        the span has no word, which `squad` takes for no answer.
    """
    order = np.argsort(-above_N, kind="stable")
    values, sums = above_N[order], np.cumsum(gains_N[order])
    last = np.append(values[1:] < values[:-1], True)  # questions of equal scores are answered together
    place = int(np.argmax(np.where(last, sums, -np.inf)))
    if sums[place] <= 0:  # it is best to answer none
        return 0.0, float(np.nextafter(values[0], np.inf))
    return float(sums[place]), float(values[place])


def _means(scores_N2: np.ndarray) -> dict[str, Any]:
    exact, f1 = 100.0 * scores_N2.mean(axis=0)
    intervals = mean_intervals(dict(zip(("exact", "f1"), 100.0 * scores_N2.T, strict=True)))
    return {"exact": float(exact), "f1": float(f1), "total": len(scores_N2), "intervals": intervals}


def format_answer_report(report: dict[str, Any]) -> str:
    """Returns a report as plain text; of the threshold that was tuned elsewhere too."""
    digits = {name: ".9g" if name.endswith("thresh") else ".2f" for name in report}  # a threshold is given to `predict`
    lines = [f"{name:17} {value:{digits[name]}}" for name, value in report.items() if isinstance(value, float)]
    lines += [f"{name:17} {value:,}" for name, value in report.items() if isinstance(value, int)]
    lines += [f"{name}: 95 % between {low:.2f} and {high:.2f}" for name, (low, high) in report["intervals"].items()]
    if "tuned" in report:
        lines += ["", "with the threshold that is best for F1 on validation", format_answer_report(report["tuned"])]
    return "\n".join(lines)

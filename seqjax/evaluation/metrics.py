# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Scores of predicted against gold, by class and averaged: for classes of texts and for tags of words.

A report is a dict of JSON values. Both kinds have "per_class" ({name: score}), "micro", "macro" and "weighted", where a
score is {"precision", "recall", "f1", "support"} and the support counts gold. Precision with nothing predicted, recall
with nothing to find and F1 with neither are 0.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from seqjax.errors import UserError
from seqjax.tags import entities

Score = dict[str, Any]
Entity = tuple[int, int, int, str]  # sequence, first word, word after the last, type
AVERAGES = ("micro", "macro", "weighted")
RESAMPLES = 1000  # of the bootstrap
TOGETHER = 1 << 22  # numbers of its draws that are in memory at a time
PARTS = 4  # of equally many texts, by their length
DIRECTED = re.compile(r"\(e[12],e[12]\)$")
SHOWN_CLASSES = 12  # a confusion matrix of more is left to the HTML report


def classification_report(
    gold: Sequence[str], predicted: Sequence[str], labels: Sequence[str], other: str = ""
) -> dict[str, Any]:
    """Returns {"accuracy", "mcc", "per_class", "micro", "macro", "weighted", "intervals"}.

    Every label is listed under "per_class" and counts in the macro average, whether it occurs or not.

    "mcc" is the correlation of Matthews (1975; for more than two classes Gorodkin 2004). "intervals" are of 95 %, of
    these numbers and the macro F1: percentiles over as many texts drawn again with replacement (Efron 1979), a thousand
    times. Where labels are relations with a direction, "Cause-Effect(e1,e2)", "relation_f1" is the official score of
    SemEval-2010 task 8: the macro average over relations but "Other", where a wrong direction is wrong (Hendrickx et
    al. 2010, section 4).

    With `other`, that is what is predicted where no label is: it is wrong, and no class that is listed or averaged.

    Raises:
      UserError: nothing to score, differing lengths, or a class that is not among the labels.
    """
    from sklearn.metrics import accuracy_score, matthews_corrcoef

    named = [*labels, other] if other else labels
    y_true, y_pred = _codes(gold, predicted, named)
    out: dict[str, Any] = {"accuracy": float(accuracy_score(y_true, y_pred))}
    out["mcc"] = float(matthews_corrcoef(y_true, y_pred))
    if any(DIRECTED.search(label) for label in labels):
        out["relation_f1"] = _relation_f1(gold, predicted)
    cells, counts = np.unique(np.multiply(y_true, len(named)) + y_pred, return_counts=True)
    row, column = np.divmod(cells, len(named))
    names = ["accuracy", "mcc", "macro_f1"]
    if "relation_f1" in out:
        names.append("relation_f1")
        kinds = [DIRECTED.sub("", label) for label in labels]
        member = np.array([[name == kind for name in kinds] for kind in _relations(gold)], float)

    def scores(drawn: np.ndarray) -> np.ndarray:
        true, said = (_summed(drawn, place, len(named)) for place in (row, column))
        right = _summed(drawn[:, row == column], row[row == column], len(named))
        mcc = _matthews(true, said, right)
        right, found = right[:, : len(labels)], (true + said)[:, : len(labels)]
        every = [right.sum(axis=1) / len(y_true), mcc, _f1(right, found).mean(axis=1)]
        if "relation_f1" in names:
            every.append(_f1(right @ member.T, found @ member.T).mean(axis=1) if len(member) else np.zeros(len(drawn)))
        return np.stack(every, axis=1)

    intervals = {name: interval(values) for name, values in zip(names, bootstrap(counts, scores).T, strict=True)}
    return out | _scores(y_true, y_pred, labels) | {"intervals": intervals}


def bootstrap(counts: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Returns a statistic of each of RESAMPLES times as many things, drawn again with replacement.

    Args:
      counts: int [kinds]: how many things there are of each kind.
      statistic: from how often each kind was drawn, float [R, kinds], to [R, ...]; R are as many as memory allows.
    """
    total, rng = int(counts.sum()), np.random.default_rng(0)
    size = max(1, TOGETHER // len(counts))
    sizes = (min(size, RESAMPLES - done) for done in range(0, RESAMPLES, size))
    draws = (rng.multinomial(total, counts / total, size=each).astype(float) for each in sizes)
    return np.concatenate([statistic(drawn) for drawn in draws])


def mean_intervals(each: Mapping[str, np.ndarray]) -> dict[str, list[float]]:
    """Returns the interval of the mean of each score, whose values are of as many things."""
    values = np.stack(list(each.values()), axis=1)
    means = bootstrap(np.ones(len(values), int), lambda drawn: drawn @ values / len(values))
    return {name: interval(column) for name, column in zip(each, means.T, strict=True)}


def interval(values: np.ndarray) -> list[float]:
    """Returns the bounds of the middle 95 % of values."""
    return [float(value) for value in np.quantile(values, (0.025, 0.975))]


def in_parts(lengths: Sequence[int]) -> list[list[int]]:
    """Returns places of up to PARTS equally large parts of texts, from the shortest to the longest."""
    order = np.argsort(lengths, kind="stable")
    return [part.tolist() for part in np.array_split(order, min(PARTS, len(order)))]


def _relation_f1(gold: Sequence[str], predicted: Sequence[str]) -> float:
    """The macro F1 over relations without their directions, but for "Other"; in a hit the directions agree."""
    kinds = _relations(gold)
    scores = []
    for kind in kinds:
        right = sum(a == b and DIRECTED.sub("", a) == kind for a, b in zip(gold, predicted, strict=True))
        found = sum(DIRECTED.sub("", label) == kind for label in (*gold, *predicted))
        scores.append(2 * right / found)
    return sum(scores) / max(len(scores), 1)


def _relations(gold: Sequence[str]) -> list[str]:
    return sorted({DIRECTED.sub("", label) for label in gold} - {"Other"})


def _summed(drawn_RN: np.ndarray, place_N: np.ndarray, size: int) -> np.ndarray:
    """Returns the sums of what has each place, [R, size]."""
    from scipy.sparse import csr_array

    member = csr_array((np.ones(len(place_N)), (place_N, np.arange(len(place_N)))), (size, len(place_N)))
    return np.asarray(member @ drawn_RN.T).T


def _f1(right: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Returns F1 of hits and of what is gold and predicted together; 0 where there is neither."""
    return np.divide(2 * right, found, out=np.zeros_like(right), where=found > 0)


def _matthews(gold_RK: np.ndarray, said_RK: np.ndarray, right_RK: np.ndarray) -> np.ndarray:
    """Returns the correlation of confusion matrices (Gorodkin 2004, equation 8) by their sums and diagonals.

    0 where one side is one class.
    """
    total = gold_RK.sum(axis=1)
    shared = right_RK.sum(axis=1) * total - np.sum(gold_RK * said_RK, axis=1)
    spread = np.sqrt((total**2 - np.sum(gold_RK**2, axis=1)) * (total**2 - np.sum(said_RK**2, axis=1)))
    return np.divide(shared, spread, out=np.zeros_like(spread), where=spread > 0)


def confusion(gold: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> list[list[int]]:
    """Returns how often gold class i (row) was predicted as class j (column), in the order of the labels.

    Raises:
      UserError: as `classification_report`.
    """
    from sklearn.metrics import confusion_matrix

    return confusion_matrix(*_codes(gold, predicted, labels), labels=range(len(labels))).tolist()


def tagging_report(gold_tags: Sequence[Sequence[str]], predicted_tags: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Returns scores of entities, and of single words.

    An entity counts as found only where type, first and last word all agree (Tjong Kim Sang and De Meulder 2003,
    section 2.3). Averages are over the types that occur in gold or predicted.

    Args:
      gold_tags: for each sequence a tag for each word, in any scheme of `seqjax.tags`.
      predicted_tags: of the same shape.

    Returns:
      {"per_class", "micro", "macro", "weighted"} of entities, and of words, where B-PER and I-PER are two tags:
      "intervals" of 95 % of the entities' micro F1, as `classification_report` has them, over sentences;
      "token_accuracy" (equal to a micro F1 with O), "token_f1_macro_with_O", "token_f1_macro_without_O" and
      "token_f1_micro_without_O".

    Raises:
      UserError: nothing to score, differing lengths, or a tag of another form.
    """
    lengths = [[len(tags) for tags in sequences] for sequences in (gold_tags, predicted_tags)]
    if lengths[0] != lengths[1]:
        raise UserError("gold and predicted tags differ in the number of sequences or in the length of one")
    gold, predicted = (
        {(number, *entity) for number, tags in enumerate(sentences) for entity in entities(tags)}
        for sentences in (gold_tags, predicted_tags)
    )
    words_gold = [tag for tags in gold_tags for tag in tags]
    words_predicted = [tag for tags in predicted_tags for tag in tags]
    tags = sorted({*words_gold, *words_predicted})
    y_true, y_pred = _codes(words_gold, words_predicted, tags)
    without = [code for code, tag in enumerate(tags) if tag != "O"]
    counts = np.zeros((len(lengths[0]), 3))
    for column, found in enumerate((gold & predicted, predicted, gold)):
        np.add.at(counts[:, column], [entity[0] for entity in found], 1)
    right, said, there = bootstrap(np.ones(len(counts), int), lambda drawn: drawn @ counts).T
    return _entity_scores(gold, predicted) | {
        "intervals": {"micro_f1": interval(_f1(right, said + there))},
        "token_accuracy": sum(a == b for a, b in zip(y_true, y_pred, strict=True)) / len(y_true),
        "token_f1_macro_with_O": _average(y_true, y_pred, range(len(tags)), "macro")["f1"],
        "token_f1_macro_without_O": _average(y_true, y_pred, without, "macro")["f1"],
        "token_f1_micro_without_O": _average(y_true, y_pred, without, "micro")["f1"],
    }


def regression_report(gold: Sequence[float], predicted: Sequence[float]) -> dict[str, Any]:
    """Returns {"pearson", "spearman", "mean_squared_error", "mean_absolute_error", "intervals"}.

    The correlation with something that is the same everywhere is 0, with a NaN it is one. "intervals" are of 95 %, of
    both correlations, as `classification_report` has them.

    Raises:
      UserError: nothing to score, or differing lengths.
    """
    from scipy.stats import rankdata

    if len(gold) != len(predicted) or not len(gold):
        raise UserError(f"there are {len(gold)} gold and {len(predicted)} predicted numbers; each needs the other")
    pair = np.stack([np.asarray(gold, float), np.asarray(predicted, float)])
    error = pair[1] - pair[0]

    def correlations(pair: np.ndarray) -> dict[str, float]:
        return {"pearson": float(_correlation(pair)), "spearman": float(_correlation(rankdata(pair, axis=-1)))}

    rng = np.random.default_rng(0)
    # One resample at a time: all of them would not fit into memory where there are many numbers.
    drawn = [correlations(pair[:, rng.integers(len(gold), size=len(gold))]) for _ in range(RESAMPLES)]
    return correlations(pair) | {
        "mean_squared_error": float(np.mean(error**2)),
        "mean_absolute_error": float(np.mean(np.abs(error))),
        "intervals": {name: interval(np.array([each[name] for each in drawn])) for name in ("pearson", "spearman")},
    }


def _correlation(pair: np.ndarray) -> np.ndarray:
    """Returns Pearson's correlation of [2, ..., N] over N."""
    x, y = pair - np.mean(pair, axis=-1, keepdims=True)
    spread = np.sqrt(np.sum(x**2, axis=-1) * np.sum(y**2, axis=-1))
    constant = np.any(np.ptp(pair, axis=-1) == 0.0, axis=0)  # whose mean may not be that number, but for its last bit
    return np.where(constant, 0.0, np.sum(x * y, axis=-1) / np.where(constant | (spread == 0.0), 1.0, spread))


def format_report(report: dict[str, Any]) -> str:
    """Returns a report as plain text: the table of classes, the averages, single numbers, a small confusion matrix."""
    scores = {**report["per_class"], **{f"{name} average": report[name] for name in AVERAGES}}
    rows = [["", "precision", "recall", "F1", "support"]]
    rows += [
        [name, *(f"{score[key]:.4f}" for key in ("precision", "recall", "f1")), str(score["support"])]
        for name, score in scores.items()
    ]
    lines = _align(rows)
    lines.insert(len(lines) - len(AVERAGES), "")
    lines += ["", format_numbers(report)]
    if "confusion" in report and len(report["labels"]) <= SHOWN_CLASSES:
        matrix = [[str(count) for count in row] for row in report["confusion"]]
        lines += ["", "confusion (rows gold, columns predicted)"]
        lines += _align([["", *report["labels"]], *([a, *b] for a, b in zip(report["labels"], matrix, strict=True))])
    return "\n".join(lines)


def format_numbers(report: dict[str, Any]) -> str:
    """Returns the single numbers of a report, and their intervals, as plain text."""
    numbers = [[name.replace("_", " "), f"{value:.4f}"] for name, value in report.items() if isinstance(value, float)]
    lines = _align(numbers) if numbers else []
    lines += [
        f"{name.replace('_', ' ')}: 95 % between {low:.4f} and {high:.4f}"
        for name, (low, high) in report.get("intervals", {}).items()
    ]
    return "\n".join(lines)


def _codes(gold: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> tuple[list[int], list[int]]:
    """Names as positions in `labels`."""
    if len(gold) != len(predicted):
        raise UserError(f"there are {len(gold)} gold and {len(predicted)} predicted classes; each needs the other")
    if not len(gold):
        raise UserError("there is nothing to score")
    code = {label: number for number, label in enumerate(labels)}
    if strange := next((name for name in (*gold, *predicted) if name not in code), None):
        raise UserError(f"class '{strange}' is not among the labels: {', '.join(map(str, labels))}")
    return [code[name] for name in gold], [code[name] for name in predicted]


def _scores(y_true: Sequence[int], y_pred: Sequence[int], labels: Sequence[str]) -> dict[str, Any]:
    from sklearn.metrics import precision_recall_fscore_support

    codes = range(len(labels))
    columns = precision_recall_fscore_support(y_true, y_pred, labels=codes, average=None, zero_division=0)
    per_class = {label: _score(*row) for label, row in zip(labels, zip(*columns, strict=True), strict=True)}
    return {"per_class": per_class} | {name: _average(y_true, y_pred, codes, name) for name in AVERAGES}


def _average(y_true: Sequence[int], y_pred: Sequence[int], codes: Sequence[int], average: str) -> Score:
    """One average over the classes `codes`; all zero where there are none."""
    from sklearn.metrics import precision_recall_fscore_support

    if not len(codes):
        return _score(0.0, 0.0, 0.0, 0)
    options: dict[str, Any] = {"labels": codes, "average": average, "zero_division": 0}
    precision, recall, f1, _ = precision_recall_fscore_support(y_true, y_pred, **options)
    return _score(precision, recall, f1, sum(code in codes for code in y_true))


def _score(precision: float, recall: float, f1: float, support: int) -> Score:
    return {"precision": float(precision), "recall": float(recall), "f1": float(f1), "support": int(support)}


def _entity_scores(gold: set[Entity], predicted: set[Entity]) -> dict[str, Any]:
    kinds = sorted({entity[-1] for entity in gold | predicted})
    counts = {
        kind: [sum(entity[-1] == kind for entity in found) for found in (gold & predicted, predicted, gold)]
        for kind in kinds
    }
    per_class = {kind: _from_counts(*counts[kind]) for kind in kinds}
    macro = [1.0 / max(len(kinds), 1)] * len(kinds)
    weighted = [counts[kind][2] / max(len(gold), 1) for kind in kinds]
    out = {"per_class": per_class, "micro": _from_counts(len(gold & predicted), len(predicted), len(gold))}
    for name, shares in (("macro", macro), ("weighted", weighted)):
        precision, recall, f1 = (
            sum(share * score[key] for share, score in zip(shares, per_class.values(), strict=True))
            for key in ("precision", "recall", "f1")
        )
        out[name] = _score(precision, recall, f1, len(gold))
    return out


def _from_counts(correct: int, predicted: int, gold: int) -> Score:
    f1 = 2 * correct / (predicted + gold) if predicted + gold else 0.0
    return _score(correct / predicted if predicted else 0.0, correct / gold if gold else 0.0, f1, gold)


def _align(rows: list[list[str]]) -> list[str]:
    """Columns of equal width: the first flush left, the others flush right."""
    widths = [max(_width(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell + " " * (width - _width(cell)) if column == 0 else " " * (width - _width(cell)) + cell
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _width(text: str) -> int:
    """Cells of a terminal that a text takes: East Asian wide characters take two, combining marks none."""
    marks = sum(unicodedata.combining(character) > 0 for character in text)
    return len(text) - marks + sum(unicodedata.east_asian_width(character) in "WF" for character in text)

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Scores against hand counts, and against the package that the field scores tagging with."""

import collections
import json
import math
import tracemalloc
import warnings

import numpy as np
import pytest
import scipy.stats
import seqeval.metrics
import seqeval.scheme
import sklearn.metrics

from seqjax.errors import UserError
from seqjax.evaluation.metrics import (
    _relation_f1,
    classification_report,
    confusion,
    format_report,
    regression_report,
    tagging_report,
)

GOLD = ["a", "a", "a", "b", "b", "c"]
PREDICTED = ["a", "a", "b", "b", "c", "a"]
LABELS = ["a", "b", "c", "d"]  # d occurs nowhere
TABLE = """
                  precision  recall      F1  support
a                    1.0000  0.5000  0.6667        2
long name            0.0000  0.0000  0.0000        0
東京                 1.0000  1.0000  1.0000        1

micro average        0.6667  0.6667  0.6667        3
macro average        0.6667  0.5000  0.5556        3
weighted average     1.0000  0.6667  0.7778        3

accuracy  0.6667
mcc       0.6124
accuracy: 95 % between 0.0000 and 1.0000
mcc: 95 % between 0.0000 and 1.0000
macro f1: 95 % between 0.0000 and 0.6667

confusion (rows gold, columns predicted)
           a  long name  東京
a          1          1     0
long name  0          0     0
東京       0          0     1
"""


def score(precision, recall, f1, support):
    values = {"precision": precision, "recall": recall, "f1": f1}
    return {name: pytest.approx(value, rel=1e-12) for name, value in values.items()} | {"support": support}


def test_correlations_are_those_of_scipy():
    rng = np.random.default_rng(0)
    gold = rng.integers(0, 6, 300).astype(float)  # many ties
    predicted = np.exp(gold + rng.normal(size=300))
    report = regression_report(gold.tolist(), predicted.tolist())
    assert report["pearson"] == pytest.approx(scipy.stats.pearsonr(gold, predicted).statistic, rel=1e-10)
    assert report["spearman"] == pytest.approx(scipy.stats.spearmanr(gold, predicted).statistic, rel=1e-10)
    assert report["mean_squared_error"] == pytest.approx(sklearn.metrics.mean_squared_error(gold, predicted))
    assert report["mean_absolute_error"] == pytest.approx(sklearn.metrics.mean_absolute_error(gold, predicted))
    interval = scipy.stats.pearsonr(gold, np.log(predicted)).confidence_interval()  # by Fisher's transformation
    found = regression_report(gold, np.log(predicted))["intervals"]["pearson"]
    np.testing.assert_allclose(found, interval, atol=0.01)
    flat = regression_report([1.0, 2.0, 3.0], [2.0, 2.0, 2.0])
    assert (flat["pearson"], flat["spearman"]) == (0.0, 0.0)
    with pytest.raises(UserError, match="each needs the other"):
        regression_report([1.0], [])


def test_classification_report_against_hand_counts():
    report = classification_report(GOLD, PREDICTED, LABELS)
    assert report.pop("intervals").keys() == {"accuracy", "mcc", "macro_f1"}
    assert report == {
        "accuracy": pytest.approx(3 / 6),
        "mcc": pytest.approx((3 * 6 - 3 * 3 - 2 * 2 - 1 * 1) / math.sqrt((36 - 14) * (36 - 14))),  # Gorodkin 2004, (8)
        "per_class": {
            "a": score(2 / 3, 2 / 3, 2 / 3, 3),
            "b": score(1 / 2, 1 / 2, 1 / 2, 2),
            "c": score(0, 0, 0, 1),
            "d": score(0, 0, 0, 0),
        },
        "micro": score(3 / 6, 3 / 6, 3 / 6, 6),
        "macro": score(7 / 24, 7 / 24, 7 / 24, 6),  # (2/3 + 1/2 + 0 + 0) / 4
        "weighted": score(1 / 2, 1 / 2, 1 / 2, 6),  # (3 * 2/3 + 2 * 1/2) / 6
    }
    assert json.loads(json.dumps(report)).keys() == report.keys()


def test_classes_keep_the_order_of_the_labels():
    report = classification_report(GOLD, PREDICTED, LABELS[::-1])
    assert list(report["per_class"]) == LABELS[::-1]
    assert report["per_class"]["a"]["support"] == 3


def test_confusion_against_hand_counts():
    matrix = confusion(GOLD, PREDICTED, LABELS)
    assert matrix == [[2, 1, 0, 0], [0, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    assert json.dumps(matrix)
    assert confusion(["b"], ["a"], ["b", "a"]) == [[0, 1], [0, 0]]


@pytest.mark.parametrize("scorer", [classification_report, confusion])
@pytest.mark.parametrize(
    "gold, predicted, message",
    [(["a"], ["a", "b"], "1 gold and 2"), ([], [], "nothing to score"), (["a"], ["z"], "'z' is not among the labels")],
)
def test_what_cannot_be_scored_is_one_line(scorer, gold, predicted, message):
    with pytest.raises(UserError, match=message):
        scorer(gold, predicted, LABELS)


def random_tags(rng, malformed):
    """Some sequences of tags; well-formed ones never begin an entity with I-."""
    sequences = []
    for _ in range(rng.integers(1, 6)):
        tags, kind = [], None
        for _ in range(rng.integers(1, 12)):
            draw = rng.random()
            if draw < 0.35:
                kind = None
                tags.append("O")
            elif draw < 0.6 or (kind is None and not malformed):
                kind = rng.choice(["PER", "LOC", "MISC-X", "B"])
                tags.append(f"B-{kind}")
            else:
                kind = rng.choice(["PER", "LOC", "MISC-X", "B"]) if malformed and rng.random() < 0.5 else kind or "LOC"
                tags.append(f"I-{kind}")
        sequences.append(tags)
    return sequences


@pytest.mark.parametrize("malformed", [False, True])
def test_entity_scores_are_those_of_seqeval(rng, malformed):
    compared = 0
    for _ in range(200):
        gold = random_tags(rng, malformed)
        # A prediction that is often right, so that there is something to find.
        noise = [
            [str(rng.choice(["O", "B-PER", "I-PER", "I-LOC", tag], p=[0.05] * 4 + [0.8])) for tag in tags]
            for tags in gold
        ]
        predicted = noise if malformed else [a if rng.random() < 0.5 else ["O"] * len(a) for a in gold]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of precision without predictions
            expected = (
                seqeval.metrics.classification_report(gold, predicted, output_dict=True, zero_division=0)
                if any(tag != "O" for tags in gold + predicted for tag in tags)
                else None
            )
        report = tagging_report(gold, predicted)
        if expected is None:
            assert report["per_class"] == {} and report["macro"] == score(0, 0, 0, 0)
            continue
        ours = report["per_class"] | {f"{name} avg": report[name] for name in ("micro", "macro", "weighted")}
        assert ours.keys() == expected.keys()
        for name, values in expected.items():
            assert ours[name] == score(values["precision"], values["recall"], values["f1-score"], values["support"]), (
                name
            )
            compared += values["support"] > 0
        words = [[tag for tags in side for tag in tags] for side in (gold, predicted)]
        assert report["token_accuracy"] == pytest.approx(seqeval.metrics.accuracy_score(gold, predicted))
        assert report["token_accuracy"] == pytest.approx(np.mean(np.array(words[0]) == np.array(words[1])))
    assert compared > 600


def test_tagging_against_hand_counts():
    gold = [["B-PER", "I-PER", "O", "B-LOC"], ["O", "B-PER", "B-PER"]]
    predicted = [["B-PER", "O", "O", "I-LOC"], ["O", "B-PER", "I-PER"]]
    report = tagging_report(gold, predicted)
    # Entities: gold PER 0-1, LOC 3, PER 1, PER 2; predicted PER 0, LOC 3 (its I- begins it), PER 1-2.
    assert report["per_class"] == {"LOC": score(1, 1, 1, 1), "PER": score(0, 0, 0, 3)}
    assert report["micro"] == score(1 / 3, 1 / 4, 2 / 7, 4)
    assert report["macro"] == score(1 / 2, 1 / 2, 1 / 2, 4)
    assert report["weighted"] == score(1 / 4, 1 / 4, 1 / 4, 4)
    # Words: O right 2, predicted 3, gold 2; B-PER right 2, predicted 2, gold 3; nothing else right.
    assert report["token_accuracy"] == pytest.approx(4 / 7)
    assert report["token_f1_macro_with_O"] == pytest.approx((4 / 5 + 4 / 5) / 5)  # O, B-PER, I-PER, B-LOC, I-LOC
    assert report["token_f1_macro_without_O"] == pytest.approx((4 / 5) / 4)
    assert report["token_f1_micro_without_O"] == pytest.approx(2 * 2 / (4 + 5))


def test_an_entity_ends_with_its_sequence():
    report = tagging_report([["B-PER"], ["I-PER"]], [["B-PER"], ["B-PER"]])
    assert report["per_class"]["PER"] == score(1, 1, 1, 2)


def test_all_outside_scores_zero():
    report = tagging_report([["O", "O"]], [["O", "O"]])
    assert report["per_class"] == {} and report["micro"] == report["weighted"] == score(0, 0, 0, 0)
    assert report["token_accuracy"] == 1.0 and report["token_f1_micro_without_O"] == 0.0


@pytest.mark.parametrize(
    "gold, predicted, message",
    [
        ([["O"]], [["O", "O"]], "length"),
        ([["O"]], [["O"], ["O"]], "number of sequences"),
        ([["O", "O"], ["O"]], [["O"], ["O", "O"]], "length"),
        ([["PER"]], [["O"]], "'PER' is not"),
        ([["O"]], [["X-PER"]], "'X-PER' is not"),
        ([["O"]], [["B-"]], "'B-' is not"),
        ([], [], "nothing to score"),
    ],
)
def test_tags_that_cannot_be_scored_are_one_line(gold, predicted, message):
    with pytest.raises(UserError, match=message):
        tagging_report(gold, predicted)


def test_format_report_is_a_table():
    labels = ["a", "long name", "東京"]
    gold, predicted = ["a", "a", "東京"], ["a", "long name", "東京"]
    report = classification_report(gold, predicted, labels) | {"labels": labels}
    text = format_report(report | {"confusion": confusion(gold, predicted, labels)})
    assert text == TABLE.strip("\n")


def test_format_report_of_tags_names_each_number():
    text = format_report(tagging_report([["B-PER", "O"]], [["B-PER", "O"]]))
    for line in ("PER ", "micro average ", "token accuracy ", "token f1 macro with O ", "token f1 micro without O "):
        assert any(shown.startswith(line) and "1.0000" in shown for shown in text.splitlines()), line


def test_intervals_are_those_of_drawing_again():
    """Against the accuracy's own: a share of 80 % of 400 has a standard deviation of 2 %."""
    gold = ["a", "b"] * 200
    predicted = [label if place % 5 else "ab"[label == "a"] for place, label in enumerate(gold)]
    low, high = classification_report(gold, predicted, ["a", "b"])["intervals"]["accuracy"]
    assert low == pytest.approx(0.8 - 1.96 * 0.02, abs=0.006)
    assert high == pytest.approx(0.8 + 1.96 * 0.02, abs=0.006)
    labels = ["a(e1,e2)", "a(e2,e1)", "b(e1,e2)", "Other"]
    rng = np.random.default_rng(1)
    gold = rng.choice(labels, 300)
    predicted = np.where(rng.random(300) < 0.6, gold, rng.choice(labels, 300))
    found = classification_report(gold, predicted, labels)["intervals"]
    again = []
    for places in rng.integers(0, 300, (100, 300)):
        drawn = gold[places].tolist(), predicted[places].tolist()
        again.append((sklearn.metrics.matthews_corrcoef(*drawn), _relation_f1(*drawn)))
    for name, values in zip(("mcc", "relation_f1"), zip(*again, strict=True), strict=True):
        np.testing.assert_allclose(found[name], np.quantile(values, (0.025, 0.975)), atol=0.02)
    tags = [["B-A", "O"] if rng.random() < 0.5 else ["B-A", "B-A"] for _ in range(300)]
    found = [sentence if rng.random() < 0.7 else ["O", "O"] for sentence in tags]
    low, high = tagging_report(tags, found)["intervals"]["micro_f1"]
    again = []
    for _ in range(200):
        places = rng.integers(0, 300, 300)
        drawn = [tags[place] for place in places], [found[place] for place in places]
        again.append(seqeval.metrics.f1_score(*drawn))
    np.testing.assert_allclose((low, high), np.quantile(again, (0.025, 0.975)), atol=0.015)


def test_many_classes_take_little_memory():
    labels = [f"class {number}" for number in range(600)]
    gold = np.tile(labels, 4)
    predicted = np.where(np.arange(2400) % 3 > 0, gold, np.roll(gold, 1))
    tracemalloc.start()
    found = classification_report(gold, predicted, labels)["intervals"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 500 * 2**20  # numbers for each pair of classes, a thousand times, would be 2.9 GB
    right = gold == predicted
    spread = 1.96 * np.sqrt(right.mean() * (1 - right.mean()) / 2400)
    np.testing.assert_allclose(found["accuracy"], (right.mean() - spread, right.mean() + spread), atol=0.004)


def test_a_correlation_with_a_constant_is_nothing_and_with_no_number_is_none():
    found = regression_report([0.1] * 3, [0.7] * 3)
    assert found["pearson"] == found["spearman"] == 0.0
    assert found["intervals"]["pearson"] == [0.0, 0.0]
    found = regression_report([0.1, 0.2, 0.3], [0.7, np.nan, 0.1])
    assert np.isnan([found["pearson"], found["spearman"]]).all()


def test_tags_with_ends_equal_seqeval():
    gold = [["B-A", "E-A", "S-B", "O"], ["B-B", "I-B", "E-B", "S-A"]]
    predicted = [["B-A", "E-A", "S-A", "O"], ["B-B", "E-B", "O", "S-A"]]
    scheme = {"mode": "strict", "scheme": seqeval.scheme.IOBES}
    assert tagging_report(gold, predicted)["micro"]["f1"] == seqeval.metrics.f1_score(gold, predicted, **scheme)


def test_relations_by_their_direction():
    """Cause: one of two right, one found by the other direction; Whole: one of one, and one that is none."""
    gold = ["Cause(e1,e2)", "Cause(e2,e1)", "Whole(e1,e2)", "Other", "Other"]
    predicted = ["Cause(e1,e2)", "Cause(e1,e2)", "Whole(e1,e2)", "Whole(e2,e1)", "Other"]
    report = classification_report(gold, predicted, sorted({*gold, *predicted}))
    assert report["relation_f1"] == pytest.approx((2 * 1 / (2 + 2) + 2 * 1 / (1 + 2)) / 2)


def test_token_scores_are_those_of_scikit_learn(rng):
    """With O and without it; a tag that is only predicted, or only gold, counts in the macro averages."""
    compared = 0
    for number in range(40):
        gold = random_tags(rng, number % 2)
        predicted = [[tag if rng.random() < 0.7 else str(rng.choice(["O", "B-NEW", tag])) for tag in s] for s in gold]
        report = tagging_report(gold, predicted)
        words = [[tag for tags in side for tag in tags] for side in (gold, predicted)]
        tags = sorted({*words[0], *words[1]})
        without = [tag for tag in tags if tag != "O"]
        wanted = {
            "token_accuracy": sklearn.metrics.f1_score(*words, average="micro"),
            "token_f1_macro_with_O": sklearn.metrics.f1_score(*words, average="macro", zero_division=0),
        }
        for average in ("macro", "micro") if without else ():
            options = {"labels": without, "average": average, "zero_division": 0}
            wanted[f"token_f1_{average}_without_O"] = sklearn.metrics.f1_score(*words, **options)
        for name, value in wanted.items():
            assert report[name] == pytest.approx(value, abs=1e-12), name
        compared += len(wanted) == 4 and len({round(value, 6) for value in wanted.values()}) == 4
    assert compared > 20


def official_relation_f1(gold, predicted):
    """The score of SemEval-2010 task 8 as its scorer (version 1.2) defines it.

    A matrix over ten relations, with a column of its own for the right relation in the wrong direction, which precision
    counts among what was proposed; the mean F1 of the relations of the key but Other.
    """
    proposed, right, reversed_, key = (collections.Counter() for _ in range(4))
    for answer, said in zip(gold, predicted, strict=True):
        relation, own = (label.split("(")[0] for label in (answer, said))
        key[relation] += 1
        if answer == said:
            right[relation] += 1
        if answer != said and relation == own:
            reversed_[relation] += 1
        else:
            proposed[own] += 1
    scores = []
    for relation in key.keys() - {"Other"}:
        precision = right[relation] / (proposed[relation] + reversed_[relation]) if proposed[relation] else 0.0
        recall = right[relation] / key[relation]
        scores.append(2 * precision * recall / (precision + recall) if right[relation] else 0.0)
    return sum(scores) / len(scores)


@pytest.mark.parametrize("accuracy", [0.0, 0.3, 0.8, 1.0])
def test_the_relation_score_is_the_official_one(rng, accuracy):
    kinds = ("Cause-Effect", "Component-Whole", "Entity-Origin", "Message-Topic")
    labels = [f"{kind}({pair})" for kind in kinds for pair in ("e1,e2", "e2,e1")] + ["Other"]
    for missing in (0, 1, 2):  # relations that the key lacks, though they are predicted
        known = labels[2 * missing :]
        gold = rng.choice(known, 200).tolist()
        turned = {label: label.translate(str.maketrans("12", "21")) for label in labels}
        wrong = [turned[label] if rng.random() < 0.4 else str(rng.choice(labels)) for label in gold]
        hit = rng.random(200) < accuracy
        predicted = [label if right else other for label, other, right in zip(gold, wrong, hit, strict=True)]
        found = classification_report(gold, predicted, labels)["relation_f1"]
        assert found == pytest.approx(official_relation_f1(gold, predicted), abs=1e-12)
        ignoring = official_relation_f1(*([label.split("(")[0] for label in side] for side in (gold, predicted)))
        assert accuracy == 1.0 or found < ignoring

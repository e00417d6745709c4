# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Where a model errs: its worst errors, with their texts, and its scores on short and on long texts.

Errors are {"measure": what they are sorted by, "errors": [{"text", "gold", "predicted", "value", perhaps "sure"}]}, the
worst first: "value" is the measure, "sure" the probability that the model gave to what it said. All are right: none.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from seqjax.evaluation import metrics, squad
from seqjax.objectives.answering import Answering
from seqjax.objectives.question_answering import QuestionAnswering
from seqjax.objectives.regression import Regression
from seqjax.objectives.supervised import Classification, Tagging

WORST = 20  # errors that are kept
LEAST = 1e-30  # a probability is not below it, so that its logarithm is finite
Judged = Classification | Tagging | Regression | QuestionAnswering  # objectives that predict something of each record
Pairs = Sequence[dict[str, Any]]
Errors = dict[str, Any]


def worst(objective: Judged, records: Any, pairs: Pairs) -> Errors:
    """Returns the worst errors among what `evaluate.predictor` gave of these records.

    They are sorted by the loss of gold in nats (of tags that of the sentence), of numbers by the absolute error, and of
    answers by their F1, of equal ones the surest first. Of tags only words that are wrong are shown, with their tags.
    """
    if isinstance(objective, QuestionAnswering):
        return _worst_answers(objective, records, pairs)
    errors = []
    for pair in pairs:
        record = records[pair["record"]]
        if isinstance(objective, Regression):
            shown = {"gold": pair["gold"], "predicted": pair["predicted"]}
            errors.append(_text(record) | shown | {"value": abs(pair["gold"] - pair["predicted"])})
        elif isinstance(objective, Classification) and pair["gold"] != pair["predicted"]:
            shown = {name: pair[name] for name in ("gold", "predicted", "sure")}
            errors.append(_text(record) | shown | {"value": _nats(pair["chance"])})
        elif isinstance(objective, Tagging) and pair["gold"] != pair["predicted"]:
            errors.append(_wrong_tags(record["words"], pair))
    measure = "absolute error" if isinstance(objective, Regression) else "loss in nats"
    return _sorted(measure, errors, lambda error: -error["value"])


def _wrong_tags(words: Sequence[str], pair: Mapping[str, Any]) -> dict[str, Any]:
    # Words that the tokenizer makes nothing of have no tag here; words and tags then do not stand side by side.
    known = words if len(words) == len(pair["gold"]) else [f"[{place}]" for place in range(1, len(pair["gold"]) + 1)]
    wrong = [place for place, (a, b) in enumerate(zip(pair["gold"], pair["predicted"], strict=True)) if a != b]
    return {
        "text": " ".join(words),
        "gold": ", ".join(f"{known[place]} {pair['gold'][place]}" for place in wrong),
        "predicted": ", ".join(f"{known[place]} {pair['predicted'][place]}" for place in wrong),
        "sure": max(pair["sure"][place] for place in wrong),
        "value": sum(_nats(chance) for chance in pair["chance"]),
    }


def _worst_answers(objective: QuestionAnswering, records: Any, pairs: Pairs) -> Errors:
    errors = []
    for pair in pairs:
        said = "" if objective.no_answer and pair["score"] < objective.threshold else pair["predicted"]
        f1 = squad.answer_scores(objective.score, objective.no_answer)(pair["gold"] or [""], said)[1]
        if f1 < 1.0:
            gold = " | ".join(dict.fromkeys(pair["gold"])) or "(no answer)"
            shown = {"gold": gold, "predicted": said or "(no answer)", "sure": pair["sure"], "value": 100.0 * f1}
            errors.append(_text(records[pair["record"]]) | shown)
    return _sorted("F1", errors, lambda error: (error["value"], -error["sure"]))


def worst_texts(pairs: Pairs) -> Errors:
    """Returns the worst of what `texts.answers` gave, by the chrF of each (Popovic 2015) to its best reference."""
    import sacrebleu

    chrf, errors = sacrebleu.CHRF(), []
    for pair in pairs:
        gold = [pair["gold"]] if isinstance(pair["gold"], str) else list(pair["gold"])
        if pair["predicted"].strip() not in [text.strip() for text in gold]:
            value = chrf.sentence_score(pair["predicted"], gold).score
            shown = {"gold": "\n".join(gold), "predicted": pair["predicted"], "value": value}
            errors.append({"text": pair["source"]} | shown)
    return _sorted("chrF", errors, lambda error: error["value"])


def worst_retrieved(records: Any, rank_N: np.ndarray, best_N: np.ndarray) -> Errors:
    """Returns the first texts of records whose second has the highest rank, with the text that came first."""
    errors = [
        {"text": records[i]["text"], "gold": records[i]["pair"], "predicted": records[int(best_N[i])]["pair"],
         "value": int(rank_N[i])}
        for i in np.argsort(-rank_N, kind="stable")[:WORST].tolist()
        if rank_N[i] > 1
    ]  # fmt: skip
    return _sorted("rank", errors, lambda error: -error["value"])


def _sorted(measure: str, errors: list[dict[str, Any]], key: Callable[[dict[str, Any]], Any]) -> Errors:
    return {"measure": measure, "errors": sorted(errors, key=key)[:WORST]}


def _text(record: Mapping[str, Any]) -> dict[str, Any]:
    """Returns all that a record has to read."""
    choices = [f"- {choice}" for choice in record.get("choices", ())]
    return {"text": "\n".join([record["text"], *([record["pair"]] if "pair" in record else []), *choices])}


def _nats(chance: float) -> float:
    return -math.log(max(chance, LEAST))


def by_length(objective: Judged, pairs: Pairs) -> dict[str, Any]:
    """Returns {"by_length": [{"longest", "count", score, ...}]} of up to four equally large parts by "length"."""
    if not pairs or "length" not in pairs[0]:
        return {}
    parts = []
    for places in metrics.in_parts([pair["length"] for pair in pairs]):
        part = [pairs[place] for place in places]
        gold, predicted = [pair["gold"] for pair in part], [pair["predicted"] for pair in part]
        scores: dict[str, float]
        if isinstance(objective, QuestionAnswering):
            found = squad.answer_report(part, objective.score, objective.no_answer, objective.threshold)
            scores = {name: found[name] for name in ("exact", "f1")}
        elif isinstance(objective, Regression):
            found = metrics.regression_report(gold, predicted)
            scores = {name: found[name] for name in ("pearson", "mean_absolute_error")}
        elif isinstance(objective, Tagging):
            found = metrics.tagging_report(gold, predicted)
            scores = {"entity_f1": found["micro"]["f1"], "token_accuracy": found["token_accuracy"]}
        else:
            scores = {"accuracy": float(np.mean([a == b for a, b in zip(gold, predicted, strict=True)]))}
        parts.append({"longest": part[-1]["length"], "count": len(part)} | scores)
    return {"by_length": parts}


def format_by_length(report: Mapping[str, Any], unit: str) -> str:
    """Returns "by_length" of a report as lines of a table, each after a line break; "" where there is none."""
    if "by_length" not in report:
        return ""
    names = [name for name in report["by_length"][0] if name not in ("longest", "count")]
    title = "".join(f"  {name.replace('_', ' '):>19}" for name in names)
    lines = ["", "", f"{unit + ' up to':16}  {'count':>7}{title}"]
    for part in report["by_length"]:
        scores = "".join(f"  {part[name]:>19.4f}" for name in names)
        lines.append(f"{part['longest']:<16}  {part['count']:>7}{scores}")
    return "\n".join(lines)


def headlines(objective: Any, report: Mapping[str, Any]) -> dict[str, float]:
    """Returns the scores among the single numbers of a report by name, with the F1 of its averages.

    These are "micro_f1", "macro_f1" and "weighted_f1" of classes, "entity_f1" (micro), "entity_f1_macro" and
    "entity_f1_weighted" of tags. Of answers that name classes "accuracy" is called "answer_accuracy", for while a model
    trains "accuracy" is that of tokens. Thresholds are no scores.
    """
    out = {name: value for name, value in report.items() if isinstance(value, float) and "thresh" not in name}
    if isinstance(objective, Answering) and "accuracy" in out:
        out = {"answer_accuracy": out.pop("accuracy")} | out
    names = {name: f"{name}_f1" for name in metrics.AVERAGES}
    if isinstance(objective, Tagging):
        names = {"micro": "entity_f1", "macro": "entity_f1_macro", "weighted": "entity_f1_weighted"}
    return out | {names[name]: report[name]["f1"] for name in metrics.AVERAGES if name in report}

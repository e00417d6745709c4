# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The span of a context that answers a question, or none."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from seqjax.data.pipeline import Dataset
from seqjax.data.questions import answers as answers_of
from seqjax.data.sources import Source
from seqjax.evaluation import analysis, squad
from seqjax.evaluation.analysis import Errors
from seqjax.evaluation.records import Asked, canonical, text_columns, text_of
from seqjax.evaluation.spans import answer_all
from seqjax.evaluation.stopping import Stop, never, until
from seqjax.evaluation.tasks.rows import RowTask, asked_rows, computed, documents_of
from seqjax.evaluation.tasks.task import SAMPLES, Answerer, Read, Ready, Said
from seqjax.models.model import Model
from seqjax.objectives.question_answering import QuestionAnswering
from seqjax.training.parallel import Devices
from seqjax.types import Batch, Params

TUNED = "validation"  # the split on which the threshold of no answer is chosen


class Questions(RowTask[QuestionAnswering]):
    """Pairs hold the list of a question's answers and the best span's text.

    "score" is how much that scores above no answer, "source" the question; "sure" is the probability of what is said,
    which is nothing below the threshold.
    """

    def columns(self, source: Source) -> list[tuple[str, ...]]:
        return [(*text_columns(source), "pair")]

    def described(self, names: tuple[str, ...]) -> str:
        return "a question and its context"

    def read(self, source: Source, record: Mapping[str, Any], where: str) -> Read:
        record, named = canonical(source, record), (("text", "question"), ("pair", "context"))
        text, context = (text_of(record, key if key in record else name, where) for key, name in named)
        return {"question": text, "context": context}, (text, context)

    def answerer(self, run: Ready) -> Answerer:
        """Returns what gives the answers of `spans.choose`; a context is read in several parts where it is long."""
        compute = jax.jit(functools.partial(self.objective.predict, run.model.apply))

        def answer(texts: list[Asked]) -> list[Said]:
            rows = asked_rows(run, texts)
            logits = {place: out for place, _, out in computed(run, compute, rows)}
            found = answer_all(self.objective, rows, logits, [text.read[1] for text in texts])
            too_long = (rows.corpus.first > rows.question).tolist()
            return [text.given | said | {"cut": long} for text, said, long in zip(texts, found, too_long, strict=True)]

        return answer

    def line(self, said: Said) -> str:
        return f"{said['answer'] or '(no answer)'}  {said['probability']:.4f}  {said['question']}"

    def finder(self, model: Model, dataset: Dataset, devices: Devices) -> Callable[..., list[Said]]:
        def compute(params: Params, batch: Batch, key: None) -> jax.Array:
            return self.objective.predict(model.apply, params, batch)

        compiled = devices.spread(compute, rows=True)

        def find(params: Params, split: str, limit: int = 0, stop: Stop = never) -> list[Said]:
            rows, records = dataset.rows(split), dataset.chosen(split)
            documents = documents_of(rows, limit)
            logits: dict[int, np.ndarray] = {}
            for numbers, batch in until(stop, dataset.numbered(split, 0, len(devices), len(documents))):
                logits |= zip(numbers, np.asarray(compiled(params, devices.put_whole(batch), None)), strict=False)
            asked = [records[i] for i in range(int(documents[-1]) + 1)]
            found = answer_all(self.objective, rows, logits, [record["pair"] for record in asked])
            return [
                {
                    "source": record["text"],
                    "gold": [text for text, _ in answers_of(record, f"record {number + 1}")],
                    "predicted": said["n_best"][0]["answer"] if said["n_best"] else "",
                    "score": said["score"],
                    "sure": said["probability"],
                    "record": number,
                    "length": int(rows.corpus.lengths[number]),
                }
                for number, (record, said) in enumerate(zip(asked, found, strict=True))
            ]

        return find

    def scores(self, pairs: Sequence[Said]) -> dict[str, Any]:
        objective = self.objective
        return squad.answer_report(pairs, objective.score, objective.no_answer, objective.threshold)

    def in_short(self, pairs: Sequence[Said]) -> dict[str, float]:
        found = self.scores(pairs)
        return {name: found[name] for name in ("exact", "f1")}

    def worst(self, records: Any, found: Sequence[Said]) -> Errors:
        """Returns the worst by F1, of equal ones the surest first."""
        objective, errors = self.objective, []
        for pair in found:
            said = "" if objective.no_answer and pair["score"] < objective.threshold else pair["predicted"]
            f1 = squad.answer_scores(objective.score, objective.no_answer)(pair["gold"] or [""], said)[1]
            if f1 < 1.0:
                gold = " | ".join(dict.fromkeys(pair["gold"])) or "(no answer)"
                own = {"gold": gold, "predicted": said or "(no answer)", "sure": pair["sure"], "value": 100.0 * f1}
                errors.append({"text": analysis.readable(records[pair["record"]]), **own})
        return analysis.worst_first("F1", errors, lambda error: (error["value"], -error["sure"]))

    def besides(self, report: dict[str, Any], found: Any, split: str, find: Callable[[str], Any]) -> dict[str, Any]:
        """Returns samples and, where there may be no answer, "tuned".

        Those are the scores with the threshold that is best for the F1 of the validation split.
        """
        samples = {"samples": found[:SAMPLES]}
        if not self.objective.no_answer:
            return samples
        tuning = report if split == TUNED else self.report(find(TUNED))
        tuned = dataclasses.replace(self.objective, threshold=tuning["best_f1_thresh"])
        return {"tuned": Questions(tuned).report(found)} | samples

    def formatted(self, report: dict[str, Any]) -> str:
        return squad.format_answer_report(report) + analysis.format_by_length(report, "tokens")

    def made_up(self) -> list[list[Said]]:
        answered: list[list[str]] = [["a"], []] if self.objective.no_answer else [["a"]]
        return [[{"gold": gold, "predicted": "a", "score": 0.0}] for gold in answered]

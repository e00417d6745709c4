# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""A second text, given a first."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from seqjax.data.pipeline import Dataset
from seqjax.data.sources import Source
from seqjax.evaluation import analysis, metrics, texts
from seqjax.evaluation.analysis import Errors
from seqjax.evaluation.records import Asked, canonical, text_columns, text_of
from seqjax.evaluation.tasks.task import SAMPLES, Answerer, Finder, Read, Ready, Said, Task
from seqjax.models.model import Model
from seqjax.objectives.answering import Answering
from seqjax.training.parallel import Devices


class Answers(Task[Answering]):
    """What is found is as `texts.answers` gives it.

    Training may have put words around a text, which are then put around what is asked (`source.task`, which is no task
    in the sense of this folder).
    """

    def columns(self, source: Source) -> list[tuple[str, ...]]:
        if not source.task.template:
            return super().columns(source)
        asks = source.task.columns
        return [tuple(part for name in asks for part in (text_columns(source) if name == "text" else (name,)))]

    def read(self, source: Source, record: Mapping[str, Any], where: str) -> Read:
        if not source.task.template:
            return super().read(source, record, where)
        record = canonical(source, record)
        given = {name: text_of(record, name, where) for name in source.task.columns}
        read = source.task.ask(record, where)
        return given | {"asked": read}, read

    def answerer(self, run: Ready) -> Answerer:
        """Returns what gives "answer" and, with a template, "asked": what it makes of the text."""
        data, room = run.experiment.data, self.objective.widest(run.experiment.data.length)[0]

        def answer(asked: list[Asked]) -> list[dict[str, Any]]:
            sources = [str(text.read) for text in asked]
            options = (run.tokenizer, data.length, data.eval_batch, run.params, sources)
            said = texts.say(run.model, self.objective, *options)
            lengths = [len(ids) for ids in run.tokenizer.source.encode_batch(sources)]
            return [
                text.given | {"answer": said_of, "cut": length >= room}
                for text, said_of, length in zip(asked, said, lengths, strict=True)
            ]

        return answer

    def line(self, said: Said) -> str:
        return str(said["answer"])

    def finder(self, model: Model, dataset: Dataset, devices: Devices) -> Finder:
        """Returns what decodes on one device; its limit is of records."""
        return functools.partial(texts.answers, model, dataset)

    def report(self, found: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Returns scores of the texts, or of the classes or numbers that they name (`objective.judged`)."""
        objective = self.objective
        if objective.judged == "text":
            return texts.text_report(found, objective.bleu, objective.stemmed)
        return texts.parsed_report(found, objective.judged)

    def worst(self, records: Any, found: Sequence[dict[str, Any]]) -> Errors:
        """Returns the worst by the chrF of each (Popovic 2015) to its best reference."""
        import sacrebleu

        chrf, errors = sacrebleu.CHRF(), []
        for pair in found:
            gold = [pair["gold"]] if isinstance(pair["gold"], str) else list(pair["gold"])
            if pair["predicted"].strip() not in [text.strip() for text in gold]:
                value = chrf.sentence_score(pair["predicted"], gold).score
                own = {"gold": "\n".join(gold), "predicted": pair["predicted"], "value": value}
                errors.append({"text": pair["source"]} | own)
        return analysis.worst_first("chrF", errors, lambda error: error["value"])

    def besides(self, report: dict[str, Any], found: Any, split: str, find: Callable[[str], Any]) -> dict[str, Any]:
        """Returns samples."""
        return {"samples": found[:SAMPLES]}

    def formatted(self, report: dict[str, Any]) -> str:
        if self.objective.judged == "text":
            return texts.format_text_report(report)
        return metrics.format_report(report) if self.objective.judged == "class" else metrics.format_numbers(report)

    def made_up(self) -> list[list[dict[str, Any]]]:
        return [[{"gold": text, "predicted": text} for text in "12"]]

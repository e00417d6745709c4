# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""A tag for each word."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
import regex

from seqjax.data.sources import Source
from seqjax.errors import UserError
from seqjax.evaluation import analysis, metrics
from seqjax.evaluation.analysis import Errors
from seqjax.evaluation.records import Asked, text_of
from seqjax.evaluation.tasks.rows import LabelTask, asked_rows, computed
from seqjax.evaluation.tasks.task import Answerer, Read, Ready, Said, Task
from seqjax.evaluation.texts import UNSPACED
from seqjax.models.model import Model
from seqjax.objectives.supervised import Tagging
from seqjax.tags import entities, in_scheme
from seqjax.types import Batch, Params

LONGEST_WORD = 8  # letters of a script without spaces in a word: more are a sentence


class Tags(LabelTask[Tagging]):
    """Pairs hold lists with one entry for each word: tags, and as "sure" and "chance" the probabilities of either.

    Tags of a scheme are judged by the entities that they mark; others, such as parts of speech, as classes of words.
    """

    @property
    def averages(self) -> Mapping[str, str]:  # type: ignore[override]
        """Those of entities, where tags mark any."""
        if not in_scheme(self.objective.labels):
            return Task.averages
        return {"micro": "entity_f1", "macro": "entity_f1_macro", "weighted": "entity_f1_weighted"}

    def read(self, source: Source, record: Mapping[str, Any], where: str) -> Read:
        """Returns the words of a text, parted as those of the training data were.

        Raises:
          UserError: a text without spaces between its words, where nothing says what its words are.
        """
        words = _words(source, record, where)
        return {"text": str(record.get("text", " ".join(words)))}, words

    def answerer(self, run: Ready) -> Answerer:
        """Returns what gives "words", "tags" and, where the tags have a scheme, "entities" (places in words)."""
        compute = jax.jit(functools.partial(self.objective.predict, run.model.apply))
        joint = "" if run.experiment.data.source.placed else " "

        def answer(texts: list[Asked]) -> list[Said]:
            rows = asked_rows(run, texts)
            found = {i: tags[example["tag_weights"] > 0].tolist() for i, example, tags in computed(run, compute, rows)}
            said: list[list[int]] = [[] for _ in texts]
            for place in range(len(rows)):  # a sentence may take several
                said[rows.windows[place, 0]] += found[place]
            return [text.given | self._said(text.read, tags, joint) for text, tags in zip(texts, said, strict=True)]

        return answer

    def _said(self, words: Sequence[str], found: Sequence[int], joint: str) -> Said:
        labels = self.objective.labels
        tags = [labels[tag] for tag in found]
        out: Said = {"words": list(words), "tags": tags}
        if in_scheme(labels):
            out["entities"] = [
                {"type": kind, "text": joint.join(words[start:stop]), "start": start, "stop": stop}
                for start, stop, kind in entities(tags)
            ]
        return out

    def line(self, said: Said) -> str:
        return " ".join(f"{word}/{tag}" for word, tag in zip(said["words"], said["tags"], strict=True))

    def predicted(self, model: Model, params: Params, batch: Batch) -> tuple[jax.Array, jax.Array]:
        return self.objective.predict(model.apply, params, batch), self.objective.chances(model.apply, params, batch)

    def pair(self, example: Batch, found: tuple[np.ndarray, np.ndarray]) -> Said:
        words = example["tag_weights"] > 0
        gold, predicted, chances = np.asarray(example["tags"])[words], found[0][words], found[1][words]
        out: Said = {"gold": self._named(gold), "predicted": self._named(predicted)}
        for name, tags in (("chance", gold), ("sure", predicted)):
            out[name] = np.take_along_axis(chances, tags[:, None], axis=1)[:, 0].tolist()
        return out

    def _named(self, tags: np.ndarray) -> list[str]:
        return [self.objective.labels[tag] for tag in tags]

    def scores(self, pairs: Sequence[Said]) -> dict[str, Any]:
        gold, predicted = ([pair[side] for pair in pairs] for side in ("gold", "predicted"))
        if in_scheme(self.objective.labels):
            return metrics.tagging_report(gold, predicted)
        words, said = ([tag for tags in side for tag in tags] for side in (gold, predicted))
        return metrics.classification_report(words, said, self.objective.labels)

    def in_short(self, pairs: Sequence[Said]) -> dict[str, float]:
        found = self.scores(pairs)
        if in_scheme(self.objective.labels):
            return {"entity_f1": found["micro"]["f1"], "token_accuracy": found["token_accuracy"]}
        return {"accuracy": found["accuracy"], "macro_f1": found["macro"]["f1"]}

    def worst(self, records: Any, found: Sequence[Said]) -> Errors:
        """Returns the sentences that are worst by the loss of gold, of which only words that are wrong are shown."""
        errors = [_wrong(records[pair["record"]]["words"], pair) for pair in found if pair["gold"] != pair["predicted"]]
        return analysis.worst_first("loss in nats", errors, lambda error: -error["value"])

    def formatted(self, report: dict[str, Any]) -> str:
        return metrics.format_report(report) + analysis.format_by_length(report, "tokens")

    def made_up(self) -> list[list[Said]]:
        labels = list(self.objective.labels)
        return [[{"gold": labels, "predicted": labels}]]


def _words(source: Source, record: Mapping[str, Any], where: str) -> tuple[str, ...]:
    listed = record.get("words", record.get(source.words))
    if isinstance(listed, str):
        listed = listed.split()  # a column of a tsv or csv file
    if listed is not None:
        if not isinstance(listed, list) or not listed or not all(isinstance(each, str) and each for each in listed):
            raise UserError(f"{where}: expected a list of words, found {listed!r:.60}")
        return tuple(listed)
    text = text_of(record, "text", where)
    if source.placed:  # a character was a word
        return tuple("".join(text.split()))
    words = text.split()
    letters = [len(regex.findall(UNSPACED, word)) for word in words]
    if max(letters) > (1 if len(words) == 1 else LONGEST_WORD):
        raise UserError(
            f"{where}: expected spaces between words, found {text!r:.60}; put them where the training data part "
            'words, perhaps after every character, or give {"words": [...]} in a .jsonl file'
        )
    return tuple(words)


def _wrong(words: Sequence[str], pair: Mapping[str, Any]) -> dict[str, Any]:
    wrong = [place for place, (a, b) in enumerate(zip(pair["gold"], pair["predicted"], strict=True)) if a != b]
    return {
        "text": " ".join(words),
        "gold": ", ".join(f"{words[place]} {pair['gold'][place]}" for place in wrong),
        "predicted": ", ".join(f"{words[place]} {pair['predicted'][place]}" for place in wrong),
        "sure": max(pair["sure"][place] for place in wrong),
        "value": sum(analysis.nats(chance) for chance in pair["chance"]),
    }

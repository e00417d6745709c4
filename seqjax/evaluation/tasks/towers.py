# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The second text of a pair among those of others, by vectors."""

import functools
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from seqjax.data.pipeline import Dataset
from seqjax.errors import UserError
from seqjax.evaluation import analysis, retrieval
from seqjax.evaluation.analysis import Errors
from seqjax.evaluation.embed import sentence_embeddings
from seqjax.evaluation.records import Asked
from seqjax.evaluation.tasks.task import Answerer, Finder, Ready, Said, Task, shown
from seqjax.models.model import Model
from seqjax.objectives.two_towers import InBatchNegatives
from seqjax.training.parallel import Devices

NEAREST = 5


class Towers(Task[InBatchNegatives]):
    """What is found is what `retrieval.vectors` gives."""

    paired: ClassVar[bool] = True
    alone: ClassVar[bool] = True

    def answerer(self, run: Ready) -> Answerer:
        """Returns what gives "vector", of a pair "similarity", or with run.among "nearest", the most alike first."""
        data, tokenizer, among = run.experiment.data, run.tokenizer, run.among
        vectors = functools.partial(
            sentence_embeddings, run.model, run.params, tokenizer, pool=self.objective.pool, batch=data.eval_batch,
            length=data.length, normalise=self.objective.similarity == "cosine",
        )  # fmt: skip
        candidates_ND = vectors(list(among)) if among is not None else None

        def answer(texts: list[Asked]) -> list[dict[str, Any]]:
            parts = [(text.read,) if isinstance(text.read, str) else text.read for text in texts]
            first_ND = vectors([part[0] for part in parts])
            cut = [any(len(ids) > data.length - 2 for ids in tokenizer.encode_batch(list(part))) for part in parts]
            if len(parts[0]) == 2 and among is not None:
                raise UserError(f"{texts[0].where}: expected one text to find others for, found a pair")
            if len(parts[0]) == 2:
                alike = np.sum(first_ND * vectors([part[1] for part in parts]), axis=1)
                found: list[dict[str, Any]] = [{"similarity": float(each)} for each in alike]
            elif candidates_ND is None or among is None:
                found = [{"vector": each.tolist()} for each in first_ND]
            else:
                found = [{"nearest": _nearest(among, row)} for row in first_ND @ candidates_ND.T]
            return [text.given | each | {"cut": long} for text, each, long in zip(texts, found, cut, strict=True)]

        return answer

    def line(self, said: Said) -> str:
        if "nearest" in said:
            return "\n".join(
                [shown(said), *(f"  {each['similarity']:.4f}  {each['text']}" for each in said["nearest"])]
            )
        if "similarity" in said:
            return f"{said['similarity']:.4f}  {shown(said)}"
        return " ".join(f"{number:.6g}" for number in said["vector"])

    def finder(self, model: Model, dataset: Dataset, devices: Devices) -> Finder:
        return retrieval.vectors(model, dataset, devices)

    def report(self, found: retrieval.Vectors) -> dict[str, Any]:
        return retrieval.retrieval_report(*found)

    def worst(self, records: Any, found: retrieval.Vectors) -> Errors:
        """Returns the first texts whose second has the highest rank, with the text that came first."""
        rank_N, best_N = retrieval.nearest(*found)
        errors = [
            {"text": records[i]["text"], "gold": records[i]["pair"], "predicted": records[int(best_N[i])]["pair"],
             "value": float(rank_N[i])}
            for i in np.argsort(-rank_N, kind="stable")[: analysis.WORST].tolist()
            if rank_N[i] > 1
        ]  # fmt: skip
        return analysis.worst_first("rank", errors, lambda error: -error["value"])

    def made_up(self) -> list[retrieval.Vectors]:
        return [(np.eye(1), np.eye(1), np.zeros(1))]


def _nearest(among: Sequence[str], scores: np.ndarray) -> list[dict[str, Any]]:
    order = np.argsort(-scores, kind="stable")[:NEAREST].tolist()
    return [{"text": among[i], "similarity": float(scores[i]), "number": i + 1} for i in order]

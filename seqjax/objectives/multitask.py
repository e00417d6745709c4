# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Several objectives on one trunk in one update, each on its own corruption of the same rows."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import flax.linen as nn
import jax
import numpy as np

from seqjax.errors import UserError
from seqjax.models.heads import Several
from seqjax.models.model import ModelConfig, vocabulary_head
from seqjax.models.transformer_config import TransformerConfig
from seqjax.objectives.clm import CLM
from seqjax.objectives.mlm import MLM
from seqjax.objectives.objective import Objective, Pairs, Row, Vocabulary
from seqjax.objectives.pairs import PairedMLM
from seqjax.objectives.supervised import Classification, Tagging
from seqjax.types import Apply, Batch, Params

Task = CLM | MLM | PairedMLM | Classification | Tagging


@dataclasses.dataclass(frozen=True)
class Multitask(Objective):
    """Settings of several objectives at once.

    Those that say the next token need a causal trunk; on it the others still read both ways (their whole row is a
    prefix). CLM and MLM share one vocabulary head; PairedMLM brings one of its own.
    """

    framing: ClassVar[str] = "wrapped"

    tasks: tuple[Task, ...] = (CLM(), MLM())
    factors: tuple[float, ...] = (1.0, 1.0)  # of each task in the loss

    def __post_init__(self) -> None:
        if not self.tasks or len(self.tasks) != len(self.factors):
            raise UserError("objective.factors must hold one number for each of objective.tasks")
        if len(set(self.terms)) != len(self.terms):
            raise UserError(f"objective.tasks: two of them have the same term; terms are {', '.join(self.terms)}")
        if len({task.reads for task in self.tasks} - {"text"}) > 1:
            raise UserError("objective.tasks: one data set holds classes or tags, not both")
        masked = [task.mlm if isinstance(task, PairedMLM) else task for task in self.tasks]
        if any(isinstance(task, MLM) and task.masking == "static" for task in masked):
            raise UserError("objective.tasks: masking=static is for objective=mlm by itself")
        if any(task.reads == "relation" for task in self.tasks):
            raise UserError("objective.tasks: pool=entities is for objective=classification by itself")

    @property
    def terms(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of all tasks."""
        return tuple(term for task in self.tasks for term in task.terms)

    @property
    def reads(self) -> str:  # type: ignore[override]
        """What the most demanding task reads."""
        return next((task.reads for task in self.tasks if task.reads != "text"), "text")

    @property
    def one_way(self) -> bool:  # type: ignore[override]
        """Whether a task says the next token."""
        return any(task.one_way for task in self.tasks)

    @property
    def prefixes(self) -> bool:  # type: ignore[override]
        """Whether some tasks read both ways where others read one way."""
        return len({task.one_way for task in self.tasks}) == 2

    @property
    def partners(self) -> bool:  # type: ignore[override]
        """Whether a task reads pairs."""
        return any(task.partners for task in self.tasks)

    @property
    def layouts(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those that every task can read."""
        return tuple(name for name in Objective.layouts if all(name in task.layouts for task in self.tasks))

    @property
    def labels(self) -> tuple[str, ...] | None:
        """Those of the task that has any."""
        return next((task.labels for task in self.tasks if isinstance(task, Classification | Tagging)), None)

    def with_labels(self, labels: tuple[str, ...]) -> Self:
        """Returns the same with the labels of the data."""
        tasks = [task.with_labels(labels) if hasattr(task, "labels") else task for task in self.tasks]
        return dataclasses.replace(self, tasks=tuple(tasks))

    def term_weights(self) -> dict[str, float]:
        """Each term's own factor times its task's."""
        tasks = zip(self.tasks, self.factors, strict=True)
        return {name: factor * own for task, factor in tasks for name, own in task.term_weights().items()}

    def head(self, model: ModelConfig) -> Several:
        """One vocabulary head for the tasks that bring none, and what heads the others bring."""
        heads: dict[str, nn.Module] = {}
        # Beside tasks that read one way the others read their whole row both ways.
        if self.prefixes and isinstance(model, TransformerConfig) and not model.decoder_layers:
            model = dataclasses.replace(model, causal=False)
        for task in self.tasks:
            own = task.head(model)
            heads[_head_name(task)] = vocabulary_head(model) if own is None else own
        return Several(heads)

    def check(self, vocabulary: Vocabulary, length: int) -> None:
        """As each task does."""
        for task in self.tasks:
            task.check(vocabulary, length)

    def check_tags(self, tags: np.ndarray, offsets: np.ndarray, split: str) -> None:
        """As each task does."""
        for task in self.tasks:
            task.check_tags(tags, offsets, split)

    def row_length(self, length: int) -> int:
        """The shortest of any task."""
        return min(task.row_length(length) for task in self.tasks)

    def predictions(self, length: int) -> int:
        """Those of all tasks."""
        return sum(task.predictions(length) for task in self.tasks)

    def flops(self, model: ModelConfig, rows: int, length: int) -> float:
        """Returns those of all tasks: each runs the trunk."""
        return sum(task.flops(model, rows, length) for task in self.tasks)

    def read(self, batch: Mapping[str, Any]) -> tuple[int, int]:
        """That of the first task."""
        return self.tasks[0].read(_part(batch, self.tasks[0]))

    def corrupt(self, row: Row, rng: np.random.Generator, vocabulary: Vocabulary) -> dict[str, np.ndarray]:
        """Returns each task's example, its keys after the task's first term: "mlm/tokens"."""
        partner = row.pop("partner", None)
        example: dict[str, np.ndarray] = {}
        for task, generator in zip(self.tasks, rng.spawn(len(self.tasks)), strict=True):
            own = {name: _longer(values, task.lookahead) for name, values in row.items()}
            if partner is not None and task.partners:
                own["partner"] = partner
            batch = task.corrupt(own, generator, vocabulary)
            if self.prefixes and not task.one_way:
                batch["prefix"] = np.ones_like(batch["segments"])
            example |= {f"{task.terms[0]}/{name}": values for name, values in batch.items()}
        return example

    def weights(self, batch: Batch) -> dict[str, jax.Array]:
        """Each task's own."""
        return {name: weight for task in self.tasks for name, weight in task.weights(_part(batch, task)).items()}

    def loss(self, apply: Apply, params: Params, batch: Batch, key: jax.Array | None) -> tuple[Pairs, Pairs]:
        """Returns each task's terms and metrics; its "accuracy" becomes "mlm_accuracy" and the like."""
        terms: Pairs = {}
        metrics: Pairs = {}
        for number, task in enumerate(self.tasks):
            own_key = None if key is None else jax.random.fold_in(key, number)

            def own(*args: Any, head: str = _head_name(task), **options: Any) -> tuple[Any, Any]:
                out, carry = apply(*args, **options)
                return out[head], carry

            own_terms, own_metrics = task.loss(own, params, _part(batch, task), own_key)
            terms |= own_terms
            metrics |= {
                f"{task.terms[0]}_accuracy" if name == "accuracy" else name: pair for name, pair in own_metrics.items()
            }
        return terms, metrics


def _head_name(task: Task) -> str:
    return "vocabulary" if isinstance(task, CLM | MLM) else task.terms[0]


def _part(batch: Batch, task: Task) -> Batch:
    prefix = f"{task.terms[0]}/"
    return {name.removeprefix(prefix): values for name, values in batch.items() if name.startswith(prefix)}


def _longer(values: np.ndarray, places: int) -> np.ndarray:
    """Returns a row with so many places of padding more; what belongs to the row as a whole stays as it is."""
    return np.pad(values, (0, places)) if values.ndim else values

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The experiment: one frozen value that says everything a run does."""

import dataclasses
import importlib
import inspect
import pkgutil
import re
from types import ModuleType
from typing import Any

from seqjax.config import override, require, require_choice, unknown
from seqjax.data.pipeline import Data
from seqjax.errors import UserError
from seqjax.models.model import ModelConfig
from seqjax.models.transformer_config import TransformerConfig
from seqjax.objectives.clm import CLM
from seqjax.objectives.continuation import Continuation
from seqjax.objectives.denoisers import Denoisers
from seqjax.objectives.mlm import MLM
from seqjax.objectives.multiple_choice import MultipleChoice
from seqjax.objectives.multitask import Multitask
from seqjax.objectives.pairs import PairedMLM
from seqjax.objectives.prefix_lm import PrefixLM
from seqjax.objectives.question_answering import QuestionAnswering
from seqjax.objectives.regression import Regression
from seqjax.objectives.rtd import RTD
from seqjax.objectives.span_corruption import SpanCorruption
from seqjax.objectives.supervised import Classification, Tagging
from seqjax.objectives.text_to_text import TextToText
from seqjax.objectives.two_towers import CosineRegression, InBatchNegatives
from seqjax.training.optimizers import Optimizer
from seqjax.training.parallel import Parallel

SEEDS = 2**32  # a seed is less: that is what JAX keeps of one


Objectives = (
    CLM
    | PrefixLM
    | SpanCorruption
    | Denoisers
    | MLM
    | PairedMLM
    | RTD
    | Multitask
    | TextToText
    | Continuation
    | Classification
    | Tagging
    | QuestionAnswering
    | MultipleChoice
    | Regression
    | CosineRegression
    | InBatchNegatives
)


@dataclasses.dataclass(frozen=True)
class Run:
    """How long, how often, and when to stop."""

    steps: int = 1000  # updates
    seed: int = 0  # of parameters, data order, corruption and dropout
    accumulate: int = 1  # micro-batches of an update
    log_every: int = 10  # updates between lines in metrics.jsonl
    eval_every: int = 100  # updates between evaluations, each followed by a save
    eval_rows: int = 0  # rows of an evaluation while training (0: all)
    save_every: int = 0  # further saves between evaluations (0: none)
    keep: int = 1  # newest checkpoints kept, beside the best
    metric: str = "loss"  # what "best" means: a score of the evaluation, or one of the task's own report
    direction: str = "min"  # "min" or "max"
    patience: int = 0  # stop after so many evaluations without a new best (0: never)
    tensorboard: bool = False  # write event files beside metrics.jsonl
    deterministic: bool = False  # have a GPU give the same bits each time, slower; a CPU and a TPU do so anyway

    def __post_init__(self) -> None:
        require_choice(self, "run", {"direction": ("min", "max")})
        require(self, "run", ("steps", "accumulate", "log_every", "eval_every", "keep"), 1)
        require(self, "run", ("eval_rows", "save_every", "patience"), 0)
        require(self, "run", ("seed",), 0, SEEDS)

    def evaluates(self, step: int) -> bool:
        """Returns whether the state after `step` updates is evaluated."""
        return step % self.eval_every == 0 or step == self.steps


@dataclasses.dataclass(frozen=True)
class Experiment:
    """Data, model, objective, optimiser, parallelism and run. Nothing later adds a default.

    Where it says so in a field's comment an empty value means "as the data has it"; `training.prepare` puts in what was
    found before anything is printed, written or trained.
    """

    name: str = "unnamed"
    data: Data = Data()
    model: ModelConfig = TransformerConfig()
    objective: Objectives = CLM()
    optimizer: Optimizer = Optimizer()
    parallel: Parallel = Parallel()
    run: Run = Run()
    init_from: str = ""  # a run's folder: take its tokenizer, the shape of its model and its parameters
    reinit_layers: int = 0  # so many of its top layers begin afresh all the same (Zhang et al. 2021, section 4)
    init_allow: str = "^head/"  # parameters that may be new here or left behind there (a regex over paths)

    def __post_init__(self) -> None:
        if self.reinit_layers < 0 or (self.reinit_layers and not self.init_from):
            raise UserError(f"reinit_layers={self.reinit_layers} must be at least 0, and needs init_from")
        if self.data.source_tokenizer and not (self.objective.sources and self.objective.reads == "pair"):
            raise UserError(
                "data.source_tokenizer is for a source and a target in two vocabularies; set objective=texttotext, or "
                "leave it empty"
            )
        if self.data.layout == "strips" and self.parallel.backend == "pmap":
            raise UserError("data.layout=strips takes a state from batch to batch; it needs parallel.backend=jit")
        if (before := sum(updates for updates, _, _ in self.data.stages)) and before >= self.run.steps:
            raise UserError(f"data.stages take {before} updates and leave none of run.steps={self.run.steps}")
        try:
            re.compile(self.init_allow)
        except re.error as error:
            raise UserError(f"init_allow: '{self.init_allow}' is not a regular expression: {error.msg}") from None


def names() -> list[str]:
    """Returns the names of the experiments that `experiments/` offers."""
    import experiments

    return sorted(module.name for module in pkgutil.iter_modules(experiments.__path__))


def module(name: str) -> ModuleType:
    """Returns the module of an experiment.

    Raises:
      UserError: there is none of that name; the nearest is named.
    """
    if name not in names():
        raise UserError(f"{unknown('experiment', name, names())} (`launch.py list` shows them all)")
    return importlib.import_module(f"experiments.{name}")


def summary(name: str) -> str:
    """Returns the first line of an experiment's header, "" where `experiments/` has no such name."""
    return (inspect.getdoc(module(name)) or "").splitlines()[0] if name in names() else ""


ANEW = ("model.dropout", "model.dtype", "model.remat", "model.attention_kernel")  # of a model begun with another's


def resolve(name: str, overrides: list[str] | None = None, tiny: bool = False) -> Experiment:
    """Returns experiment `name`, or its tiny version, with overrides applied."""
    source = module(name)
    experiment = override(source.tiny() if tiny else source.experiment(), overrides or [])
    if experiment.init_from:
        for key in (word.partition("=")[0] for word in overrides or []):
            if key in ("model", "data.tokenizer") or (key.startswith("model.") and key not in ANEW):
                raise UserError(
                    f"{key} is that of the run in init_from={experiment.init_from}; leave it out, or begin afresh with "
                    "init_from="
                )
    return experiment


def base(name: str, tiny: bool = False) -> Experiment:
    """Returns what experiment `name` is a variation of: the experiment its module names as BASE, or the defaults."""
    parent: Any = getattr(module(name), "BASE", None)
    return resolve(parent, tiny=tiny) if parent else Experiment()

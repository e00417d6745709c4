# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""From an experiment as written to one with nothing left open: data, tokenizer, labels, vocabulary, model."""

import dataclasses
from pathlib import Path
from typing import Any

import jax

from seqjax import trees
from seqjax.data import corpus, tokenizers
from seqjax.data.pipeline import Dataset, open_data
from seqjax.data.tokenizers import Tokenizer
from seqjax.errors import UserError
from seqjax.evaluation.evaluate import score_names
from seqjax.evaluation.tasks.table import task_of
from seqjax.experiment import ANEW, Experiment
from seqjax.models.deberta import DebertaConfig
from seqjax.models.kernels import OWN
from seqjax.models.model import Model, encoder_alone, shapes
from seqjax.models.rnn import RNNConfig
from seqjax.models.transformer_config import TransformerConfig
from seqjax.objectives.answering import Answering
from seqjax.training import checkpoint
from seqjax.types import Params

EVALUATED = "validation"  # the split that evaluations during a run read
# Scores that are the better the lower they are, as are all terms of a loss.
LOW = ("loss", "perplexity", "bits_per_byte", "absolute_error", "mean_squared_error", "mean_absolute_error")


@dataclasses.dataclass
class Prepared:
    """What a run works with.

    Attributes:
      experiment: resolved: no empty value means "as the data has it" any more.
      dataset: opened, for this objective.
      model: built, not initialised.
      pretrained: parameters of `init_from`, None without one.
    """

    experiment: Experiment
    dataset: Dataset
    model: Model
    pretrained: Params | None


def prepare(experiment: Experiment, tokenizer_folder: Path | None = None) -> Prepared:
    """Returns the experiment resolved, with its data and model.

    Args:
      experiment: as written.
      tokenizer_folder: use the tokenizer saved here (that of the run being resumed) instead of building one.

    Raises:
      UserError: data that is not there or malformed, or settings that contradict the data or each other.
    """
    pretrained = None
    tokenizer = None
    if experiment.init_from:
        source, pretrained = checkpoint.load(experiment.init_from)
        pretrained = experiment.objective.adopted(source.objective.reusable(pretrained))
        model = _inherit(source.model, experiment.model)
        if isinstance(model, TransformerConfig) and model.decoder_layers and not experiment.objective.sources:
            model, pretrained = encoder_alone(model, pretrained)
        data = dataclasses.replace(experiment.data, tokenizer=source.data.tokenizer)
        experiment = dataclasses.replace(experiment, model=model, data=data)
        tokenizer = tokenizers.load(Path(experiment.init_from) / "tokenizer")
        if not experiment.objective.sources:
            tokenizer = tokenizer.source  # that of the encoder
    if tokenizer_folder is not None:
        tokenizer = tokenizers.load(tokenizer_folder)
    dataset = open_data(experiment.data, experiment.objective, tokenizer)
    objective = experiment.objective
    if getattr(objective, "labels", None) == ():
        labels = corpus.label_names(dataset.records("train"), objective.reads)
        objective = objective.with_labels(labels)
    dataset = open_data(experiment.data, objective, dataset.tokenizer)
    model = _fit(experiment, dataset.tokenizer.size + objective.extra_ids(dataset.tokenizer))
    model = _fit_source(experiment, model, dataset.tokenizer)
    experiment = dataclasses.replace(experiment, objective=objective, model=model)
    built = objective.build(model)
    if pretrained is not None:
        trees.merge(shapes(built), pretrained, experiment.init_allow)  # raises what does not fit
        trees.check_layers(shapes(built), experiment.reinit_layers)
    return Prepared(experiment, dataset, built, pretrained)


def reopen(experiment: Experiment, folder: Path) -> Prepared:
    """Returns what `prepare` gave the run in this folder; the run that it was initialised from is not needed again.

    It may have had another platform, whose own kernel is not asked for here.

    Args:
      experiment: resolved, as its checkpoints hold it.
      folder: the run's.
    """
    model: Any = experiment.model
    if getattr(model, "attention_kernel", "auto") in OWN.values():
        model = dataclasses.replace(model, attention_kernel="auto")
    plain = dataclasses.replace(experiment, model=model, init_from="", reinit_layers=0)
    return prepare(plain, folder / "tokenizer")


def check_metric(prepared: Prepared) -> None:
    """Raises UserError where run.metric is no score of this objective or its task, or the worst would count as best.

    Or where there is nothing to evaluate. The model computes nothing.
    """
    run, objective = prepared.experiment.run, prepared.dataset.objective
    prepared.dataset.rows(EVALUATED)
    if run.direction == "max" and run.metric in (*LOW, *objective.term_weights()):
        raise UserError(f"run.metric={run.metric} is the better the lower it is; set run.direction=min")
    if run.metric == "loss":  # which is always there: no need to trace the model
        return
    names = score_names(prepared.model, prepared.dataset, EVALUATED, run.eval_rows)
    task = task_of(objective)
    of_task = [name for name in task.score_names() if name not in names] if task else []
    if run.metric not in [*names, *of_task]:
        raise UserError(f"run.metric={run.metric} is not among the scores: {', '.join([*names, *of_task])}")
    high = run.metric.endswith("accuracy") or (run.metric in of_task and run.metric not in (*LOW, "length_ratio"))
    if high and run.direction == "min":
        raise UserError(f"run.metric={run.metric} is the better the higher it is; set run.direction=max")
    if run.metric in of_task and isinstance(objective, Answering) and jax.process_count() > 1:
        raise UserError(
            f"run.metric={run.metric} is of answers, which several processes do not decode together; use one of "
            f"{', '.join(names)}"
        )


def _inherit(source: Any, here: Any) -> Any:
    """The checkpoint's model; dropout, arithmetic and memory settings are this experiment's."""
    names = [key.removeprefix("model.") for key in ANEW]
    values = {name: getattr(here, name) for name in names if hasattr(here, name) and hasattr(source, name)}
    return dataclasses.replace(source, **values)


def _fit(experiment: Experiment, size: int) -> Any:
    model, length = experiment.model, experiment.data.length
    if not model.vocab_size:
        model = dataclasses.replace(model, vocab_size=size)
    if model.vocab_size < size:
        raise UserError(
            f"tokenizer and objective have {size} ids, model.vocab_size={model.vocab_size}; set model.vocab_size=0"
        )
    limited = getattr(model, "positions", "") == "learned" or (
        isinstance(model, DebertaConfig) and (model.position_biased_input or model.mask_decoder_layers > 0)
    )
    if limited and length > (longest := getattr(model, "max_length", length)):
        raise UserError(f"data.length={length} is longer than model.max_length={longest}")
    if experiment.objective.one_way and not getattr(model, "causal", False):
        cure = "init_from the run of a causal one" if experiment.init_from else "set model.causal=true"
        raise UserError(f"this model reads both ways, so it would see the token that it is to say; {cure}")
    if experiment.data.layout == "strips" and not (isinstance(model, RNNConfig) and model.causal):
        raise UserError("data.layout=strips needs a model that goes on from a state; set model=rnn")
    if getattr(model, "decoder_layers", 0) and not experiment.objective.sources:
        raise UserError("this objective gives a decoder no source; set model.decoder_layers=0")
    plain = isinstance(model, TransformerConfig) and not model.decoder_layers
    if experiment.objective.prefixes and not plain:
        raise UserError("this objective reads a prefix both ways, which only a decoder-only Transformer does")
    if experiment.objective.sources and not getattr(model, "decoder_layers", 0):
        raise UserError("this objective needs an encoder-decoder; set model.decoder_layers above 0")
    return model


def _fit_source(experiment: Experiment, model: Any, tokenizer: Tokenizer) -> Any:
    """Returns the model with embeddings for sources where these have a vocabulary of their own."""
    size, own = getattr(model, "source_vocab_size", 0), tokenizer.source is not tokenizer
    if experiment.data.source_tokenizer and not own:
        raise UserError("the run in init_from has one tokenizer for both texts; leave data.source_tokenizer empty")
    if not own:
        if size:
            raise UserError(f"model.source_vocab_size={size} needs data.source_tokenizer")
        return model
    if 0 < size < tokenizer.source.size:
        raise UserError(
            f"the tokenizer of sources has {tokenizer.source.size} ids, model.source_vocab_size={size}; "
            "set model.source_vocab_size=0"
        )
    return dataclasses.replace(model, source_vocab_size=size or tokenizer.source.size)

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""seqjax: sequence modelling in JAX and Flax, as pure functions.

Arrays carry their axes in their names (`x_BLD`, `q_BLNH`), the same letters as in einsum:

    B batch rows     L length          S source length, keys   D model width
    N heads          H head width      F feed-forward width    V vocabulary
    K labels         P predictions of masked language modelling

What a notebook needs most stands here too, loaded on first use: `seqjax.TransformerConfig` is
`seqjax.models.transformer_config.TransformerConfig`.
"""

import importlib
from typing import Any

_HOMES = {
    "seqjax.data.pipeline": ("Data", "Dataset", "open_data"),
    "seqjax.data.sources": ("Source", "from_records", "open_split"),
    "seqjax.decoding.beam": ("beam_search",),
    "seqjax.decoding.generate": ("continuations", "generate"),
    "seqjax.decoding.samplers": ("Greedy", "Sample"),
    "seqjax.evaluation.embed": ("fill_mask", "log_probabilities", "sentence_embeddings"),
    "seqjax.evaluation.evaluate": ("predictor", "report", "scorer"),
    "seqjax.evaluation.predict": ("predict",),
    "seqjax.experiment": ("Experiment", "Run"),
    "seqjax.models.model": ("build", "initialise", "shapes"),
    "seqjax.models.rnn": ("RNNConfig",),
    "seqjax.models.seq2seq": ("Seq2SeqConfig",),
    "seqjax.models.transformer_config": ("TransformerConfig",),
    "seqjax.objectives.clm": ("CLM",),
    "seqjax.objectives.mlm": ("MLM",),
    "seqjax.objectives.question_answering": ("QuestionAnswering",),
    "seqjax.objectives.supervised": ("Classification", "Tagging"),
    "seqjax.training.checkpoint": ("load",),
    "seqjax.training.optimizers": ("Optimizer",),
    "seqjax.training.parallel": ("Devices", "Parallel"),
    "seqjax.training.run": ("train",),
    "seqjax.training.step": ("State", "evaluation_step", "gradients", "initial_state", "train_step"),
    "seqjax.visualise.attention": ("attention_maps", "plot_attention"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
_MODULES = {
    "families": "seqjax.models.families",
    "interop": "seqjax.interop",
    "tokenizers": "seqjax.data.tokenizers",
}

__all__ = [*_HOME_OF, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        return getattr(importlib.import_module(_HOME_OF[name]), name)
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    raise AttributeError(f"module 'seqjax' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)

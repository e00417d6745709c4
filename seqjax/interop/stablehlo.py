# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""A model as one StableHLO program, weights inside: a process that has nothing of this code, only jax, runs it.

from jax import export
from tokenizers import Tokenizer
program = export.deserialize(open("model.stablehlo", "rb").read())
ids = Tokenizer.from_file("tokenizer/tokenizer.json").encode(text, add_special_tokens=False).ids  # if it has this file
logits = program.call(*inputs)  # several outputs are a tuple

signature.json says names, shapes and order of inputs and outputs, which ids stand around a text, how texts stand in a
row, how a text was made in training ("texts"), and what the last axis of the logits means.
"""

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax import export

from seqjax.data.marked import MARKS
from seqjax.data.sources import Source
from seqjax.experiment import Experiment
from seqjax.models.heads import ChoiceHead, EmbeddingHead, EntityPairHead
from seqjax.models.model import Model, portable
from seqjax.objectives.answering import Answering
from seqjax.objectives.objective import Objective
from seqjax.objectives.question_answering import QuestionAnswering
from seqjax.types import Params

PROGRAM, SIGNATURE = "model.stablehlo", "signature.json"
PLATFORMS = ("cpu", "cuda", "tpu")


def write_program(folder: Path, model: Model, params: Params, experiment: Experiment, tokenizer: Any) -> dict[str, Any]:
    """Writes model.stablehlo, signature.json and the tokenizer's folder, and returns the signature.

    Rows, length and length of the source are free; a model that learnt its positions says no number beyond the last of
    them, "max_length". Inputs: "tokens"; "segments" (0 at padding); "positions" where
    several texts stand in a row, each a segment of its own; "token_types" where the model has them; "entities" where a
    class is of two of them; "prefix" where part of a row is read both ways; "source" and "source_segments" for an
    encoder-decoder. Outputs are float32: "logits" of the task's head, or "vectors" of each text; of a linear chain
    "start", "between" and "end" too, the scores of tags after each other; of several heads the logits of each by its
    name.
    """
    model, objective = portable(model), experiment.objective
    names = _inputs(model, objective)
    weights = jax.tree.map(jnp.asarray, params)
    found: list[str] = []

    def compute(tokens: jax.Array, *inputs: jax.Array) -> jax.Array | tuple[jax.Array, ...]:
        named: dict[str, Any] = dict(zip(names.values(), inputs, strict=True))
        outputs = _outputs(model, model.apply({"params": weights}, tokens, **named)[0])
        found[:] = outputs
        first, *rest = outputs.values()
        return (first, *rest) if rest else first

    rows, length, longest = export.symbolic_shape("batch, length, source_length")
    shapes = [(rows, longest if "source" in name else length) for name in ("tokens", *names)]
    arguments = [jax.ShapeDtypeStruct(shape, jnp.int32) for shape in shapes]
    exported = export.export(jax.jit(compute), platforms=PLATFORMS)(*arguments)
    signature = {
        "inputs": [_described(name, aval) for name, aval in zip(("tokens", *names), exported.in_avals, strict=True)],
        "outputs": [_described(name, aval) for name, aval in zip(found, exported.out_avals, strict=True)],
        "task": type(objective).__name__,
        "labels": _labels(objective),
        "row": _row(model, objective),
        "length": experiment.data.length,
        "max_length": _max_length(model.trunk.config),
        "answers": _answers(objective, experiment.data.overlap),
        "texts": _texts(experiment.data.source),
        "special_ids": {"pad": tokenizer.pad, "begin": tokenizer.bos, "end": tokenizer.eos},
        "tokenizer": tokenizer.engine.kind,
        "platforms": list(PLATFORMS),
        "jax": jax.__version__,
    }
    (folder / PROGRAM).write_bytes(exported.serialize())
    tokenizer.save(folder / "tokenizer")
    (folder / SIGNATURE).write_text(json.dumps(signature, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return signature


def _inputs(model: Model, objective: Objective) -> dict[str, str]:
    """Returns the inputs after the tokens: how they are called outside, and in the model."""
    config: Any = model.trunk.config
    names = {"segments": "segments_BL"}
    if _several(model):
        names["positions"] = "positions_BL"
    if getattr(config, "token_types", 0) and not isinstance(model.head, EmbeddingHead):
        names["token_types"] = "token_types_BL"
    if isinstance(model.head, EntityPairHead):
        names["entities"] = "entities_BL"
    if objective.prefixes:
        names["prefix"] = "prefix_BL"
    if getattr(config, "decoder_layers", 0):
        names |= {"source": "source_BS", "source_segments": "source_segments_BS"}
    return names


def _outputs(model: Model, out: Any) -> dict[str, jax.Array]:
    if isinstance(out, dict):
        return {name: values for name, each in out.items() for name, values in _named(name, each).items()}
    return _named("vectors" if isinstance(model.head, EmbeddingHead) else "logits", out)


def _named(name: str, out: Any) -> dict[str, jax.Array]:
    if not isinstance(out, tuple):
        return {name: out}
    emissions, transitions = out
    return {name: emissions} | {part: getattr(transitions, part) for part in ("start", "between", "end")}


def _several(model: Model) -> bool:
    """Whether several texts stand side by side in a row."""
    return isinstance(model.head, EmbeddingHead | ChoiceHead)


def _labels(objective: Objective) -> list[str]:
    """Returns what the places of the logits' last axis mean, where it is not the vocabulary."""
    if isinstance(objective, QuestionAnswering):
        return ["start", "end"]
    return list(getattr(objective, "labels", ()))


def _max_length(config: Any) -> int | None:
    """Returns how many positions a model learnt, None where it has numbers for any."""
    return config.max_length if getattr(config, "positions", "") == "learned" else None


def _answers(objective: Objective, overlap: int) -> dict[str, Any]:
    """Returns by which settings `predict` makes answers of the logits, tokens of a row; nothing of other tasks."""
    if not isinstance(objective, QuestionAnswering):
        return {}
    names = ("no_answer", "threshold", "question_length", "answer_length", "n_best")
    return {name: getattr(objective, name) for name in names} | {"overlap": overlap}


def _row(model: Model, objective: Objective) -> str:
    """Returns how texts stand in a row."""
    if isinstance(model.head, ChoiceHead):
        return (
            "begin text end choice end, the same with the next choice, ...: segments 1, 2, ..., positions 0, 1, ... in "
            "each, token_types 1 after each text's end"
        )
    if _several(model):
        return "begin text end, begin second text end: segments 1 and 2, positions 0, 1, ... in each"
    if objective.sources:
        return "source: text end; tokens: what the decoder has said, after the pad id"
    if isinstance(objective, Answering):
        return "begin text end, and what has been said"
    if objective.reads == "tags":
        return "begin text end; a word's tag is at its first token"
    if objective.reads == "relation":
        first, second = MARKS
        return (
            f"begin text end, the first entity between '{first} ' and ' {first}', the second between '{second} ' and "
            f"' {second}'; entities is 1 and 2 on their own tokens"
        )
    if objective.reads == "answers":
        return (
            "begin question end context end with token_types 1 after the first end; a context that is longer than its "
            "room in several rows; an answer stands in the context, or with no_answer at the first token, whatever the "
            "logits elsewhere"
        )
    if objective.reads in ("label", "number"):
        return "begin text end, or begin text end second text end with token_types 1 after the first end"
    return "begin text"


def _texts(source: Source) -> dict[str, Any]:
    """Returns how a text was made in training: of which columns between spaces, and with which words around them."""
    out: dict[str, Any] = {"joined": list(source.joined["text"])} if "text" in source.joined else {}
    if source.task.template:
        answers = dict(answer.split("=", 1) for answer in source.task.answers)
        out |= {"template": source.task.template, "answers": answers, "step": source.task.step}
    return out | ({"words": "characters"} if source.placed else {})


def _described(name: str, aval: Any) -> dict[str, Any]:
    shape = [size if isinstance(size, int) else str(size) for size in aval.shape]
    return {"name": name, "shape": shape, "dtype": str(aval.dtype)}

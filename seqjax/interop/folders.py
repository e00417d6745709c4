# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""A folder with a published checkpoint -> (model, parameters, tokenizer)."""

import dataclasses
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from seqjax import trees
from seqjax.config import unknown
from seqjax.data.tokenizers import Tokenizer
from seqjax.errors import UserError
from seqjax.interop import engine, files, llama2c, texts
from seqjax.interop.bert import BERT, ELECTRA, ROBERTA
from seqjax.interop.deberta import DEBERTA, DEBERTA_V2
from seqjax.interop.engine import Row, Tensors
from seqjax.interop.family import Family, Json, settings
from seqjax.interop.gpt2 import GPT2
from seqjax.interop.llama import LLAMA
from seqjax.interop.marian import MARIAN
from seqjax.interop.t5 import T5
from seqjax.models.model import Model, build, shapes
from seqjax.types import Params

FAMILIES = {family.name: family for family in (BERT, ROBERTA, ELECTRA, DEBERTA, DEBERTA_V2, GPT2, T5, LLAMA, MARIAN)}


class Read(NamedTuple):
    """What a folder holds."""

    config: Any
    params: Params
    tokenizer: Tokenizer | None
    left: tuple[str, ...]  # parameters that have no place here
    headless: bool  # it holds no vocabulary head


def read(path: str | Path, allow: str = "", scan: bool = False) -> tuple[Model, Params, Tokenizer | None]:
    """Returns the model, parameters and tokenizer of a checkpoint of `transformers` or of llama2.c.

    Every tensor of the file and every parameter of the model must find its match. Of an encoder without a head
    (BertModel) the parameters are those of the trunk alone: `model.apply({"params": params}, ids, method="hidden")`. A
    pooler has no place here and is left behind; a line on stderr says so.

    Args:
      path: a folder with config.json and model.safetensors, its shards, or flax_model.msgpack; or a llama2.c model's.
      allow: tensors that may be missing or left over, a regex over their names; a missing one's parameter is left out.
      scan: in the layout of a scan over layers.

    Raises:
      UserError: no such files, damaged ones, an architecture or a setting that is not known here, or no perfect match.
    """
    found = load(path, allow)
    if found.left:
        print(f"{path}: not taken: {', '.join(found.left)}", file=sys.stderr)
    if not scan:
        return build(found.config), found.params, found.tokenizer
    return build(dataclasses.replace(found.config, scan=True)), trees.stack_layers(found.params), found.tokenizer


def load(path: str | Path, allow: str = "") -> Read:
    """Returns what `read` does, as settings rather than as a model, without a word on stderr."""
    place = Path(path).expanduser()
    if not place.exists():
        raise UserError(f"'{path}' does not exist; give the folder of a published checkpoint")
    weights = llama2c.find(place)
    if weights is not None:
        settings_json, tensors = llama2c.read(weights)
    else:
        settings_json = files.read_json(place / files.CONFIG)
    family = _family(settings_json, f"{place / files.CONFIG}")
    if weights is None:
        tensors = files.read_tensors(place)
    tokenizer = texts.read_tokenizer(place if place.is_dir() else place.parent)
    try:
        allowed = re.compile(allow or r"(?!)")
    except re.error as error:
        raise UserError(f"allow: '{allow}' is not a regular expression: {error.msg}") from None
    return _match(family, settings_json, tensors, tokenizer, allowed, str(path))


def _family(settings_json: Json, where: str) -> Family:
    name = settings_json.get("model_type")
    if not isinstance(name, str):
        raise UserError(f"{where}: the key 'model_type' is missing")
    if name not in FAMILIES:
        raise UserError(f"{where}: {unknown('model_type', name, list(FAMILIES))}")
    return FAMILIES[name]


def _match(
    family: Family,
    settings_json: Json,
    tensors: Tensors,
    tokenizer: Tokenizer | None,
    allowed: re.Pattern[str],
    where: str,
) -> Read:
    config = settings(family, settings_json, tensors, f"{where}/{files.CONFIG}")
    table = family.table(config)
    tensors = _full_names(tensors, family.prefix, table)
    declared = (settings_json.get("architectures") or [""])[0]
    head = head_names(family, config)
    headless = bool(head) and declared not in family.heads and not (head & tensors.keys())

    tensors = family.unpack(_without_copies(tensors, family.copies(config), where), config)
    like = shapes(build(config))
    if headless:
        like = {"trunk": like["trunk"]}
    params, missing = engine.take(tensors, table, like, where)
    used = {name for name, _ in engine.places(table, trees.flatten(like)).values()}
    known = re.compile("|".join(family.buffers) or r"(?!)")
    spare = re.compile("|".join(family.spare) or r"(?!)")
    over = [name for name in tensors if name not in used and not known.search(name)]
    left = tuple(name for name in over if spare.search(name))
    complaints = [
        f"{len(names)} tensors are {what}: {trees.few(names)}"
        for what, names in (
            ("missing", [name for name in missing if not allowed.search(name)]),
            ("left over", [name for name in over if name not in left and not allowed.search(name)]),
        )
        if names
    ]
    if complaints:
        raise UserError(
            f"'{where}' does not fit {declared or family.name}: {'; '.join(complaints)} (allow, a regex, lets them be)"
        )
    if tokenizer is not None and tokenizer.size > config.vocab_size:
        raise UserError(f"'{where}': the tokenizer has {tokenizer.size} ids, the model only {config.vocab_size}")
    return Read(config, params, tokenizer, left, headless)


def head_names(family: Family, config: Any) -> set[str]:
    """Returns the names of the tensors of the head that these settings have."""
    paths = [path for path in trees.flatten(shapes(build(config))) if path.startswith("head/")]
    return {name for name, _ in engine.places(family.table(config), paths).values()}


def _full_names(tensors: Tensors, prefix: str, table: list[Row]) -> Tensors:
    """Adds the prefix of the trunk where a file is without; old files call a norm's scale and bias gamma and beta."""
    modern = {"gamma": "weight", "beta": "bias"}
    renamed = {
        re.sub(r"(?<=LayerNorm\.)(gamma|beta)$", lambda found: modern[found[0]], name): tensor
        for name, tensor in tensors.items()
    }
    if not prefix or any(name.startswith(prefix) for name in renamed):
        return renamed
    heads = {name.split(".")[0] for ours, name, _ in table if ours.startswith("head/")}
    return {name if name.split(".")[0] in heads else prefix + name: value for name, value in renamed.items()}


def _without_copies(tensors: Tensors, copies: Mapping[str, str], where: str) -> Tensors:
    """Takes out tensors that must equal another, and do; where only the copy is there, it stands in."""
    kept = dict(tensors)
    for copy, original in copies.items():
        if copy not in kept:
            continue
        tensor = kept.pop(copy)
        first = kept.setdefault(original, tensor)
        if first.shape != tensor.shape or not (first == tensor).all():
            raise UserError(f"{where}: '{copy}' and '{original}' should be one tensor, and they differ")
    return kept

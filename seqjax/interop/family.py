# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""What the engine is told of a published architecture, and small helpers for its config.json."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from seqjax.errors import UserError
from seqjax.interop.engine import Row, Tensors
from seqjax.models.transformer_config import TransformerConfig

Json = dict[str, Any]

# What `transformers` calls an activation -> what we call it.
ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
    "tanh": "tanh",
}


@dataclasses.dataclass(frozen=True)
class Family:
    """An architecture as `transformers` writes it.

    Attributes:
      name: `model_type` in config.json.
      trunk: the class without a head.
      heads: the classes whose head is ours; the first is what is written.
      prefix: of the trunk's tensors in files of `heads`; files of `trunk` are without.
      config: (config.json with defaults filled in, tensors by name) -> our settings.
      json: our settings -> config.json.
      table: our settings -> the names, with prefix.
      defaults: what config.json may leave out.
      fixed: keys of config.json that may have one value only, since the stack has no other.
      copies: our settings -> {name: the tensor it must equal}: tied weights that stand in a file twice.
      buffers: regexes of tensors that are no parameters.
      spare: regexes of parameters that have no place here, and are left behind with a word.
      kind: the class of our settings.
      unpack: (tensors under their full names, our settings) -> what the table names, where a row cannot say it.
      pack: its inverse.
    """

    name: str
    trunk: str
    heads: tuple[str, ...]
    prefix: str
    config: Callable[[Json, Mapping[str, Any]], Any]
    json: Callable[[Any], Json]
    table: Callable[[Any], list[Row]]
    defaults: Json
    fixed: Json = dataclasses.field(default_factory=dict)
    copies: Callable[[Any], dict[str, str]] = lambda config: {}
    buffers: tuple[str, ...] = ()
    spare: tuple[str, ...] = ()
    kind: type = TransformerConfig
    unpack: Callable[[Tensors, Any], Tensors] = lambda tensors, config: tensors
    pack: Callable[[Tensors, Any], Tensors] = lambda tensors, config: tensors


def settings(family: Family, json: Json, tensors: Mapping[str, Any], where: str) -> Any:
    """Returns our settings of a config.json.

    Raises:
      UserError: a key that is missing or malformed, or a setting that the stack does not have.
    """
    for key, value in family.fixed.items():
        if json.get(key, value) != value:
            raise UserError(f"{where}: {key}={json[key]!r} is not supported, only {value!r}")
    try:
        return family.config(family.defaults | json, tensors)
    except KeyError as error:
        raise UserError(f"{where}: the key {error} is missing") from None
    except (TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{where} is malformed: {error}") from None


def activation(name: str) -> str:
    """Returns our name of an activation."""
    if name not in ACTIVATIONS:
        raise UserError(f"config.json: activation '{name}' is not one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]


def published_activation(name: str) -> str:
    """Returns what `transformers` calls our activation."""
    return next(theirs for theirs, ours in ACTIVATIONS.items() if ours == name)


def dense(ours: str, theirs: str) -> list[Row]:
    """Rows of a torch Linear."""
    return [(f"{ours}/kernel", f"{theirs}.weight", "T"), (f"{ours}/bias", f"{theirs}.bias", "")]


def norm(ours: str, theirs: str) -> list[Row]:
    """Rows of a layer norm, or of an RMS norm, which has no bias."""
    return [(f"{ours}/scale", f"{theirs}.weight", ""), (f"{ours}/bias", f"{theirs}.bias", "")]


def table(ours: str, theirs: str) -> Row:
    """The row of an embedding."""
    return (f"{ours}/embedding", f"{theirs}.weight", "")

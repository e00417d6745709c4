# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The engine: tensors under a published model's names <-> our parameter tree, by a table of names.

A table's row is (our path, their name, how). "{i}" stands for a layer's number on both sides. `how` says what is done
to their tensor: "" nothing; "T" transposed (torch keeps (out, in), we (in, out)); "1/3" the middle one of three equal
parts of its last axis (projections fused into one); "row" its only row, a [1, V] for a [V].

A table may name more than a model has: which rows count is told by the model's own parameters.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from seqjax import trees
from seqjax.errors import UserError
from seqjax.types import Params

Row = tuple[str, str, str]
Tensors = dict[str, np.ndarray]


def places(table: Iterable[Row], paths: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Returns {our path: (their name, how)} for these paths, layers numbered.

    Raises:
      UserError: a path that the table does not know.
    """
    rows = {ours: (theirs, how) for ours, theirs, how in table}
    found = {}
    for path in paths:
        number = re.search(r"(?<=layer_)\d+", path)
        template = re.sub(r"(?<=layer_)\d+", "{i}", path)
        if template not in rows:
            raise UserError(f"there is no published name for the parameter '{path}'")
        theirs, how = rows[template]
        found[path] = (theirs.replace("{i}", number[0]) if number else theirs, how)
    return found


def take(tensors: Mapping[str, np.ndarray], table: Iterable[Row], like: Params, where: str) -> tuple[Params, list[str]]:
    """Returns our parameters, float32, and the names of the tensors that the table wants and that are not there.

    Args:
      tensors: theirs.
      table: of names.
      like: a tree of shapes, in the layout of a loop over layers.
      where: they come from, for messages.

    Raises:
      UserError: a tensor of another shape, or not of numbers.
    """
    wanted = trees.flatten(like)
    params: dict[str, np.ndarray] = {}
    missing = []
    for path, (name, how) in places(table, wanted).items():
        if name not in tensors:
            missing.append(name)
            continue
        try:
            tensor = _ours(np.asarray(tensors[name]), how).astype(np.float32)
        except (TypeError, ValueError):
            raise UserError(f"{where}: '{name}' holds no numbers that this version reads") from None
        if tensor.shape != wanted[path].shape:
            needed = _theirs_shape(wanted[path].shape, how)
            raise UserError(
                f"{where}: '{name}' has shape {tuple(tensors[name].shape)} where config.json asks for {needed}; "
                "the two files do not belong together"
            )
        params[path] = np.ascontiguousarray(tensor)
    return trees.unflatten(params), list(dict.fromkeys(missing))


def give(params: Params, table: Iterable[Row]) -> Tensors:
    """Returns our parameters, in the layout of a loop over layers, under their names; the inverse of `take`."""
    ours = trees.flatten(params)
    tensors: Tensors = {}
    parts: dict[str, dict[int, np.ndarray]] = {}
    for path, (name, how) in places(table, ours).items():
        leaf = np.asarray(ours[path], np.float32)
        if "/" in how:
            parts.setdefault(name, {})[int(how.split("/")[0])] = leaf
        else:
            tensors[name] = leaf.T if how == "T" else leaf[None] if how == "row" else leaf
    for name, found in parts.items():
        tensors[name] = np.concatenate([found[i] for i in sorted(found)], axis=-1)
    return {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}


def _ours(tensor: np.ndarray, how: str) -> np.ndarray:
    if "/" in how:
        part, count = map(int, how.split("/"))
        width = tensor.shape[-1] // count
        return tensor[..., part * width : (part + 1) * width] if tensor.shape[-1] % count == 0 else tensor
    if how == "row":
        return tensor.reshape(-1)
    return tensor.T if how == "T" else tensor


def _theirs_shape(shape: tuple[int, ...], how: str) -> tuple[Any, ...]:
    if "/" in how:
        return (*shape[:-1], shape[-1] * int(how.split("/")[1]))
    return shape[::-1] if how == "T" else (1, *shape) if how == "row" else shape

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Functions over parameter trees: paths, regex rules with a coverage check, strict merge, layer stacking.

A path joins the keys of a nested dict with "/": "trunk/layer_0/attention/query/kernel".
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.errors import UserError
from seqjax.types import Params

T = TypeVar("T")
Rules = Sequence[tuple[str, T]]

_LAYER = re.compile(r"(.*/(?:layer|encoder)_)(\d+)/")  # of a stack, and its number there
_TOP = re.compile(r"head/|trunk/((en|de)coder/)?final_norm/|trunk/decoder/combine/")


def flatten(params: Params) -> dict[str, Any]:
    """Returns {path: leaf} in the tree's order."""
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return {"/".join(str(getattr(key, "key", key)) for key in path): leaf for path, leaf in leaves}


def unflatten(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the nested dict; the inverse of `flatten`."""
    tree: dict[str, Any] = {}
    for path, leaf in flat.items():
        *parents, last = path.split("/")
        node = tree
        for name in parents:
            node = node.setdefault(name, {})
        node[last] = leaf
    return tree


def apply_rules(rules: Rules[T], params: Params, what: str) -> Any:
    """Returns a tree like `params` that holds, at each leaf, the value of the first rule whose regex finds its path.

    Args:
      rules: (regex, value) pairs, tried in order with `re.search`.
      params: the parameter tree (arrays or shapes).
      what: the setting these rules come from, for messages.

    Raises:
      UserError: a parameter that no rule covers, a rule that is never the first to match, or a broken regex.
    """
    try:
        compiled = [(re.compile(pattern), value) for pattern, value in rules]
    except re.error as error:
        raise UserError(f"{what}: {error.pattern!r} is not a regular expression: {error.msg}") from None
    used: set[int] = set()
    values: dict[str, T] = {}
    for path in flatten(params):
        number = next((i for i, (pattern, _) in enumerate(compiled) if pattern.search(path)), None)
        if number is None:
            raise UserError(f"{what}: no rule covers parameter '{path}'; end the rules with one for \".*\"")
        used.add(number)
        values[path] = compiled[number][1]
    for i, (pattern, _) in enumerate(compiled):
        if i not in used and pattern.pattern != ".*":
            if any(map(pattern.search, values)):
                raise UserError(f"{what}: '{pattern.pattern}' is never the first to match; leave it out or move it up")
            near = ", ".join(list(values)[:3])
            raise UserError(f"{what}: '{pattern.pattern}' matches no parameter; paths look like {near}")
    return jax.tree.unflatten(jax.tree.structure(params), list(values.values()))


@dataclass(frozen=True)
class MergeReport:
    """What a merge did, as parameter paths."""

    reused: tuple[str, ...]
    new: tuple[str, ...]
    dropped: tuple[str, ...]

    def __str__(self) -> str:
        parts = [f"{len(self.reused)} tensors reused"]
        for name, paths in (("new", self.new), ("dropped", self.dropped)):
            parts.append(f"{len(paths)} {name}" + (f" ({', '.join(paths)})" if paths else ""))
        return "; ".join(parts)


def merge(fresh: Params, loaded: Params, allow: str = "^head/") -> tuple[Params, MergeReport]:
    """Returns `fresh` with every leaf that `loaded` has too taken from there, and what was reused, new and dropped.

    Raises:
      UserError: a leaf that stands on one side only, or whose shapes differ, unless its path matches the regex `allow`.
    """
    ours, theirs = flatten(fresh), flatten(loaded)
    reused = [path for path in ours if path in theirs and ours[path].shape == theirs[path].shape]
    clash = [path for path in ours if path in theirs and path not in set(reused)]
    for path in clash:
        if not re.search(allow, path):
            shapes = f"{tuple(theirs[path].shape)} in the checkpoint, {tuple(ours[path].shape)} here"
            raise UserError(f"'{path}' has shape {shapes}; use the checkpoint's model settings and tokenizer")
    new = [path for path in ours if path not in set(reused)]
    dropped = [path for path in theirs if path not in set(reused)]
    if strangers := [path for path in new if not re.search(allow, path)]:
        raise UserError(
            f"the checkpoint lacks {few(strangers)}; name them in init_allow (a regex) to start them afresh"
        )
    if strangers := [path for path in dropped if not re.search(allow, path)]:
        raise UserError(f"this model has no place for {few(strangers)}; name them in init_allow (a regex) to drop them")
    merged = {path: theirs[path] if path in set(reused) else leaf for path, leaf in ours.items()}
    report = MergeReport(tuple(reused), tuple(new), tuple(dropped))
    return jax.tree.unflatten(jax.tree.structure(fresh), list(merged.values())), report


def stack_layers(params: Params) -> Params:
    """Returns the parameters of a loop over layers in the layout of a scan: layer_0, layer_1, ... -> layers [N, ...].

    Works at any depth of the tree; `unstack_layers` is its inverse.
    """
    if not isinstance(params, Mapping):
        return params
    layers = sorted((key for key in params if re.fullmatch(r"layer_\d+", key)), key=lambda key: int(key[6:]))
    rest = {key: stack_layers(value) for key, value in params.items() if key not in layers}
    if layers:
        rest["layers"] = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(params[key] for key in layers))
    return rest


def unstack_layers(params: Params) -> Params:
    """Returns the parameters of a scan over layers in the layout of a loop; the inverse of `stack_layers`."""
    if not isinstance(params, Mapping):
        return params
    rest = {key: unstack_layers(value) for key, value in params.items() if key != "layers"}
    if "layers" in params:
        depth = jax.tree.leaves(params["layers"])[0].shape[0]
        rest |= {f"layer_{i}": jax.tree.map(lambda leaf, i=i: leaf[i], params["layers"]) for i in range(depth)}
    return rest


def layer_depths(params: Params) -> Params:
    """Returns a tree of how far from the top each parameter is: head 0, last layer 1, the one below 2, ..., embeddings.

    Encoder and decoder of one model are counted each from its own top; below the deeper of them lies the rest. Leaves
    are int32 arrays that go with the parameter's: [], or [layers, 1, ...] where a scan stacks the layers.
    """
    flat = flatten(params)
    stacks: dict[str, int] = {}
    for path, leaf in flat.items():
        if match := _LAYER.match(path):
            stacks[match[1]] = max(stacks.get(match[1], 0), int(match[2]) + 1)
        elif "/layers/" in path:
            stacks[path.split("/layers/")[0]] = leaf.shape[0]

    def depth(path: str, leaf: Any) -> np.ndarray:
        if _TOP.match(path):
            return np.zeros((), np.int32)
        if match := _LAYER.match(path):
            return np.asarray(stacks[match[1]] - int(match[2]), np.int32)
        if "/layers/" in path:
            return (leaf.shape[0] - np.arange(leaf.shape[0], dtype=np.int32)).reshape(-1, *[1] * (len(leaf.shape) - 1))
        return np.asarray(max(stacks.values(), default=0) + 1, np.int32)

    return unflatten({path: depth(path, leaf) for path, leaf in flat.items()})


def check_layers(params: Params, layers: int) -> None:
    """Raises UserError where there are not as many layers to begin afresh."""
    there = max(int(np.max(depth)) for depth in jax.tree.leaves(layer_depths(params))) - 1
    if layers > there:
        raise UserError(f"reinit_layers={layers}: the model has {there} layers")


def restart(merged: Params, fresh: Params, layers: int) -> Params:
    """Returns `merged` with the top `layers` layers of `fresh` in place of its own."""
    depths = layer_depths(fresh)

    def chosen(depth: np.ndarray, old: Any, new: Any) -> Any:
        return jnp.where((depth >= 1) & (depth <= layers), new, old)

    return jax.tree.map(chosen, depths, merged, fresh)


def count(params: Params) -> int:
    """Returns the number of parameters (of arrays or of shapes)."""
    return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(params))


def few(paths: Sequence[str]) -> str:
    """Returns the first few names and how many more there are, for a message."""
    return ", ".join(paths[:4]) + (f" and {len(paths) - 4} more" if len(paths) > 4 else "")

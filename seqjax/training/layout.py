# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""How parameters lie on a mesh: one table over their paths, and how many bytes that makes on a device.

`fsdp` and `tensor` divide parameters, `data` and `fsdp` the rows of a batch, `tensor` also heads, the feed-forward
width and the vocabulary, `sequence` the places of a row. Recurrent layers have no heads to divide: their weights are
stored in parts and gathered to be used. Norms, biases of the model's width and other vectors stay whole everywhere:
to gather them would cost more than they take.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

import jax
from jax.sharding import PartitionSpec as P

from seqjax.errors import UserError
from seqjax.types import Params

AXES = ("data", "fsdp", "tensor", "sequence")
ROWS = ("data", "fsdp")  # what divides the rows of a batch
LETTERS: dict[str, str | tuple[str, ...]] = {
    "B": ROWS, "L": "sequence", "N": "tensor", "M": "tensor", "F": "tensor", "V": "tensor",
}  # fmt: skip
NAMES = {
    "B": "rows", "L": "places of a row", "N": "heads", "M": "heads of keys", "F": "units of the feed-forward network",
    "V": "ids of the vocabulary",
}  # fmt: skip

_WEIGHTS = ("fsdp", "tensor")
# (regex over parameter paths, how the last axes are divided); the first match counts, axes before are whole.
RULES: tuple[tuple[str, P], ...] = (
    (r"tokens/embedding$", P("tensor", "fsdp")),
    (r"(^|/)head(/heads_\w+)*/table$", P("tensor", "fsdp")),
    (r"(^|/)head(/heads_\w+)*/bias$", P("tensor")),
    (r"(position|token_type|relative)/embedding$", P(None, _WEIGHTS)),
    (r"relative_bias/embedding$", P(None, "tensor")),
    (r"attention/(query|key|value|position_key|position_query)/kernel$", P("fsdp", "tensor")),
    (r"attention/(query|key|value|position_key|position_query)/bias$", P("tensor")),
    (r"attention/output/kernel$", P("tensor", "fsdp")),
    (r"mlp/(up|gate)/kernel$", P("fsdp", "tensor")),
    (r"mlp/(up|gate)/bias$", P("tensor")),
    (r"mlp/down/kernel$", P("tensor", "fsdp")),
    (r"(embed_projection|transform|pooler|memory|bridge|combine|conv|attention/place)/kernel$", P("fsdp", "tensor")),
    (r"(output|score|place_score)/kernel$", P("fsdp", None)),
    (r"(input/kernel|/recurrent)$", P(None, _WEIGHTS)),
    (r"(bias|scale|peephole)$", P()),
    (r"head/(start|between|end)$", P()),
)
_FACTORED = re.compile(r"/v_(row|col)/")  # Adafactor's second moments: vectors under the names of matrices

GROUPS = (
    ("norm", r"norm/(scale|bias)$"),
    ("attention", r"attention/"),
    ("mlp", r"mlp/"),
    ("embedding", r"embedding$|embed_projection/"),
    ("head", r"(^|/)head/"),
    ("recurrent", r"(forward|backward|layer_\d+)/(input|recurrent|peephole|cell)"),
    ("other", r""),
)


def path_of(keys: tuple[Any, ...]) -> str:
    """Returns the path of a leaf of any tree, as `seqjax.trees.flatten` writes it."""
    return jax.tree_util.keystr(keys, simple=True, separator="/")


def spec(path: str, shape: tuple[int, ...], sizes: Mapping[str, int]) -> P | None:
    """Returns how a leaf is divided: a parameter, or what an optimiser or an average keeps of one under its path.

    Args:
      path: of the leaf; what stands before the parameter's own path does not matter.
      shape: of the leaf.
      sizes: devices along each axis of the mesh.

    Returns:
      The layout; None where no rule covers the path.

    Raises:
      UserError: an axis that does not divide.
    """
    found = next((parts for pattern, parts in RULES if re.search(pattern, path)), None)
    if found is None or len(found) > len(shape) or _FACTORED.search(path):
        return None
    parts = (None,) * (len(shape) - len(found)) + tuple(found)
    for place, (size, axes) in enumerate(zip(shape, parts, strict=True)):
        if size % ways(axes, sizes):
            of_vocabulary = place == 0 and re.search(r"tokens/|table$|head/bias$", path)
            name = "source_vocab_size" if "source_tokens/" in path else "vocab_size"
            cure = f"set model.{name} to a multiple" if of_vocabulary else "change one"
            raise UserError(f"'{path}' has an axis of {size}, which {_named(axes, sizes)} does not divide; {cure}")
    return P(*parts)


def cover(params: Params, sizes: Mapping[str, int]) -> None:
    """Raises UserError where the table says nothing of a parameter, or an axis does not divide."""
    for keys, leaf in jax.tree_util.tree_leaves_with_path(params):
        if spec(path_of(keys), leaf.shape, sizes) is None:
            raise UserError(f"parallel=mesh: no rule of seqjax.training.layout covers parameter '{path_of(keys)}'")


def letters_spec(shape: tuple[int, ...], letters: str, sizes: Mapping[str, int]) -> P:
    """Returns how an activation is divided whose axes have these letters; see `seqjax.models.constrain`.

    Raises:
      UserError: an axis that does not divide.
    """
    axes = [LETTERS.get(letter) for letter in letters]
    for size, letter, names in zip(shape, letters, axes, strict=False):
        if size % ways(names, sizes):
            raise UserError(f"{size} {NAMES[letter]} do not divide among {_named(names, sizes)}; change one")
    return P(*axes)


def ways(axes: Any, sizes: Mapping[str, int]) -> int:
    """Returns among how many devices one axis of an array is divided, given its part of a PartitionSpec."""
    return math.prod(sizes[axis] for axis in _tuple(axes))


def bytes_by_group(params: Params, moments: Any, sizes: Mapping[str, int], divide: bool) -> dict[str, dict[str, float]]:
    """Returns {group: {"total", "per_device" (bytes), "of_ideal"}}, "moments" being all that the optimiser keeps.

    `of_ideal` is 1 where a device holds no more than its share among parallel.fsdp x parallel.tensor devices.
    """
    found: dict[str, dict[str, float]] = {}
    for tree, group in ((params, ""), (moments, "moments")):
        for keys, leaf in jax.tree_util.tree_leaves_with_path(tree):
            path = path_of(keys)
            name = group or next(name for name, pattern in GROUPS if re.search(pattern, path))
            total = math.prod(leaf.shape) * leaf.dtype.itemsize
            parts = (spec(path, leaf.shape, sizes) or ()) if divide else ()
            entry = found.setdefault(name, {"total": 0, "per_device": 0})
            entry["total"] += total
            entry["per_device"] += total // math.prod(ways(axes, sizes) for axes in parts)
    share = sizes["fsdp"] * sizes["tensor"]
    return {name: entry | {"of_ideal": entry["total"] / share / entry["per_device"]} for name, entry in found.items()}


def _tuple(axes: Any) -> tuple[str, ...]:
    return () if axes is None else (axes,) if isinstance(axes, str) else tuple(axes)


def _named(axes: Any, sizes: Mapping[str, int]) -> str:
    return " x ".join(f"parallel.{axis}={sizes[axis]}" for axis in _tuple(axes) if sizes[axis] > 1)

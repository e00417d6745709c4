# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Where a model looks: the weights of every attention in it as arrays, and as a figure with tokens on both axes."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from seqjax import trees
from seqjax.errors import UserError
from seqjax.models.attention import MAPS
from seqjax.models.model import Model
from seqjax.types import Params

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 150
COLUMNS = 4  # heads side by side


def attention_maps(model: Model, params: Params, tokens_BL: jax.Array, **inputs: Any) -> dict[str, jax.Array]:
    """Returns the attention weights of every layer, before dropout, for models that have attention.

    They are computed for this call: training never keeps them, whatever computes its attention.

    Args:
      model: any; a recurrent one without attention gives an empty dict.
      params: its parameters.
      tokens_BL: ids.
      **inputs: see `seqjax.models.model.Model`.

    Returns:
      path of the attention -> float32 [B, N, L, S]: of each head and place the weights over what it reads, which sum to
      1 (with a window, to less). A recurrent decoder's is of one head. Layers run by a scan have a first axis of
      layers, one that is run several times (DeBERTa's mask decoder) a path for each: ".../0", ".../1".
    """
    _, state = model.apply({"params": params}, tokens_BL, mutable=MAPS, **inputs)
    several: dict[str, list[jax.Array]] = {}
    for path, value in trees.flatten(state.get(MAPS, {})).items():
        several.setdefault(path.rpartition("/weights/")[0], []).append(value)
    return {
        path if len(values) == 1 else f"{path}/{number}": value
        for path, values in several.items()
        for number, value in enumerate(values)
    }


def plot_attention(
    weights_NLS: np.ndarray | jax.Array, queries: Sequence[str], keys: Sequence[str], path: str | Path
) -> None:
    """Writes a figure of one text's attention, a panel for each head: queries downwards, keys to the right.

    Args:
      weights_NLS: of one row of the batch, [N, L, S], or [L, S] of one head.
      queries: L tokens.
      keys: S tokens.
      path: of the image.

    Raises:
      UserError: as many tokens as there are places are needed on either axis.
    """
    figure(weights_NLS, queries, keys).savefig(path, dpi=DPI)


def figure(weights_NLS: np.ndarray | jax.Array, queries: Sequence[str], keys: Sequence[str]) -> "Figure":
    """Returns the figure that `plot_attention` writes."""
    from matplotlib.figure import Figure

    weights = np.asarray(weights_NLS, np.float32)
    weights = weights[None] if weights.ndim == 2 else weights
    if weights.shape[1:] != (len(queries), len(keys)):
        raise UserError(f"attention of {weights.shape[1:]} does not fit {len(queries)} queries and {len(keys)} keys")
    columns = min(COLUMNS, len(weights))
    rows = math.ceil(len(weights) / columns)
    side = 1.2 + 0.22 * max(len(queries), len(keys))
    image = Figure(figsize=(columns * side, rows * side), layout="constrained")
    for number, panel in enumerate(image.subplots(rows, columns, squeeze=False).flat):
        if number >= len(weights):
            panel.axis("off")
            continue
        panel.imshow(weights[number], vmin=0.0, vmax=1.0, cmap="Blues", aspect="equal")
        panel.set_xticks(range(len(keys)), keys, rotation=90, fontsize=7, parse_math=False)
        panel.set_yticks(range(len(queries)), queries, fontsize=7, parse_math=False)
        if len(weights) > 1:
            panel.set_title(f"head {number}", fontsize=8)
    return image

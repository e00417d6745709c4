# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Prefix language modelling: the beginning of a row is read both ways, the rest is said token by token.

Raffel et al. 2020, section 3.2.1, figures 3 and 4 (right); the row is cut at a random place, as in section
3.3.1.
"""

import dataclasses
from typing import ClassVar

import numpy as np

from seqjax.objectives.clm import CLM
from seqjax.objectives.objective import Row, Vocabulary


@dataclasses.dataclass(frozen=True)
class PrefixLM(CLM):
    """Settings of prefix language modelling; the loss and its settings are those of causal language modelling."""

    prefixes: ClassVar[bool] = True
    terms: ClassVar[tuple[str, ...]] = ("prefix_lm",)

    def corrupt(self, row: Row, rng: np.random.Generator, vocabulary: Vocabulary) -> dict[str, np.ndarray]:
        """Returns what CLM does and `prefix` [L]: each document's first tokens, of which there are 1 .. n - 1.

        Targets count from the prefix's last token on, which says the first of the rest.
        """
        out = super().corrupt(row, rng, vocabulary)
        prefix = np.zeros_like(out["segments"])
        for segment in range(1, int(out["segments"].max(initial=0)) + 1):
            places = np.flatnonzero(out["segments"] == segment)
            if len(places) > 1:
                prefix[places[: rng.integers(1, len(places))]] = 1
        counts = np.append(prefix[1:] == 0, True) | (np.append(out["segments"][1:], 0) != out["segments"])
        return out | {"prefix": prefix, "weights": out["weights"] * counts.astype(np.float32)}

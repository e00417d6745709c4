# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Parameters for the tests of models."""

import jax.numpy as jnp
import numpy as np

from seqjax import trees
from seqjax.models.model import shapes


def scattered(model, seed=0, spread=0.3):
    """Parameters away from their initial values: zero biases and unit scales would hide where they are used."""
    rng = np.random.default_rng(seed)
    flat = trees.flatten(shapes(model))
    return trees.unflatten(
        {p: jnp.asarray(p.endswith("scale") + spread * rng.normal(size=x.shape), jnp.float32) for p, x in flat.items()}
    )

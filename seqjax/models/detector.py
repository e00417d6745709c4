# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""A generator beside a discriminator as one model, with or without shared embeddings (Clark et al. 2020, section 3)."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from seqjax.models.layers import ACTIVATIONS, Linear
from seqjax.models.model import Model
from seqjax.types import Params

SHARINGS = ("shared", "separate", "disentangled")
_TABLES = ("tokens", "position")  # what may be shared: token and position embeddings (Clark et al. 2020, section 3.2)


class ReplacementHead(nn.Module):
    """Hidden states [..., D] -> logits [...] that a token was replaced: dense, activation, dense (ELECTRA's code)."""

    activation: str = "gelu"
    dtype: jnp.dtype = jnp.float32
    kernel_init: nn.initializers.Initializer = nn.initializers.normal(0.02)

    @nn.compact
    def __call__(self, x: jax.Array, segments_BL: jax.Array, table_VD: jax.Array, train: bool) -> jax.Array:
        x = Linear(x.shape[-1], dtype=self.dtype, kernel_init=self.kernel_init, name="transform")(x)
        logits = Linear(1, kernel_init=self.kernel_init, name="output")(ACTIVATIONS[self.activation](x))
        return logits[..., 0]


class Detector(Model):
    """A discriminator, which is what a call runs, and the generator that makes its input while it learns.

    Parameters: {"trunk", "head"} of the discriminator and {"generator": {"trunk", "head"}}. By `sharing`:

      "shared": the generator has no token and position embeddings of its own; those of "trunk" serve and learn from
        both (Clark et al. 2020, section 3.2).
      "separate": each has its own.
      "disentangled": "trunk" holds the difference from the generator's, 0 at first; the discriminator reads
        stop_gradient(generator's) + difference, so its loss leaves the generator's alone (He et al. 2021b, section 3.3,
        GDES; position embeddings too, as in their code).

    `apply` takes and `init` gives parameters in this layout, so nothing else needs to know of the sharing.
    """

    generator: Model
    sharing: str

    @nn.nowrap
    def init(self, *args: Any, **inputs: Any) -> Any:
        """Returns {"params"} as they are stored."""
        return {"params": _stored(super().init(*args, **inputs)["params"], self.sharing)}

    @nn.nowrap
    def apply(self, variables: Any, *args: Any, **inputs: Any) -> Any:
        """Applies to {"params"} as they are stored; see `flax.linen.Module.apply`."""
        return super().apply({"params": resolved(variables["params"], self.sharing)}, *args, **inputs)

    def __call__(self, tokens_BL: jax.Array, **inputs: Any) -> tuple[jax.Array, None]:
        """Returns the discriminator's float32 logits [B, L] that a token was replaced, and no carry."""
        if self.is_initializing():
            self.generator(tokens_BL)
        return super().__call__(tokens_BL, **inputs)

    def generate(self, tokens_BL: jax.Array, **inputs: Any) -> tuple[jax.Array, None]:
        """Returns the generator's float32 logits over the vocabulary and no carry; takes what `Model` takes."""
        return self.generator(tokens_BL, **inputs)


def resolved(params: Params, sharing: str) -> Params:
    """Returns stored parameters with every table in its place, as generator and discriminator each read them."""
    trunk, generator = params["trunk"], params["generator"]
    tables = {name: trunk[name] for name in _TABLES if name in trunk}
    if sharing == "shared":
        generator = generator | {"trunk": tables | generator["trunk"]}
    if sharing == "disentangled":
        bases = {name: jax.lax.stop_gradient(generator["trunk"][name]) for name in tables if name in generator["trunk"]}
        trunk = trunk | {name: jax.tree.map(jnp.add, base, tables[name]) for name, base in bases.items()}
    return params | {"trunk": trunk, "generator": generator}


def adopted(params: Params, sharing: str) -> Params:
    """Returns {"trunk", ...} of a plain model as a detector stores it: the inverse of `resolved`."""
    if sharing != "disentangled":
        return params
    trunk = params["trunk"]
    tables = {name: trunk[name] for name in _TABLES if name in trunk}
    return params | {"trunk": trunk | jax.tree.map(jnp.zeros_like, tables), "generator": {"trunk": tables}}


def _stored(params: Params, sharing: str) -> Params:
    """Returns full fresh parameters without those that the other side holds."""
    trunk, generator = params["trunk"], params["generator"]
    both = [name for name in _TABLES if name in trunk and name in generator["trunk"]]
    if sharing == "shared":
        own = {name: value for name, value in generator["trunk"].items() if name not in both}
        generator = generator | {"trunk": own}
    if sharing == "disentangled":
        trunk = trunk | jax.tree.map(jnp.zeros_like, {name: trunk[name] for name in both})
    return params | {"trunk": trunk, "generator": generator}

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The small layers every model is made of."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "gelu": lambda x: nn.gelu(x, approximate=False),  # Hendrycks & Gimpel 2016, exact
    "gelu_tanh": lambda x: nn.gelu(x, approximate=True),  # ibid., section 2, the tanh approximation
    "relu": nn.relu,
    "silu": nn.silu,
    "tanh": jnp.tanh,
}


class Linear(nn.Module):
    """y = x @ kernel + bias over the last axis; parameters in float32, arithmetic in `dtype`.

    The leading axes are flattened to one before the product: XLA on CPU multiplies a [B, L, D] operand several times
    slower than the same numbers as [B * L, D]; on TPU and GPU the two compile to the same program.
    """

    features: int
    use_bias: bool = True
    dtype: jnp.dtype = jnp.float32
    kernel_init: nn.initializers.Initializer = nn.initializers.normal(0.02)

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        kernel = self.param("kernel", self.kernel_init, (x.shape[-1], self.features), jnp.float32)
        y = x.reshape(-1, x.shape[-1]).astype(self.dtype) @ kernel.astype(self.dtype)
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros, (self.features,), jnp.float32)
            y = y + bias.astype(self.dtype)[None, :]
        return y.reshape(*x.shape[:-1], self.features)


class MLP(nn.Module):
    """Position-wise feed-forward network, D -> F -> D (Vaswani et al. 2017, eq. 2)."""

    width: int
    activation: str
    use_bias: bool
    dtype: jnp.dtype
    kernel_init: nn.initializers.Initializer
    output_init: nn.initializers.Initializer

    @nn.compact
    def __call__(self, x_BLD: jax.Array) -> jax.Array:
        h_BLF = Linear(self.width, self.use_bias, self.dtype, self.kernel_init, name="up")(x_BLD)
        h_BLF = ACTIVATIONS[self.activation](h_BLF)
        return Linear(x_BLD.shape[-1], self.use_bias, self.dtype, self.output_init, name="down")(h_BLF)

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The small layers every model is made of."""

import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name

from seqjax.models.constrain import constrain, divided

ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "gelu": lambda x: nn.gelu(x, approximate=False),  # Hendrycks & Gimpel 2016, exact
    "gelu_tanh": lambda x: nn.gelu(x, approximate=True),  # ibid., section 2, the tanh approximation
    "relu": nn.relu,
    "silu": nn.silu,
    "tanh": jnp.tanh,
}


PRODUCT = "product"  # the name of what is dear to compute anew: products with weights, and what a kernel reads
# What the backward pass finds stored of a block, by name; the rest it computes anew.
REMAT: dict[str, Callable[..., bool] | None] = {
    "none": jax.checkpoint_policies.everything_saveable,
    "dots": jax.checkpoint_policies.save_only_these_names(PRODUCT),
    "full": None,
}


def rematerialised(block: Any, policy: str, **options: Any) -> Any:
    """Returns a class of modules that stores of its activations what `policy` says; see REMAT and `nn.remat`."""
    return block if policy == "none" else nn.remat(block, policy=REMAT[policy], **options)


_BLOCKS = 4  # of rows, which `_over_rows` transposes one after the other


def contract(spec: str, a: jax.Array, b: jax.Array, dtype: jnp.dtype) -> jax.Array:
    """Returns einsum(spec, a, b) of operands cast to `dtype`, summed in float32 and returned so.

    Its gradients are summed in float32 too, from cotangents cast to `dtype`, and keep the types of a and b: that of a
    float32 kernel is never rounded. JAX's own gradient of a bfloat16 product whose result is float32 multiplies
    float32 by bfloat16, which misses the matrix units of every accelerator.

    Args:
      spec: two operands, every letter in two of the three terms at least, for example "ND,DF->NF".
      a: the first operand.
      b: the second.
      dtype: of the products.
    """
    if dtype == jnp.float32:
        return jnp.einsum(spec, a.astype(dtype), b.astype(dtype))
    return _contract(spec, dtype, a, b)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _contract(spec: str, dtype: jnp.dtype, a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.einsum(spec, a.astype(dtype), b.astype(dtype), preferred_element_type=jnp.float32)


def _contract_forward(spec: str, dtype: jnp.dtype, a: jax.Array, b: jax.Array) -> tuple[jax.Array, Any]:
    return _contract(spec, dtype, a, b), (a, b)


def _contract_backward(spec: str, dtype: jnp.dtype, saved: Any, g: jax.Array) -> tuple[jax.Array, jax.Array]:
    a, b = saved
    operands, result = spec.split("->")
    left, right = operands.split(",")
    grad_a = _contract(f"{result},{right}->{left}", dtype, g, b)
    if a.ndim == b.ndim == 2 and left[0] == result[0]:
        a, g = a.astype(dtype), g.astype(dtype)
        grad_b = _over_rows(a, g) if right[0] == left[1] else _over_rows(g, a)
    else:
        grad_b = _contract(f"{left},{result}->{right}", dtype, a, g)
    return grad_a.astype(saved[0].dtype), grad_b.astype(b.dtype)


def _over_rows(a_NI: jax.Array, b_NJ: jax.Array) -> jax.Array:
    """Returns float32 a.T @ b.

    XLA on CPU has bfloat16 products only for a left operand whose last axis is summed over; others it does in float32,
    at half the speed, and it folds every transposition into the product before it chooses. It does not see through a
    loop. The columns added keep rows from starting at multiples of a power of two, where they share cache lines.
    """

    def plain(a_NI: jax.Array, b_NJ: jax.Array) -> jax.Array:
        return jnp.einsum("NI,NJ->IJ", a_NI, b_NJ, preferred_element_type=jnp.float32)

    def transposed(a_NI: jax.Array, b_NJ: jax.Array) -> jax.Array:
        rows, width = a_NI.shape
        padded = jnp.pad(a_NI, ((0, 0), (0, 32))).reshape(_BLOCKS, rows // _BLOCKS, width + 32)
        a_CIN = jax.lax.map(lambda block: block[:, :width].T, padded)
        b_CNJ = b_NJ.reshape(_BLOCKS, rows // _BLOCKS, -1)
        return jnp.einsum("CIN,CNJ->IJ", a_CIN, b_CNJ, preferred_element_type=jnp.float32)

    if a_NI.shape[0] % _BLOCKS:
        return plain(a_NI, b_NJ)
    return jax.lax.platform_dependent(a_NI, b_NJ, cpu=transposed, default=plain)


_contract.defvjp(_contract_forward, _contract_backward)


class Linear(nn.Module):
    """y = x @ kernel + bias over the last axis; parameters in float32, products in `dtype`, sums in float32.

    The leading axes are flattened to one before the product: XLA on CPU multiplies a [B, L, D] operand several times
    slower than the same numbers as [B * L, D]; on TPU and GPU the two compile to the same program. On a mesh that
    divides the places of a row they stay apart.
    """

    features: int
    use_bias: bool = True
    dtype: jnp.dtype = jnp.float32
    kernel_init: nn.initializers.Initializer = nn.initializers.normal(0.02)

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        kernel = self.param("kernel", self.kernel_init, (x.shape[-1], self.features), jnp.float32)
        leading = "BLS"[: x.ndim - 1] if divided("L") else "N"
        x_ND = x if divided("L") else x.reshape(-1, x.shape[-1])
        y = contract(f"{leading}D,DF->{leading}F", x_ND.astype(self.dtype), kernel, self.dtype)
        if self.use_bias:
            bias_F = self.param("bias", nn.initializers.zeros, (self.features,), jnp.float32)
            y = y + jnp.expand_dims(bias_F, range(y.ndim - 1))
        return checkpoint_name(y.astype(self.dtype).reshape(*x.shape[:-1], self.features), PRODUCT)


class Embed(nn.Embed):
    """`flax.linen.Embed`, whose table is gathered along its width, where a mesh divides that, before it is read."""

    rows: str = ""  # the letter of the table's first axis: "V" for a vocabulary

    def __call__(self, ids: jax.Array) -> jax.Array:
        """Returns the rows of these ids, [..., D] in `dtype`."""
        return jnp.take(constrain(self.embedding.astype(self.dtype), self.rows), ids, axis=0)


class MLP(nn.Module):
    """Position-wise feed-forward network, D -> F -> D (Vaswani et al. 2017, eq. 2).

    With `gated` the hidden layer is act(x W_gate) * (x W_up) (Shazeer 2020, "GLU Variants Improve Transformer", eq. 6).
    """

    width: int
    activation: str
    gated: bool
    dropout: float
    use_bias: bool
    dtype: jnp.dtype
    kernel_init: nn.initializers.Initializer
    output_init: nn.initializers.Initializer

    @nn.compact
    def __call__(self, x_BLD: jax.Array, train: bool) -> jax.Array:
        h_BLF = Linear(self.width, self.use_bias, self.dtype, self.kernel_init, name="up")(x_BLD)
        if self.gated:
            gate_BLF = Linear(self.width, self.use_bias, self.dtype, self.kernel_init, name="gate")(x_BLD)
            h_BLF = ACTIVATIONS[self.activation](gate_BLF) * h_BLF
        else:
            h_BLF = ACTIVATIONS[self.activation](h_BLF)
        h_BLF = nn.Dropout(self.dropout, deterministic=not train)(constrain(h_BLF, "BLF"))
        return Linear(x_BLD.shape[-1], self.use_bias, self.dtype, self.output_init, name="down")(h_BLF)

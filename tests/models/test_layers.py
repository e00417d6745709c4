# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Products in bfloat16: operands rounded, sums not, in both directions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.models.layers import contract

SIZES = {"N": 24, "D": 5, "F": 7, "V": 11, "B": 2, "L": 3, "M": 2, "G": 1, "S": 6, "H": 4}


def rounded(x):
    return np.asarray(jnp.asarray(x, jnp.bfloat16).astype(jnp.float32), np.float64)


@pytest.mark.parametrize("rows", [24, 23])  # the first divides into the blocks that are transposed on a CPU
@pytest.mark.parametrize("spec", ["ND,DF->NF", "ND,VD->NV", "BLMGH,BSMH->BMGLS", "BMGLS,BSMH->BLMGH"])
def test_gradients_in_bfloat16_round_operands_only(rng, spec, rows):
    left, right, result = spec.replace("->", ",").split(",")
    sizes = SIZES | {"N": rows}
    a, b, g = (rng.normal(size=[sizes[letter] for letter in term]).astype(np.float32) for term in (left, right, result))
    out, pull = jax.vjp(jax.jit(lambda a, b: contract(spec, a, b, jnp.bfloat16)), a, b)
    grad_a, grad_b = jax.jit(pull)(g)
    assert {x.dtype for x in (out, grad_a, grad_b)} == {jnp.dtype("float32")}
    a, b, g = rounded(a), rounded(b), rounded(g)
    np.testing.assert_allclose(out, np.einsum(spec, a, b), atol=1e-5)
    np.testing.assert_allclose(grad_a, np.einsum(f"{result},{right}->{left}", g, b), atol=1e-5)
    np.testing.assert_allclose(grad_b, np.einsum(f"{left},{result}->{right}", a, g), atol=1e-5)

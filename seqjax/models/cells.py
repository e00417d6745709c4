# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""One step of each recurrent cell, a pure function of (the input's share, state, weights).

The input's share is W x_t + b for all gates side by side [B, G * D], computed for every place at once before the scan.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp

from seqjax.models.layers import contract


@flax.struct.dataclass
class State:
    """What one layer remembers of each row.

    Attributes:
      h_BD: the hidden state, which is also the output.
      c_BD: the memory of an LSTM; None in other cells.
    """

    h_BD: jax.Array
    c_BD: jax.Array | None = None


Weights = Mapping[str, Any]
"""Of a step: "recurrent" [D, G * D]; "dtype" of its products, float32 by default; "recurrent_bias" [D] (of gru_after's
candidate); "peephole" [3, D] to the gates i, f, o; "recurrent_scale" [G * D], "cell_scale" [D] and "cell_bias" [D] of
layer norms; "mask_BD", a dropout mask (times 1 / keep) through which the recurrent products see the hidden state. Those
that are not there have no part.
"""


def rnn_step(x_BD: jax.Array, state: State, weights: Weights) -> State:
    """Elman 1990: h_t = tanh(W x_t + b + U h_{t-1})."""
    return State(jnp.tanh(x_BD + _recurrent(state.h_BD, weights)))


def rnn_relu_step(x_BD: jax.Array, state: State, weights: Weights) -> State:
    """The same with max(0, .) (Le, Jaitly & Hinton 2015)."""
    return State(jax.nn.relu(x_BD + _recurrent(state.h_BD, weights)))


def lstm_step(x_B4D: jax.Array, state: State, weights: Weights) -> State:
    """Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000; gates i, f, g, o.

    With "peephole" the gates see the memory (Gers & Schmidhuber 2000), the output gate the new one. With "cell_scale"
    the memory is normalised on its way out (Ba et al. 2016, eq. 20-22).
    """
    assert state.c_BD is not None
    i, f, g, o = jnp.split(x_B4D + _recurrent(state.h_BD, weights), 4, axis=-1)
    peephole = weights.get("peephole")
    if peephole is not None:
        i, f = i + peephole[0][None, :] * state.c_BD, f + peephole[1][None, :] * state.c_BD
    c_BD = jax.nn.sigmoid(f) * state.c_BD + jax.nn.sigmoid(i) * jnp.tanh(g)
    if peephole is not None:
        o = o + peephole[2][None, :] * c_BD
    shown_BD = c_BD
    if "cell_scale" in weights:
        shown_BD = normalised(c_BD) * weights["cell_scale"][None, :] + weights["cell_bias"][None, :]
    return State(jax.nn.sigmoid(o) * jnp.tanh(shown_BD), c_BD)


def gru_step(x_B3D: jax.Array, state: State, weights: Weights) -> State:
    """Cho et al. 2014, eq. 5-8: the reset gate acts on the state before the product; gates r, z, n."""
    width = state.h_BD.shape[-1]
    x_B2D, xn_BD = x_B3D[:, : 2 * width], x_B3D[:, 2 * width :]
    r, z = jnp.split(jax.nn.sigmoid(x_B2D + _recurrent(state.h_BD, weights, 0, 2)), 2, axis=-1)
    n = jnp.tanh(xn_BD + _recurrent(r * state.h_BD, weights, 2, 3))
    return State(z * state.h_BD + (1.0 - z) * n)


def gru_after_step(x_B3D: jax.Array, state: State, weights: Weights) -> State:
    """The variant of cuDNN and PyTorch: the reset gate acts on the product, which has a bias of its own."""
    width = state.h_BD.shape[-1]
    x_B2D, xn_BD = x_B3D[:, : 2 * width], x_B3D[:, 2 * width :]
    u_B3D = _recurrent(state.h_BD, weights)
    r, z = jnp.split(jax.nn.sigmoid(x_B2D + u_B3D[:, : 2 * width]), 2, axis=-1)
    n = jnp.tanh(xn_BD + r * (u_B3D[:, 2 * width :] + weights["recurrent_bias"][None, :]))
    return State(z * state.h_BD + (1.0 - z) * n)


@dataclasses.dataclass(frozen=True)
class Cell:
    """A cell: its step and how many blocks of D the input's share has."""

    step: Callable[[jax.Array, State, Weights], State]
    gates: int

    @property
    def remembers(self) -> bool:
        """Whether the state has a memory beside the hidden state."""
        return self.gates == 4

    def initial(self, batch: int, width: int) -> State:
        """Returns the zero state of `batch` rows."""
        zeros_BD = jnp.zeros((batch, width), jnp.float32)
        return State(zeros_BD, zeros_BD if self.remembers else None)


CELLS = {
    "rnn": Cell(rnn_step, 1),
    "rnn_relu": Cell(rnn_relu_step, 1),
    "lstm": Cell(lstm_step, 4),
    "gru": Cell(gru_step, 3),
    "gru_after": Cell(gru_after_step, 3),
}


def normalised(x: jax.Array, epsilon: float = 1e-5) -> jax.Array:
    """Returns x with mean 0 and variance 1 over its last axis (Ba et al. 2016, eq. 4)."""
    centred = x - jnp.mean(x, axis=-1, keepdims=True)
    return centred * jax.lax.rsqrt(jnp.mean(jnp.square(centred), axis=-1, keepdims=True) + epsilon)


def _recurrent(h_BD: jax.Array, weights: Weights, first: int = 0, last: int | None = None) -> jax.Array:
    """Returns U h for the gates first, ..., last - 1, through the dropout mask and the layer norm if there are any."""
    width = h_BD.shape[-1]
    gates = slice(first * width, None if last is None else last * width)
    if "mask_BD" in weights:
        h_BD = h_BD * weights["mask_BD"]
    u = contract("BD,DG->BG", h_BD, weights["recurrent"][:, gates], weights.get("dtype", jnp.float32))
    return normalised(u) * weights["recurrent_scale"][None, gates] if "recurrent_scale" in weights else u

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Recurrent stack with the Transformer's signature: the carry is the LSTM's state instead of a cache."""

import dataclasses

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp

from seqjax.config import require
from seqjax.models.layers import Linear
from seqjax.models.positions import from_segments


@dataclasses.dataclass(frozen=True)
class LSTMConfig:
    """Settings of an LSTM language model. The defaults are the small model of Zaremba et al. 2014, section 4.1."""

    vocab_size: int = 0  # 0: that of the tokenizer
    layers: int = 2
    width: int = 200
    dropout: float = 0.0  # on the connections between layers only (ibid., section 3.2)
    forget_bias: float = 0.0  # added to the forget gate's initial bias; 1 helps long memories (Jozefowicz et al. 2015)
    init_scale: float = 0.1  # weights are uniform in +-init_scale
    tied: bool = False

    def __post_init__(self) -> None:
        require(self, "model", ("layers", "width"), 1)
        require(self, "model", ("vocab_size", "init_scale"), 0)
        require(self, "model", ("dropout",), 0, 1)


@flax.struct.dataclass
class LSTMState:
    """Hidden and cell state of one layer."""

    h_BD: jax.Array
    c_BD: jax.Array


@flax.struct.dataclass
class LSTMCarry:
    """What a recurrent model has read so far."""

    layers: tuple[LSTMState, ...]
    count_B: jax.Array  # real tokens read by each row

    def take(self, rows_B: jax.Array) -> "LSTMCarry":
        """Returns the carry of these rows of the batch, each as often as it is named."""
        return jax.tree.map(lambda leaf: leaf[rows_B], self)


def lstm_step(gates_B4D: jax.Array, state: LSTMState, recurrent_D4D: jax.Array) -> LSTMState:
    """One step of an LSTM (Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000; no peepholes).

    Args:
      gates_B4D: W x_t + b, the input's share of the gates i, f, g, o, side by side.
      state: h and c of the step before.
      recurrent_D4D: U.
    """
    i, f, g, o = jnp.split(gates_B4D + state.h_BD @ recurrent_D4D, 4, axis=-1)
    c_BD = jax.nn.sigmoid(f) * state.c_BD + jax.nn.sigmoid(i) * jnp.tanh(g)
    return LSTMState(jax.nn.sigmoid(o) * jnp.tanh(c_BD), c_BD)


class LSTMLayer(nn.Module):
    """(x, positions, carry) -> (y, carry): resets where a document begins, and padding leaves the state alone."""

    forget_bias: float
    kernel_init: nn.initializers.Initializer

    @nn.compact
    def __call__(
        self, x_BLD: jax.Array, positions_BL: jax.Array, segments_BL: jax.Array, state: LSTMState
    ) -> tuple[jax.Array, LSTMState]:
        width = state.h_BD.shape[-1]
        gates_BL4D = Linear(4 * width, kernel_init=self.kernel_init, name="input")(x_BLD)
        recurrent_D4D = self.param("recurrent", self.kernel_init, (width, 4 * width), jnp.float32)
        forget_4D = jnp.zeros(4 * width).at[width : 2 * width].set(self.forget_bias)
        gates_BL4D = gates_BL4D + forget_4D[None, None, :]

        def step(state: LSTMState, inputs: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[LSTMState, jax.Array]:
            gates_B4D, position_B, segment_B = inputs
            real_B1, first_B1 = (segment_B > 0)[:, None], (position_B == 0)[:, None]
            before = jax.tree.map(lambda leaf: jnp.where(first_B1 & real_B1, 0.0, leaf), state)
            after = lstm_step(gates_B4D, before, recurrent_D4D)
            state = jax.tree.map(lambda new, old: jnp.where(real_B1, new, old), after, state)
            return state, state.h_BD

        inputs = (gates_BL4D.swapaxes(0, 1), positions_BL.T, segments_BL.T)
        state, y_LBD = jax.lax.scan(step, state, inputs)
        return y_LBD.swapaxes(0, 1), state


class LSTM(nn.Module):
    """Embedding and LSTM layers: tokens [B, L] -> hidden states [B, L, D]. Used through `seqjax.models.build`."""

    config: LSTMConfig

    def setup(self) -> None:
        c = self.config
        init = nn.initializers.uniform(2 * c.init_scale)
        symmetric = lambda key, shape, dtype=jnp.float32: init(key, shape, dtype) - c.init_scale  # noqa: E731
        self.tokens = nn.Embed(c.vocab_size, c.width, embedding_init=symmetric)
        self.layer = [LSTMLayer(c.forget_bias, symmetric) for _ in range(c.layers)]
        self.drop = nn.Dropout(c.dropout)

    def __call__(
        self,
        tokens_BL: jax.Array,
        *,
        positions_BL: jax.Array | None = None,
        segments_BL: jax.Array | None = None,
        token_types_BL: jax.Array | None = None,
        carry: LSTMCarry | None = None,
        train: bool = False,
    ) -> tuple[jax.Array, LSTMCarry | None]:
        """Returns hidden states [B, L, D] and the carry; see `seqjax.models.model.Model`."""
        del token_types_BL  # an LSTM reads a pair as one text
        segments_BL = jnp.ones_like(tokens_BL) if segments_BL is None else segments_BL
        before = self.initial_carry(tokens_BL.shape[0], 0) if carry is None else carry
        if positions_BL is None:
            positions_BL = from_segments(segments_BL, before.count_B)
        x_BLD = self.tokens(tokens_BL)
        states = []
        for layer, state in zip(self.layer, before.layers, strict=True):
            x_BLD, state = layer(self.drop(x_BLD, deterministic=not train), positions_BL, segments_BL, state)
            states.append(state)
        x_BLD = self.drop(x_BLD, deterministic=not train)
        count_B = before.count_B + jnp.sum(segments_BL > 0, axis=1, dtype=jnp.int32)
        return x_BLD, None if carry is None else LSTMCarry(tuple(states), count_B)

    def table(self) -> jax.Array:
        """Returns the token embedding [V, D], for a tied output layer."""
        return self.tokens.embedding

    @nn.nowrap
    def initial_carry(self, batch: int, length: int) -> LSTMCarry:
        """Returns the zero state for `batch` rows; `length` is not needed, an LSTM reads any number of tokens."""
        del length
        zeros = jnp.zeros((batch, self.config.width), jnp.float32)
        states = tuple(LSTMState(zeros, zeros) for _ in range(self.config.layers))
        return LSTMCarry(states, jnp.zeros((batch,), jnp.int32))

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Recurrent stack with the Transformer's signature: the carry is the layers' states instead of a cache."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp

from seqjax.config import require, require_choice
from seqjax.errors import UserError
from seqjax.models.cells import CELLS, State, Weights, normalised
from seqjax.models.constrain import constrain
from seqjax.models.layers import Embed, Linear
from seqjax.models.positions import from_segments
from seqjax.models.transformer_config import DTYPES


@dataclasses.dataclass(frozen=True)
class RNNConfig:
    """Settings of a recurrent stack. The defaults are the small LSTM of Zaremba et al. 2014, section 4.1."""

    vocab_size: int = 0  # 0: that of the tokenizer
    cell: str = "lstm"  # "lstm", "gru" (reset before the product), "gru_after" (after it), "rnn" or "rnn_relu"
    layers: int = 2
    width: int = 200  # of a state
    embed_width: int = 0  # of the token embeddings; 0: width
    bidirectional: bool = False  # each layer reads both ways and hands on both states side by side
    dropout: float = 0.0  # on what goes into and out of layers (Zaremba et al. 2014, section 3.2)
    recurrent_dropout: float = 0.0  # on what a state tells the next, one mask for all places (Gal & Ghahramani 2016)
    variational: bool = False  # one mask for all places there too
    layer_norm: bool = False  # of both shares of the gates, and of an LSTM's memory (Ba et al. 2016)
    peephole: bool = False  # an LSTM's gates see its memory (Gers & Schmidhuber 2000)
    forget_bias: float = 0.0  # added to the forget gate's initial bias; 1 helps long memories (Jozefowicz et al. 2015)
    init_scale: float = 0.1  # weights are uniform in +-init_scale
    orthogonal: bool = False  # each recurrent block begins orthogonal (Saxe et al. 2014)
    tied: bool = False
    dtype: str = "float32"  # of products; parameters, gates, states and loss stay float32

    def __post_init__(self) -> None:
        require_choice(self, "model", {"cell": CELLS, "dtype": DTYPES})
        require(self, "model", ("layers", "width"), 1)
        require(self, "model", ("vocab_size", "init_scale", "embed_width"), 0)
        require(self, "model", ("dropout", "recurrent_dropout"), 0, 1)
        if self.cell != "lstm" and (self.peephole or self.forget_bias):
            raise UserError(f"model.peephole and model.forget_bias are of an lstm, not of model.cell={self.cell}")
        if self.tied and self.output_width != (self.embed_width or self.width):
            raise UserError("model.tied=true needs embeddings as wide as what the last layer hands on")

    @property
    def causal(self) -> bool:
        """Whether each place depends on those before it alone."""
        return not self.bidirectional

    @property
    def output_width(self) -> int:
        """Width of what a layer hands on."""
        return self.width * (2 if self.bidirectional else 1)

    @property
    def weights(self) -> int:
        """Entries of the matrices that a token passes in the layers, biases and embeddings not counted."""
        inputs = (self.embed_width or self.width) + (self.layers - 1) * self.output_width
        return CELLS[self.cell].gates * self.output_width * (inputs + self.layers * self.width)


@flax.struct.dataclass
class RNNCarry:
    """What a recurrent model has read so far."""

    layers: tuple[State, ...]
    count_B: jax.Array  # real tokens read by each row

    def take(self, rows_B: jax.Array) -> "RNNCarry":
        """Returns the carry of these rows of the batch, each as often as it is named."""
        return jax.tree.map(lambda leaf: leaf[rows_B], self)


class Direction(nn.Module):
    """A cell run over the places of each row, forwards or backwards: (x, first, real, state) -> (y, state)."""

    config: RNNConfig
    backwards: bool = False

    @nn.compact
    def __call__(
        self, x_BLD: jax.Array, first_BL: jax.Array, real_BL: jax.Array, state: State, train: bool
    ) -> tuple[jax.Array, State]:
        """Runs it.

        Args:
          x_BLD: what the layer below hands on.
          first_BL: where the state is forgotten, before the place is read.
          real_BL: False at padding, which leaves the state alone.
          state: where to begin.
          train: dropout on.
        """
        c, cell = self.config, CELLS[self.config.cell]
        gates = Linear(cell.gates * c.width, dtype=DTYPES[c.dtype], kernel_init=uniform(c.init_scale), name="input")
        gates_BLG = gates(x_BLD).astype(jnp.float32)
        if c.layer_norm:
            gates_BLG = normalised(gates_BLG) * self._ones("input_scale", cell.gates * c.width)[None, None, :]
        if c.forget_bias:
            forget_G = jnp.zeros(cell.gates * c.width).at[c.width : 2 * c.width].set(c.forget_bias)
            gates_BLG = gates_BLG + forget_G[None, None, :]
        weights = self._weights(x_BLD.shape[0], train)
        gates_BLG = constrain(gates_BLG, "B")

        def step(state: State, inputs: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[State, jax.Array]:
            gates_BG, first_B, real_B = inputs
            before = jax.tree.map(lambda leaf: jnp.where((first_B & real_B)[:, None], 0.0, leaf), state)
            after = cell.step(gates_BG, before, weights)
            state = jax.tree.map(lambda new, old: jnp.where(real_B[:, None], new, old), after, state)
            return state, state.h_BD

        inputs = (gates_BLG.swapaxes(0, 1), first_BL.T, real_BL.T)
        state, y_LBD = jax.lax.scan(step, state, inputs, reverse=self.backwards)
        return y_LBD.swapaxes(0, 1), state

    def _weights(self, batch: int, train: bool) -> Weights:
        c, cell = self.config, CELLS[self.config.cell]
        init = _orthogonal_blocks if c.orthogonal else uniform(c.init_scale)
        recurrent = self.param("recurrent", init, (c.width, cell.gates * c.width), jnp.float32)
        weights: dict[str, Any] = {"dtype": DTYPES[c.dtype]}
        weights["recurrent"] = constrain(recurrent, "")  # gathered once, not at each place
        if c.cell == "gru_after":
            weights["recurrent_bias"] = self.param("recurrent_bias", nn.initializers.zeros, (c.width,), jnp.float32)
        if c.peephole:
            weights["peephole"] = self.param("peephole", uniform(c.init_scale), (3, c.width), jnp.float32)
        if c.layer_norm:
            weights["recurrent_scale"] = self._ones("recurrent_scale", cell.gates * c.width)
        if c.layer_norm and cell.remembers:
            weights["cell_scale"] = self._ones("cell_scale", c.width)
            weights["cell_bias"] = self.param("cell_bias", nn.initializers.zeros, (c.width,), jnp.float32)
        if train and c.recurrent_dropout:
            keep = 1.0 - c.recurrent_dropout
            weights["mask_BD"] = jax.random.bernoulli(self.make_rng("dropout"), keep, (batch, c.width)) / keep
        return weights

    def _ones(self, name: str, width: int) -> jax.Array:
        return self.param(name, nn.initializers.ones, (width,), jnp.float32)


class RNNLayer(nn.Module):
    """One layer, which reads one way or both."""

    config: RNNConfig

    def setup(self) -> None:
        self.forward = Direction(self.config)
        if self.config.bidirectional:
            self.backward = Direction(self.config, backwards=True)

    def __call__(
        self, x_BLD: jax.Array, positions_BL: jax.Array, segments_BL: jax.Array, state: State, train: bool
    ) -> tuple[jax.Array, State]:
        """Returns what the layer hands on, [B, L, D] or [B, L, 2 D], and the state of its forward direction."""
        real_BL = segments_BL > 0
        y_BLD, state = self.forward(x_BLD, positions_BL == 0, real_BL, state, train)
        if not self.config.bidirectional:
            return y_BLD, state
        last_BL = segments_BL != jnp.pad(segments_BL[:, 1:], [(0, 0), (0, 1)])
        fresh = CELLS[self.config.cell].initial(x_BLD.shape[0], self.config.width)
        z_BLD, _ = self.backward(x_BLD, last_BL, real_BL, fresh, train)
        return jnp.concatenate([y_BLD, z_BLD], axis=-1), state


def through(
    layers: Sequence[RNNLayer],
    drop: nn.Dropout,
    x_BLD: jax.Array,
    positions_BL: jax.Array,
    segments_BL: jax.Array,
    states: Sequence[State],
    train: bool,
) -> tuple[jax.Array, tuple[State, ...]]:
    """Returns what the last of some layers hands on, and each one's state; `drop` comes before each."""
    after = []
    for layer, state in zip(layers, states, strict=True):
        x_BLD, state = layer(drop(x_BLD, deterministic=not train), positions_BL, segments_BL, state, train)
        after.append(state)
    return x_BLD, tuple(after)


class RNN(nn.Module):
    """Embedding and recurrent layers: tokens [B, L] -> hidden states [B, L, D]. Used through `seqjax.models.build`.

    A layer's states begin at zero where a document does, and padding, wherever it stands, changes nothing.
    """

    config: RNNConfig

    def setup(self) -> None:
        c = self.config
        self.tokens = Embed(c.vocab_size, c.embed_width or c.width, embedding_init=uniform(c.init_scale), rows="V")
        self.layer = [RNNLayer(c) for _ in range(c.layers)]
        self.drop = nn.Dropout(c.dropout, broadcast_dims=(1,) if c.variational else ())

    def __call__(
        self,
        tokens_BL: jax.Array,
        *,
        positions_BL: jax.Array | None = None,
        segments_BL: jax.Array | None = None,
        token_types_BL: jax.Array | None = None,
        carry: RNNCarry | None = None,
        train: bool = False,
    ) -> tuple[jax.Array, RNNCarry | None]:
        """Returns hidden states [B, L, D] and the carry; see `seqjax.models.model.Model`."""
        del token_types_BL  # a recurrent model reads a pair as one text
        if carry is not None and self.config.bidirectional:
            raise UserError("a bidirectional model reads its whole row at once; it has no state to go on from")
        segments_BL = jnp.ones_like(tokens_BL) if segments_BL is None else segments_BL
        before = self.initial_carry(tokens_BL.shape[0], 0) if carry is None else carry
        if positions_BL is None:
            positions_BL = from_segments(segments_BL, before.count_B)
        x_BLD = constrain(self.tokens(tokens_BL), "B")
        x_BLD, states = through(self.layer, self.drop, x_BLD, positions_BL, segments_BL, before.layers, train)
        x_BLD = constrain(self.drop(x_BLD, deterministic=not train), "B")
        count_B = before.count_B + jnp.sum(segments_BL > 0, axis=1, dtype=jnp.int32)
        return x_BLD, None if carry is None else RNNCarry(states, count_B)

    def table(self) -> jax.Array:
        """Returns the token embedding [V, D], for a tied output layer."""
        return self.tokens.embedding

    @nn.nowrap
    def initial_carry(self, batch: int, length: int) -> RNNCarry:
        """Returns the zero states for `batch` rows; `length` is not needed, a state takes any number of tokens."""
        del length
        state = CELLS[self.config.cell].initial(batch, self.config.width)
        return RNNCarry((state,) * self.config.layers, jnp.zeros((batch,), jnp.int32))


def uniform(scale: float) -> nn.initializers.Initializer:
    """Uniform in +-scale."""
    draw = nn.initializers.uniform(2 * scale)
    return lambda key, shape, dtype=jnp.float32: draw(key, shape, dtype) - scale


def _orthogonal_blocks(key: jax.Array, shape: tuple[int, int], dtype: jnp.dtype = jnp.float32) -> jax.Array:
    """[D, G * D] as G orthogonal matrices."""
    keys = jax.random.split(key, shape[1] // shape[0])
    draw = nn.initializers.orthogonal()
    return jnp.concatenate([draw(key, (shape[0], shape[0]), dtype) for key in keys], axis=1)

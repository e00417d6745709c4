# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Recurrent encoder-decoders, with one context vector or with attention, behind the Transformer's signature."""

import dataclasses
import functools
from typing import Any

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp

from seqjax.config import require, require_choice
from seqjax.errors import UserError
from seqjax.models.attention import show
from seqjax.models.cells import CELLS, State
from seqjax.models.constrain import constrain
from seqjax.models.layers import Embed, Linear
from seqjax.models.positions import from_segments
from seqjax.models.rnn import Direction, RNNConfig, RNNLayer, through, uniform
from seqjax.models.transformer_config import DTYPES

ATTENTIONS = ("none", "additive", "dot", "general", "concat")


@dataclasses.dataclass(frozen=True)
class Seq2SeqConfig:
    """Settings of a recurrent encoder-decoder; the defaults are a small one of Bahdanau et al. 2015."""

    vocab_size: int = 0  # 0: that of the tokenizer
    source_vocab_size: int = 0  # of the encoder's own token embeddings; 0: that of data.source_tokenizer, else none
    cell: str = "gru"  # see RNNConfig
    layers: int = 1  # of the encoder
    decoder_layers: int = 1
    width: int = 256  # of a state
    embed_width: int = 0  # 0: width
    bidirectional: bool = True  # the encoder reads both ways
    attention: str = "additive"  # "additive" (Bahdanau), "dot", "general", "concat" (Luong), or "none": only a state
    window: float = 0.0  # Luong's local-p: half the width of the window around the predicted place (0: global)
    input_feeding: bool = False  # what attention made of a place is read at the next (Luong et al. 2015, section 3.3)
    dropout: float = 0.0
    forget_bias: float = 0.0  # see RNNConfig
    init_scale: float = 0.2  # at 0.08 attention over captions learns nothing for 300 updates and more
    orthogonal: bool = True  # see RNNConfig; Bahdanau et al. 2015, appendix B.1
    tied: bool = False  # the output layer is the token embedding
    dtype: str = "float32"  # of the recurrent layers' products, see RNNConfig

    def __post_init__(self) -> None:
        require_choice(self, "model", {"cell": CELLS, "attention": ATTENTIONS, "dtype": DTYPES})
        require(self, "model", ("layers", "decoder_layers", "width"), 1)
        require(self, "model", ("vocab_size", "source_vocab_size", "embed_width", "init_scale", "window"), 0)
        require(self, "model", ("dropout",), 0, 1)
        if self.attention in ("none", "additive") and (self.window or self.input_feeding):
            raise UserError(
                f"model.window and model.input_feeding are of Luong's attention, not of {self.attention} attention"
            )
        if self.tied and self.embed_width not in (0, self.width):
            raise UserError("model.tied=true needs model.embed_width as wide as model.width")

    @property
    def causal(self) -> bool:
        """The decoder reads one way."""
        return True

    @property
    def encoder(self) -> RNNConfig:
        """The settings of the encoder's layers."""
        return RNNConfig(
            cell=self.cell, layers=self.layers, width=self.width, embed_width=self.embed_width,
            bidirectional=self.bidirectional, dropout=self.dropout, forget_bias=self.forget_bias,
            init_scale=self.init_scale, orthogonal=self.orthogonal, dtype=self.dtype,
        )  # fmt: skip

    @property
    def decoder(self) -> RNNConfig:
        """The settings of the decoder's layers."""
        return dataclasses.replace(self.encoder, layers=self.decoder_layers, bidirectional=False)


@flax.struct.dataclass
class Memory:
    """What a decoder sees of a source.

    Attributes:
      keys_BSD: what is compared with a state.
      values_BSD: what is read.
      real_BS: False at padding.
    """

    keys_BSD: jax.Array
    values_BSD: jax.Array
    real_BS: jax.Array


@flax.struct.dataclass
class Seq2SeqCarry:
    """What a decoder has read so far, and of which source."""

    layers: tuple[State, ...]
    feed_BD: jax.Array  # the decoder's last output
    memory: Memory

    def take(self, rows_B: jax.Array) -> "Seq2SeqCarry":
        """Returns the carry of these rows of the batch, each as often as it is named."""
        return jax.tree.map(lambda leaf: leaf[rows_B], self)


class Attention(nn.Module):
    """Weights over a source, given a state: (query [B, D], memory) -> (context [B, D], weights [B, S])."""

    config: Seq2SeqConfig

    def setup(self) -> None:
        c = self.config
        init = uniform(c.init_scale)
        if c.attention in ("additive", "concat"):
            self.query = Linear(c.width, kernel_init=init)
            self.score = Linear(1, use_bias=False, kernel_init=init)
        if c.attention != "dot":
            self.key = Linear(c.width, use_bias=False, kernel_init=init)
        if c.window:
            self.place = Linear(c.width, use_bias=False, kernel_init=init)
            self.place_score = Linear(1, use_bias=False, kernel_init=init)

    def remember(self, values_BSD: jax.Array, real_BS: jax.Array) -> Memory:
        """Returns the memory of a source, with the part of the scores that no state changes."""
        keys_BSD = values_BSD if self.config.attention == "dot" else self.key(values_BSD)
        return Memory(keys_BSD, values_BSD, real_BS)

    def __call__(self, query_BD: jax.Array, memory: Memory) -> tuple[jax.Array, jax.Array]:
        """Bahdanau et al. 2015, appendix A.1.2 (additive); Luong et al. 2015, eq. 8 (dot, general, concat)."""
        c = self.config
        if c.attention in ("additive", "concat"):
            scores_BS = self.score(jnp.tanh(self.query(query_BD)[:, None, :] + memory.keys_BSD))[:, :, 0]
        else:
            scores_BS = jnp.einsum("BD,BSD->BS", query_BD, memory.keys_BSD)
        visible_BS = memory.real_BS
        if c.window:
            away_BS = self._away(query_BD, memory)
            visible_BS = visible_BS & (jnp.abs(away_BS) <= c.window)
        weights_BS = jax.nn.softmax(jnp.where(visible_BS, scores_BS, -1e30), axis=-1)
        if c.window:  # eq. 10, with a standard deviation of half the window
            weights_BS = weights_BS * jnp.exp(-2.0 * jnp.square(away_BS / c.window))
        weights_BS = jnp.where(visible_BS, weights_BS, 0.0)
        return jnp.einsum("BS,BSD->BD", weights_BS, memory.values_BSD), weights_BS

    def _away(self, query_BD: jax.Array, memory: Memory) -> jax.Array:
        """Returns how far each place of the source is from the predicted one (Luong et al. 2015, eq. 9)."""
        length_B1 = jnp.sum(memory.real_BS, axis=1, keepdims=True).astype(jnp.float32)
        centre_B1 = (length_B1 - 1.0) * jax.nn.sigmoid(self.place_score(jnp.tanh(self.place(query_BD))))
        return jnp.arange(memory.real_BS.shape[1], dtype=jnp.float32)[None, :] - centre_B1


class DecoderStep(nn.Module):
    """One place of the target: ((states, last output), (embedding, real), memory) -> (..., (output, weights))."""

    config: Seq2SeqConfig

    def setup(self) -> None:
        c = self.config
        self.layer = [Direction(c.decoder) for _ in range(c.decoder_layers)]
        if c.attention != "none":
            self.attention = Attention(c)
            self.combine = Linear(c.width, kernel_init=uniform(c.init_scale))
        self.drop = nn.Dropout(c.dropout)

    def remember(self, values_BSD: jax.Array, real_BS: jax.Array) -> Memory:
        """Returns the memory of a source."""
        if self.config.attention == "none":
            return Memory(values_BSD, values_BSD, real_BS)
        return self.attention.remember(values_BSD, real_BS)

    def __call__(
        self,
        carry: tuple[tuple[State, ...], jax.Array],
        inputs: tuple[jax.Array, jax.Array],
        memory: Memory,
        train: bool,
    ) -> tuple[tuple[tuple[State, ...], jax.Array], tuple[jax.Array, jax.Array]]:
        """Bahdanau: attention from the state before, then the step; Luong: the step, then attention from its state."""
        c, (before, feed_BD), (x_BE, real_B) = self.config, carry, inputs
        dropped = functools.partial(self.drop, deterministic=not train)
        weights_BS = jnp.zeros(memory.real_BS.shape, jnp.float32)
        y_BX = x_BE
        if c.attention == "additive":
            context_BD, weights_BS = self.attention(before[-1].h_BD, memory)
            y_BX = jnp.concatenate([x_BE, context_BD], axis=-1)
        if c.input_feeding:
            y_BX = jnp.concatenate([x_BE, feed_BD], axis=-1)
        states = []
        for layer, state in zip(self.layer, before, strict=True):
            never_B1 = jnp.zeros_like(real_B)[:, None]
            y_B1X, state = layer(dropped(y_BX)[:, None, :], never_B1, real_B[:, None], state, train)
            y_BX = y_B1X[:, 0]
            states.append(state)
        if c.attention == "additive":
            y_BX = jnp.tanh(self.combine(jnp.concatenate([y_BX, context_BD, x_BE], axis=-1)))
        elif c.attention != "none":
            context_BD, weights_BS = self.attention(y_BX, memory)
            y_BX = jnp.tanh(self.combine(jnp.concatenate([context_BD, y_BX], axis=-1)))
        feed_BD = jnp.where(real_B[:, None], y_BX, feed_BD)
        return (tuple(states), feed_BD), (dropped(y_BX), weights_BS)


class Seq2Seq(nn.Module):
    """Embedding, encoder and decoder: tokens [B, L] -> states [B, L, D]. Used through `seqjax.models.build`.

    `seqjax.attention_maps` gives the weights of its attention, as of one head.
    """

    config: Seq2SeqConfig

    def setup(self) -> None:
        c = self.config
        init = uniform(c.init_scale)
        self.tokens = Embed(c.vocab_size, c.embed_width or c.width, embedding_init=init, rows="V")
        if c.source_vocab_size:
            self.source_tokens = Embed(c.source_vocab_size, c.embed_width or c.width, embedding_init=init, rows="V")
        self.encoder = [RNNLayer(c.encoder) for _ in range(c.layers)]
        self.memory = Linear(c.width, kernel_init=init)
        remembered = 2 if CELLS[c.cell].remembers else 1
        self.bridge = Linear(c.decoder_layers * remembered * c.width, kernel_init=init)
        self.drop = nn.Dropout(c.dropout)
        self.decoder = DecoderStep(c)

    def encode(self, source_BS: jax.Array, segments_BS: jax.Array, train: bool) -> tuple[jax.Array, jax.Array]:
        """Returns the encoder's states [B, S, D'] and what it ended with [B, D'], both ways where it reads both."""
        c = self.config
        x_BSD = constrain((self.source_tokens if c.source_vocab_size else self.tokens)(source_BS), "B")
        positions_BS, batch = from_segments(segments_BS), source_BS.shape[0]
        fresh = (CELLS[c.cell].initial(batch, c.width),) * c.layers
        x_BSD, _ = through(self.encoder, self.drop, x_BSD, positions_BS, segments_BS, fresh, train)
        first_B = jnp.argmax(segments_BS > 0, axis=1)
        last_B = segments_BS.shape[1] - 1 - jnp.argmax(segments_BS[:, ::-1] > 0, axis=1)
        ends_BD = jnp.take_along_axis(x_BSD, last_B[:, None, None], axis=1)[:, 0, : c.width]
        if c.bidirectional:
            begins_BD = jnp.take_along_axis(x_BSD, first_B[:, None, None], axis=1)[:, 0, c.width :]
            ends_BD = jnp.concatenate([ends_BD, begins_BD], axis=-1)
        return x_BSD, ends_BD

    def start(
        self, source_BS: jax.Array, source_segments_BS: jax.Array, length: int, train: bool = False
    ) -> Seq2SeqCarry:
        """Returns the carry of a decoder that has read its sources and no token; it takes any number of them."""
        del length
        c, batch = self.config, source_BS.shape[0]
        states_BSD, ends_BD = self.encode(source_BS, source_segments_BS, train)
        values_BSD = self.memory(self.drop(states_BSD, deterministic=not train))
        begin = jnp.split(jnp.tanh(self.bridge(ends_BD)), c.decoder_layers, axis=-1)
        states = tuple(State(*jnp.split(each, each.shape[-1] // c.width, axis=-1)) for each in begin)
        feed_BD = jnp.zeros((batch, c.width), jnp.float32)
        memory = self.decoder.remember(values_BSD, source_segments_BS > 0)
        return Seq2SeqCarry(states, feed_BD, memory)

    def __call__(
        self,
        tokens_BL: jax.Array,
        *,
        positions_BL: jax.Array | None = None,
        segments_BL: jax.Array | None = None,
        token_types_BL: jax.Array | None = None,
        source_BS: jax.Array | None = None,
        source_positions_BS: jax.Array | None = None,
        source_segments_BS: jax.Array | None = None,
        carry: Seq2SeqCarry | None = None,
        train: bool = False,
    ) -> tuple[jax.Array, Seq2SeqCarry | None]:
        """Returns states [B, L, D] and the carry; see `seqjax.models.model.Model`. A row holds one pair of texts."""
        del positions_BL, token_types_BL, source_positions_BS  # order is all that a recurrent model knows of places
        before = carry
        if before is None:
            if source_BS is None:
                raise UserError("this model needs a source: give source_BS, or the carry that `start` returns")
            real_BS = jnp.ones_like(source_BS) if source_segments_BS is None else source_segments_BS
            before = self.start(source_BS, real_BS, 0, train)
        memory, real_BL = before.memory, jnp.ones_like(tokens_BL) if segments_BL is None else segments_BL

        def step(decoder: DecoderStep, carry: Any, inputs: Any) -> Any:
            return decoder(carry, inputs, memory, train)

        rngs: dict[Any, bool] = {"params": False, "dropout": True}
        scan = nn.scan(step, variable_broadcast="params", split_rngs=rngs, in_axes=1, out_axes=1)
        inputs = (constrain(self.tokens(tokens_BL), "B"), real_BL > 0)
        (states, feed_BD), (y_BLD, weights_BLS) = scan(self.decoder, (before.layers, before.feed_BD), inputs)
        if self.config.attention != "none":
            show(self, lambda: weights_BLS[:, None])
        return constrain(y_BLD, "B"), None if carry is None else Seq2SeqCarry(states, feed_BD, memory)

    def table(self) -> jax.Array:
        """Returns the token embedding [V, E], for a tied output layer."""
        return self.tokens.embedding

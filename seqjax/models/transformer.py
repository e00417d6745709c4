# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The Transformer stack: one set of blocks of which the 2017 Transformer, BERT, GPT-2, T5 and Llama are settings."""

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from seqjax.errors import UserError
from seqjax.models.attention import MAPS, Attention, CrossAttention
from seqjax.models.cache import KVCache, TransformerCarry, empty_cache
from seqjax.models.constrain import constrain
from seqjax.models.layers import MLP, Embed, Linear, rematerialised
from seqjax.models.masks import Mask
from seqjax.models.positions import RelativeBias, from_segments, sinusoids
from seqjax.models.transformer_config import DTYPES, TransformerConfig


class Block(nn.Module):
    """Attention, for a decoder also to its source, and feed-forward; normalised before (GPT-2) or after (BERT) each."""

    config: TransformerConfig
    crossed: bool

    @nn.compact
    def __call__(
        self,
        x_BLD: jax.Array,
        cache: KVCache | None,
        source_cache: KVCache | None,
        positions_BL: jax.Array,
        slot: jax.Array | int,
        bias: jax.Array | None,
        mask: Mask,
        source_BSD: jax.Array | None,
        source_mask: Mask | None,
        train: bool,
    ) -> tuple[jax.Array, tuple[KVCache | None, KVCache | None]]:
        c, caching = self.config, cache is not None
        init = nn.initializers.normal(c.init_std)
        residual_std = c.init_std / (2 * c.layers) ** 0.5 if c.scale_residual_init else c.init_std
        shared: dict[str, Any] = {
            "use_bias": c.use_bias,
            "dtype": DTYPES[c.dtype],
            "kernel_init": init,
            "output_init": nn.initializers.normal(residual_std),
        }
        heads: dict[str, Any] = {
            "heads": c.heads,
            "kv_heads": c.key_heads,
            "head_width": c.each_head,
            "scale": None if c.scale_scores else 1.0,
            "dropout": c.dropout,
            "kernel": "auto" if caching else c.attention_kernel,
        }
        drop = nn.Dropout(c.dropout, deterministic=not train)

        def residual(x_BLD: jax.Array, name: str, layer: Any) -> tuple[jax.Array, Any]:
            """Adds layer(x), with a norm before or after; `layer` also returns something to keep."""
            norm = _norm(c, f"{name}_norm")
            y_BLD, kept = layer(norm(x_BLD) if c.norm == "pre" else x_BLD)
            x_BLD = x_BLD + drop(y_BLD)
            return (x_BLD if c.norm == "pre" else norm(x_BLD)), kept

        x_BLD = constrain(x_BLD, "BLD")
        rotary_base = c.rotary_base if c.positions == "rotary" else None
        attention = Attention(**heads, rotary_base=rotary_base, **shared, name="attention")
        x_BLD, cache = residual(
            x_BLD, "attention", lambda x: attention(x, positions_BL, cache, slot, bias, mask, train)
        )
        if self.crossed:
            cross = CrossAttention(**heads, **shared, name="cross_attention")
            x_BLD, source_cache = residual(
                x_BLD, "cross_attention", lambda x: cross(x, source_BSD, source_cache, source_mask, train)
            )
        mlp_dropout = c.dropout if c.inner_dropout else 0.0
        mlp = MLP(c.mlp_width, c.activation, c.gated, mlp_dropout, **shared, name="mlp")
        x_BLD, _ = residual(x_BLD, "mlp", lambda x: (mlp(x, train), None))
        return constrain(x_BLD, "BLD"), (cache, source_cache if caching else None)


def _norm(config: TransformerConfig, name: str | None = None) -> nn.Module:
    dtype = DTYPES[config.dtype]
    if config.norm_type == "rms":
        return nn.RMSNorm(epsilon=config.norm_epsilon, dtype=dtype, name=name)
    return nn.LayerNorm(epsilon=config.norm_epsilon, use_bias=config.use_bias, dtype=dtype, name=name)


class Stack(nn.Module):
    """The layers and what they share: embedded tokens [B, L, D] -> hidden states [B, L, D]."""

    config: TransformerConfig
    depth: int
    causal: bool
    crossed: bool = False  # a decoder that attends to a source

    def setup(self) -> None:
        c = self.config
        block = rematerialised(Block, c.remat, prevent_cse=not c.scan, static_argnums=(10,))
        if c.scan:
            every = nn.broadcast
            self.layers = nn.scan(
                block,
                variable_axes={"params": 0, MAPS: 0},
                split_rngs={"params": True, "dropout": True},
                in_axes=(0, 0, every, every, every, every, every, every, every),
                length=self.depth,
            )(c, self.crossed)
        else:
            self.layer = [block(c, self.crossed) for _ in range(self.depth)]
        if c.positions == "relative":
            init = nn.initializers.normal(c.init_std)
            both_ways = not self.causal
            self.relative_bias = RelativeBias(c.heads, c.relative_buckets, c.relative_longest, both_ways, init)
        if c.norm == "pre":
            self.final_norm = _norm(c)
        self.final_drop = nn.Dropout(c.dropout if c.inner_dropout else 0.0)

    def __call__(
        self,
        x_BLD: jax.Array,
        positions_BL: jax.Array,
        segments_BL: jax.Array,
        carry: TransformerCarry | None,
        source_BSD: jax.Array | None,
        source_segments_BS: jax.Array | None,
        train: bool,
        prefix_BL: jax.Array | None = None,
    ) -> tuple[jax.Array, TransformerCarry | None]:
        c = self.config
        length = x_BLD.shape[1]
        slot: jax.Array | int = 0
        segments_BS = segments_BL
        if carry is not None:
            slot = carry.slot
            segments_BS = jax.lax.dynamic_update_slice_in_dim(carry.segments_BS, segments_BL, slot, axis=1)
            source_segments_BS = carry.source_segments_BS
        prefix_BS = prefix_BL
        if prefix_BL is not None and carry is not None:
            nothing_BS = jnp.zeros_like(segments_BS)
            prefix_BS = jax.lax.dynamic_update_slice_in_dim(nothing_BS, prefix_BL, slot, axis=1)
        mask = Mask(segments_BL, segments_BS, self.causal, None if carry is None else slot, prefix_BS)
        source_mask = None if source_segments_BS is None else Mask(segments_BL, source_segments_BS)
        bias = self.relative_bias(length, segments_BS.shape[1], slot) if c.positions == "relative" else None

        own: Any = None if carry is None else carry.layers
        sources: Any = None if carry is None else carry.sources
        every = (positions_BL, slot, bias, mask, source_BSD, source_mask, train)
        if c.scan:
            x_BLD, (own, sources) = self.layers(x_BLD, own, sources, *every)
        else:
            kept = []
            for i, layer in enumerate(self.layer):
                x_BLD, pair = layer(x_BLD, own and own[i], sources and sources[i], *every)
                kept.append(pair)
            own, sources = zip(*kept, strict=True)
        if c.norm == "pre":
            x_BLD = self.final_norm(x_BLD)
        x_BLD = self.final_drop(x_BLD, deterministic=not train)
        if carry is None:
            return x_BLD, None
        sources = sources if self.crossed else None
        return x_BLD, TransformerCarry(own, segments_BS, carry.slot + length, sources, source_segments_BS)

    @nn.nowrap
    def initial_carry(self, batch: int, length: int, source_segments_BS: jax.Array | None = None) -> TransformerCarry:
        """Returns an empty carry for `batch` rows that will read up to `length` tokens."""
        c = self.config
        caches = [empty_cache(batch, length, c.key_heads, c.each_head, DTYPES[c.dtype]) for _ in range(self.depth)]
        own = jax.tree.map(lambda *leaves: jnp.stack(leaves), *caches) if c.scan else tuple(caches)
        segments_BS, slot = jnp.zeros((batch, length), jnp.int32), jnp.zeros((), jnp.int32)
        return TransformerCarry(own, segments_BS, slot, None, source_segments_BS)


class Embedding(nn.Module):
    """Tokens, with absolute positions and token types where the settings have them, -> [B, L, D]."""

    config: TransformerConfig

    def setup(self) -> None:
        c = self.config
        settings: dict[str, Any] = {
            "features": c.embed_width or c.width,
            "dtype": DTYPES[c.dtype],
            "embedding_init": nn.initializers.normal(c.init_std),
        }
        self.tokens = Embed(c.vocab_size, **settings, rows="V")
        if c.source_vocab_size:
            self.source_tokens = Embed(c.source_vocab_size, **settings, rows="V")
        if c.positions == "learned":
            self.position = Embed(c.max_length + c.position_offset, **settings)
        if c.token_types:
            self.token_type = Embed(c.token_types, **settings)
        if c.embed_norm:
            self.embed_norm = _norm(c)
        self.drop = nn.Dropout(c.dropout)
        if c.embed_width:
            self.embed_projection = Linear(c.width, True, DTYPES[c.dtype], nn.initializers.normal(c.init_std))

    def __call__(
        self,
        tokens_BL: jax.Array,
        positions_BL: jax.Array,
        token_types_BL: jax.Array | None,
        train: bool,
        source: bool = False,
    ) -> jax.Array:
        c = self.config
        table = self.source_tokens if source and c.source_vocab_size else self.tokens
        x_BLD = constrain(table(tokens_BL), "BLD")
        if c.scale_embedding:
            x_BLD = x_BLD * math.sqrt(c.width)
        if c.positions == "learned":
            x_BLD = x_BLD + self.position(positions_BL + c.position_offset)
        if c.positions == "sinusoidal":
            x_BLD = x_BLD + sinusoids(positions_BL, x_BLD.shape[-1]).astype(x_BLD.dtype)
        if c.token_types:
            types_BL = jnp.zeros_like(tokens_BL) if token_types_BL is None else token_types_BL
            x_BLD = x_BLD + self.token_type(types_BL)
        if c.embed_norm:
            x_BLD = self.embed_norm(x_BLD)
        x_BLD = self.drop(x_BLD, deterministic=not train)
        return constrain(self.embed_projection(x_BLD) if c.embed_width else x_BLD, "BLD")


class Transformer(nn.Module):
    """Embeddings and blocks: tokens [B, L] -> hidden states [B, L, D]. Used through `seqjax.models.build`."""

    config: TransformerConfig

    def setup(self) -> None:
        c = self.config
        self.embedding = Embedding(c)
        nn.share_scope(self, self.embedding)  # trunk/tokens, not trunk/embedding/tokens
        if c.decoder_layers:
            self.encoder = Stack(c, c.layers, causal=False)
            self.decoder = Stack(c, c.decoder_layers, causal=True, crossed=True)
        else:
            self.decoder = Stack(c, c.layers, c.causal)
            nn.share_scope(self, self.decoder)

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
        prefix_BL: jax.Array | None = None,
        carry: TransformerCarry | None = None,
        train: bool = False,
    ) -> tuple[jax.Array, TransformerCarry | None]:
        """Returns hidden states [B, L, D] and the carry; see `seqjax.models.model.Model`."""
        if prefix_BL is not None and self.config.decoder_layers:
            raise UserError("a prefix is for a decoder-only model")
        states_BSD = None
        if self.config.decoder_layers and carry is None:
            if source_BS is None:
                raise UserError("this model needs a source: give source_BS, or the carry that `start` returns")
            source_segments_BS = jnp.ones_like(source_BS) if source_segments_BS is None else source_segments_BS
            states_BSD = self.encode(
                source_BS, positions_BS=source_positions_BS, segments_BS=source_segments_BS, train=train
            )
        return self._decode(
            tokens_BL,
            positions_BL,
            segments_BL,
            token_types_BL,
            carry,
            states_BSD,
            source_segments_BS,
            train,
            prefix_BL,
        )

    def encode(
        self,
        source_BS: jax.Array,
        *,
        positions_BS: jax.Array | None = None,
        segments_BS: jax.Array | None = None,
        train: bool = False,
    ) -> jax.Array:
        """Returns the encoder's states [B, S, D] of a source; an encoder-decoder model only."""
        segments_BS = jnp.ones_like(source_BS) if segments_BS is None else segments_BS
        positions_BS = from_segments(segments_BS) if positions_BS is None else positions_BS
        x_BSD = self.embedding(source_BS, positions_BS, None, train, source=True)
        return self.encoder(x_BSD, positions_BS, segments_BS, None, None, None, train)[0]

    def start(
        self, source_BS: jax.Array, source_segments_BS: jax.Array, length: int, train: bool = False
    ) -> TransformerCarry:
        """Returns the carry of a decoder that has read its sources and no token, with room for `length` tokens."""
        states_BSD = self.encode(source_BS, segments_BS=source_segments_BS, train=train)
        batch = source_BS.shape[0]
        carry = self.decoder.initial_carry(batch, length, source_segments_BS)
        nothing_B0 = jnp.zeros((batch, 0), jnp.int32)
        _, carry = self._decode(nothing_B0, nothing_B0, nothing_B0, None, carry, states_BSD, None, False)
        return carry

    def _decode(
        self,
        tokens_BL: jax.Array,
        positions_BL: jax.Array | None,
        segments_BL: jax.Array | None,
        token_types_BL: jax.Array | None,
        carry: TransformerCarry | None,
        states_BSD: jax.Array | None,
        source_segments_BS: jax.Array | None,
        train: bool,
        prefix_BL: jax.Array | None = None,
    ) -> tuple[jax.Array, Any]:
        segments_BL = jnp.ones_like(tokens_BL) if segments_BL is None else segments_BL
        if positions_BL is None:
            before_B = None if carry is None else jnp.sum(carry.segments_BS > 0, axis=1, dtype=jnp.int32)
            positions_BL = from_segments(segments_BL, before_B)
        x_BLD = self.embedding(tokens_BL, positions_BL, token_types_BL, train)
        return self.decoder(x_BLD, positions_BL, segments_BL, carry, states_BSD, source_segments_BS, train, prefix_BL)

    def table(self) -> jax.Array:
        """Returns the token embedding [V, D] in float32, for a tied output layer."""
        return self.embedding.tokens.embedding

    @nn.nowrap
    def initial_carry(self, batch: int, length: int) -> TransformerCarry:
        """Returns an empty carry for `batch` rows that will read up to `length` tokens."""
        return Stack(self.config, self.config.layers, self.config.causal).initial_carry(batch, length)

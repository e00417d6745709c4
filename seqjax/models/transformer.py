# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The Transformer stack: one set of blocks of which GPT-2 and BERT are settings."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from seqjax.config import require
from seqjax.errors import UserError
from seqjax.models import masks
from seqjax.models.attention import Attention
from seqjax.models.cache import KVCache, TransformerCarry, empty_cache
from seqjax.models.layers import ACTIVATIONS, MLP
from seqjax.models.positions import from_segments

DTYPES = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}


@dataclasses.dataclass(frozen=True)
class TransformerConfig:
    """Settings of the stack. The defaults are those of GPT-2 (Radford et al. 2019, section 2.3)."""

    vocab_size: int = 0  # 0: that of the tokenizer
    layers: int = 12
    width: int = 768
    heads: int = 12
    mlp_width: int = 3072
    max_length: int = 1024  # learned positions; the longest row that the model takes
    causal: bool = True
    norm: str = "pre"  # "pre" (GPT-2) or "post" (Vaswani et al. 2017, BERT)
    norm_epsilon: float = 1e-5
    positions: str = "learned"  # "learned" or "rotary"
    rotary_base: float = 10_000.0
    token_types: int = 0  # BERT: 2 segment embeddings
    embed_norm: bool = False  # BERT: layer norm after the embeddings
    activation: str = "gelu_tanh"
    use_bias: bool = True
    dropout: float = 0.1
    init_std: float = 0.02
    scale_residual_init: bool = True  # GPT-2: projections into the residual stream start 1/sqrt(2 layers) smaller
    tied: bool = True  # the output layer is the token embedding
    head_transform: bool = False  # BERT: dense, activation and layer norm before the output layer
    head_bias: bool = False
    dtype: str = "float32"  # of the arithmetic; parameters, softmax and loss stay float32
    scan: bool = False  # one compiled block run over stacked parameters, instead of a loop
    remat: bool = False  # recompute each block in the backward pass instead of storing its activations

    def __post_init__(self) -> None:
        choices = {
            "norm": ("pre", "post"),
            "positions": ("learned", "rotary"),
            "activation": tuple(ACTIVATIONS),
            "dtype": tuple(DTYPES),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise UserError(f"model.{name}: '{getattr(self, name)}' is not one of {', '.join(allowed)}")
        require(self, "model", ("layers", "width", "heads", "mlp_width", "max_length"), 1)
        require(self, "model", ("vocab_size", "token_types", "norm_epsilon", "init_std"), 0)
        require(self, "model", ("dropout",), 0, 1)
        require(self, "model", ("rotary_base",), 1)
        if self.width % self.heads:
            raise UserError(f"model.width={self.width} is not divisible by model.heads={self.heads}")
        if self.positions == "rotary" and self.width // self.heads % 2:
            raise UserError(f"rotary positions need an even head width; here it is {self.width // self.heads}")


class Block(nn.Module):
    """Attention and feed-forward with residuals, normalised before (GPT-2) or after (BERT) each."""

    attention: Callable[..., nn.Module]
    mlp: Callable[..., nn.Module]
    layer_norm: Callable[..., nn.Module]
    post_norm: bool
    dropout: float

    @nn.compact
    def __call__(
        self,
        x_BLD: jax.Array,
        cache: KVCache | None,
        positions_BL: jax.Array,
        slot: jax.Array | int,
        mask_B1LS: jax.Array,
        train: bool,
    ) -> tuple[jax.Array, KVCache | None]:
        drop = nn.Dropout(self.dropout, deterministic=not train)
        attention, mlp = self.attention(name="attention"), self.mlp(name="mlp")
        first, second = self.layer_norm(name="attention_norm"), self.layer_norm(name="mlp_norm")
        if self.post_norm:
            y_BLD, cache = attention(x_BLD, positions_BL, cache, slot, mask_B1LS, train)
            x_BLD = first(x_BLD + drop(y_BLD))
            return second(x_BLD + drop(mlp(x_BLD))), cache
        y_BLD, cache = attention(first(x_BLD), positions_BL, cache, slot, mask_B1LS, train)
        x_BLD = x_BLD + drop(y_BLD)
        return x_BLD + drop(mlp(second(x_BLD))), cache


class Transformer(nn.Module):
    """Embeddings and blocks: tokens [B, L] -> hidden states [B, L, D]. Used through `seqjax.models.build`."""

    config: TransformerConfig

    def setup(self) -> None:
        c = self.config
        dtype, init = DTYPES[c.dtype], nn.initializers.normal(c.init_std)
        residual_std = c.init_std / (2 * c.layers) ** 0.5 if c.scale_residual_init else c.init_std
        shared: dict[str, Any] = {
            "use_bias": c.use_bias,
            "dtype": dtype,
            "kernel_init": init,
            "output_init": nn.initializers.normal(residual_std),
        }
        layer_norm = functools.partial(nn.LayerNorm, epsilon=c.norm_epsilon, use_bias=c.use_bias, dtype=dtype)
        rotary_base = c.rotary_base if c.positions == "rotary" else None
        block: Any = Block
        if c.remat:
            block = nn.remat(block, prevent_cse=not c.scan, static_argnums=(6,))
        settings: dict[str, Any] = {
            "attention": functools.partial(Attention, c.heads, rotary_base, c.dropout, **shared),
            "mlp": functools.partial(MLP, c.mlp_width, c.activation, **shared),
            "layer_norm": layer_norm,
            "post_norm": c.norm == "post",
            "dropout": c.dropout,
        }
        self.tokens = nn.Embed(c.vocab_size, c.width, dtype=dtype, embedding_init=init)
        if c.positions == "learned":
            self.position = nn.Embed(c.max_length, c.width, dtype=dtype, embedding_init=init)
        if c.token_types:
            self.token_type = nn.Embed(c.token_types, c.width, dtype=dtype, embedding_init=init)
        if c.embed_norm:
            self.embed_norm = layer_norm()
        self.drop = nn.Dropout(c.dropout)
        if c.scan:
            broadcast = nn.broadcast
            self.layers = nn.scan(
                block,
                variable_axes={"params": 0},
                split_rngs={"params": True, "dropout": True},
                in_axes=(0, broadcast, broadcast, broadcast, broadcast),
                length=c.layers,
            )(**settings)
        else:
            self.layer = [block(**settings) for _ in range(c.layers)]
        if c.norm == "pre":
            self.final_norm = layer_norm()

    def __call__(
        self,
        tokens_BL: jax.Array,
        *,
        positions_BL: jax.Array | None = None,
        segments_BL: jax.Array | None = None,
        token_types_BL: jax.Array | None = None,
        carry: TransformerCarry | None = None,
        train: bool = False,
    ) -> tuple[jax.Array, TransformerCarry | None]:
        """Returns hidden states [B, L, D] and the carry; see `seqjax.models.model.Model`."""
        c = self.config
        length = tokens_BL.shape[1]
        segments_BL = jnp.ones_like(tokens_BL) if segments_BL is None else segments_BL
        slot: jax.Array | int = 0
        segments_BS = segments_BL
        if carry is not None:
            slot = carry.slot
            segments_BS = jax.lax.dynamic_update_slice_in_dim(carry.segments_BS, segments_BL, slot, axis=1)
        if positions_BL is None:
            before_B = None if carry is None else jnp.sum(carry.segments_BS > 0, axis=1, dtype=jnp.int32)
            positions_BL = from_segments(segments_BL, before_B)
        mask_B1LS = masks.same_segment(segments_BL, segments_BS)
        if c.causal:
            mask_B1LS = mask_B1LS & masks.causal(length, segments_BS.shape[1], slot)

        x_BLD = self.tokens(tokens_BL)
        if c.positions == "learned":
            x_BLD = x_BLD + self.position(positions_BL)
        if c.token_types:
            types_BL = jnp.zeros_like(tokens_BL) if token_types_BL is None else token_types_BL
            x_BLD = x_BLD + self.token_type(types_BL)
        if c.embed_norm:
            x_BLD = self.embed_norm(x_BLD)
        x_BLD = self.drop(x_BLD, deterministic=not train)

        caches: Any = None if carry is None else carry.layers
        if c.scan:
            x_BLD, caches = self.layers(x_BLD, caches, positions_BL, slot, mask_B1LS, train)
        else:
            outputs = []
            for i, layer in enumerate(self.layer):
                x_BLD, cache = layer(x_BLD, caches and caches[i], positions_BL, slot, mask_B1LS, train)
                outputs.append(cache)
            caches = tuple(outputs)
        if c.norm == "pre":
            x_BLD = self.final_norm(x_BLD)
        if carry is not None:
            carry = TransformerCarry(caches, segments_BS, carry.slot + length)
        return x_BLD, carry

    def table(self) -> jax.Array:
        """Returns the token embedding [V, D] in float32, for a tied output layer."""
        return self.tokens.embedding

    @nn.nowrap
    def initial_carry(self, batch: int, length: int) -> TransformerCarry:
        """Returns an empty carry for `batch` rows that will read up to `length` tokens."""
        c = self.config
        caches = [empty_cache(batch, length, c.heads, c.width // c.heads, DTYPES[c.dtype]) for _ in range(c.layers)]
        layers = jax.tree.map(lambda *leaves: jnp.stack(leaves), *caches) if c.scan else tuple(caches)
        return TransformerCarry(layers, jnp.zeros((batch, length), jnp.int32), jnp.zeros((), jnp.int32))

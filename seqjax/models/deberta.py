# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""DeBERTa v1 (He et al. 2021, arXiv:2006.03654), v2 and v3 (He et al. 2021b, arXiv:2111.09543), one model.

trunk = Deberta(deberta_v3_base())
trunk = Deberta(deberta_base(mask_decoder_layers=2))  # to pretrain by masked language modelling, as in the paper
"""

import dataclasses
import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from seqjax.config import require, require_choice
from seqjax.errors import UserError
from seqjax.models.constrain import constrain
from seqjax.models.disentangled import DisentangledAttention, relative_rows
from seqjax.models.layers import ACTIVATIONS, MLP, REMAT, Embed, Linear, rematerialised
from seqjax.models.masks import Mask
from seqjax.models.positions import from_segments
from seqjax.models.transformer_config import DTYPES

NO_CARRY = "DeBERTa reads both ways and remembers nothing between calls: it has no carry"


@dataclasses.dataclass(frozen=True)
class DebertaConfig:
    """Settings of DeBERTa; the defaults are v1 base (He et al. 2021, tables 8 and 9) without its mask decoder."""

    vocab_size: int = 0  # 0: that of the tokenizer
    layers: int = 12
    width: int = 768
    heads: int = 12
    mlp_width: int = 3072
    max_length: int = 512  # absolute positions, where there are any
    norm_epsilon: float = 1e-7
    token_types: int = 0
    embed_width: int = 0  # embeddings narrower than the layers, projected up; 0: width
    position_biased_input: bool = False  # absolute positions are added to the input, as in BERT
    mask_decoder_layers: int = 0  # enhanced mask decoder, see `Deberta`; published: 2, for masked language modelling
    c2p: bool = True  # content-to-position term of the scores
    p2c: bool = True  # position-to-content term
    relative_span: int = 0  # k of the paper: all distances from here on are one; 0: max_length
    relative_buckets: int = 0  # v2: logarithmic buckets on each side; 0: a row for each distance
    relative_norm: bool = False  # v2: layer norm over the relative embeddings
    share_position_keys: bool = False  # v2: relative positions use the projections of the content
    key_bias: bool = False  # v2: keys have a bias
    conv_width: int = 0  # v2 xlarge: places that a convolution beside the first layer sees; 0: no convolution
    conv_activation: str = "gelu"
    activation: str = "gelu"
    dropout: float = 0.1
    init_std: float = 0.02
    tied: bool = True  # the output layer is the token embedding
    head_transform: bool = True  # dense, activation and layer norm before the output layer
    head_bias: bool = True
    dtype: str = "float32"  # of the arithmetic; parameters, softmax and loss stay float32
    attention_kernel: str = "auto"  # "auto", "plain" or "chunked"; see seqjax.models.kernels
    remat: str = "none"  # what the backward pass computes anew of a layer: "none", "dots" (all but products) or "full"

    def __post_init__(self) -> None:
        choices = {"activation": ACTIVATIONS, "conv_activation": ACTIVATIONS, "dtype": DTYPES, "remat": REMAT}
        require_choice(self, "model", choices | {"attention_kernel": ("auto", "plain", "chunked")})
        require(self, "model", ("layers", "width", "heads", "mlp_width", "max_length"), 1)
        require(self, "model", ("vocab_size", "token_types", "norm_epsilon", "init_std", "embed_width"), 0)
        require(self, "model", ("relative_span", "relative_buckets", "conv_width", "mask_decoder_layers"), 0)
        require(self, "model", ("dropout",), 0, 1)
        if self.width % self.heads:
            raise UserError(f"model.width={self.width} is not divisible by model.heads={self.heads}")
        if self.relative_buckets and (self.relative_buckets % 2 or self.relative_buckets < 4):
            raise UserError(f"model.relative_buckets={self.relative_buckets} must be 0, or even and at least 4")
        if self.relative_buckets and self.span <= self.relative_buckets // 2 + 1:
            raise UserError(
                f"model.relative_buckets={self.relative_buckets} needs a span of more than "
                f"{self.relative_buckets // 2 + 1}; here it is {self.span} (model.relative_span or model.max_length)"
            )
        if self.conv_width and self.conv_width % 2 == 0:
            raise UserError(f"model.conv_width={self.conv_width} must be odd, or 0 for no convolution")
        if self.mask_decoder_layers and (self.position_biased_input or self.embed_width or self.layers < 2):
            raise UserError(
                "model.mask_decoder_layers needs model.position_biased_input=false, model.embed_width=0 and two layers"
            )

    @property
    def span(self) -> int:
        """The longest distance that has a row, or a bucket, of its own."""
        return self.relative_span or self.max_length


def _norm(config: DebertaConfig, name: str | None = None) -> nn.LayerNorm:
    return nn.LayerNorm(epsilon=config.norm_epsilon, dtype=DTYPES[config.dtype], name=name)


class DebertaLayer(nn.Module):
    """Disentangled attention of x to the states, and feed-forward; normalised after each. Elsewhere the two are one."""

    config: DebertaConfig

    @nn.compact
    def __call__(
        self,
        x_BLD: jax.Array,
        states_BLD: jax.Array,
        relative_RD: jax.Array | None,
        rows_BLS: jax.Array | None,
        mask: Mask,
        train: bool,
    ) -> jax.Array:
        c, dtype = self.config, DTYPES[self.config.dtype]
        x_BLD, states_BLD = constrain(x_BLD, "BLD"), constrain(states_BLD, "BLD")
        init = nn.initializers.normal(c.init_std)
        drop = nn.Dropout(c.dropout, deterministic=not train)
        attention = DisentangledAttention(
            c.heads,
            c.c2p,
            c.p2c,
            c.share_position_keys,
            c.key_bias,
            c.dropout,
            c.attention_kernel,
            dtype,
            init,
            name="attention",
        )
        y_BLD = attention(x_BLD, states_BLD, relative_RD, rows_BLS, mask, train)
        x_BLD = _norm(c, "attention_norm")(x_BLD + drop(y_BLD))
        mlp = MLP(c.mlp_width, c.activation, False, 0.0, True, dtype, init, init, name="mlp")
        return constrain(_norm(c, "mlp_norm")(x_BLD + drop(mlp(x_BLD, train))), "BLD")


class Convolution(nn.Module):
    """norm(y + act(convolution of x)) over neighbours in the same document (v2, as released: no paper has it)."""

    config: DebertaConfig

    @nn.compact
    def __call__(self, x_BLD: jax.Array, y_BLD: jax.Array, segments_BL: jax.Array, train: bool) -> jax.Array:
        c, (length, width) = self.config, x_BLD.shape[1:]
        init = nn.initializers.normal(c.init_std)
        kernel = self.param("kernel", init, (c.conv_width, width, width), jnp.float32)
        bias_D = self.param("bias", nn.initializers.zeros, (width,), jnp.float32)
        side = (c.conv_width // 2, c.conv_width // 2)
        padded, around = jnp.pad(x_BLD, ((0, 0), side, (0, 0))), jnp.pad(segments_BL, ((0, 0), side))
        windows = []
        for i in range(c.conv_width):
            same_BL = (around[:, i : i + length] == segments_BL) & (segments_BL > 0)
            windows.append(jnp.where(same_BL[:, :, None], padded[:, i : i + length], 0))
        x_NW = jnp.concatenate(windows, axis=-1).reshape(-1, c.conv_width * width)
        out_ND = x_NW @ kernel.reshape(-1, width).astype(x_NW.dtype) + bias_D.astype(x_NW.dtype)[None, :]
        out_BLD = nn.Dropout(c.dropout, deterministic=not train)(out_ND.reshape(x_BLD.shape))
        return constrain(_norm(c, "norm")(y_BLD + ACTIVATIONS[c.conv_activation](out_BLD)), "BLD")


class Deberta(nn.Module):
    """Embeddings and disentangled layers: tokens [B, L] -> hidden states [B, L, D].

    With `mask_decoder_layers` = n the states are those of the enhanced mask decoder (He et al. 2021, section 3.2 and
    figure 2; n = 2 there), which the output layer of masked language modelling reads. With H the states before the
    last layer, and I = H + the absolute position embeddings, the last layer runs n times: its queries and residual
    stream are I, then its own output; its keys and values are H each time. No layer has parameters of its own for
    this; absolute positions enter nowhere else. The paper leaves open how I holds the positions ("absolute position
    embedding as I"); the sum with H, not normalised, is the published code's. To read the encoder alone, as
    fine-tuning does, apply the same parameters with `mask_decoder_layers` = 0.
    """

    config: DebertaConfig

    def setup(self) -> None:
        c, dtype = self.config, DTYPES[self.config.dtype]
        init = nn.initializers.normal(c.init_std)
        embed = functools.partial(Embed, features=c.embed_width or c.width, dtype=dtype, embedding_init=init)
        self.tokens = embed(c.vocab_size, rows="V")
        if c.position_biased_input or c.mask_decoder_layers:
            self.position = embed(c.max_length)
        if c.token_types:
            self.token_type = embed(c.token_types)
        if c.embed_width:
            self.embed_projection = Linear(c.width, False, dtype, init)
        self.embed_norm = _norm(c)
        self.drop = nn.Dropout(c.dropout)
        if c.c2p or c.p2c:
            self.relative = embed(2 * (c.relative_buckets or c.span), features=c.width)
            if c.relative_norm:
                self.relative_norm = _norm(c)
        layer = rematerialised(DebertaLayer, c.remat, static_argnums=(6,))
        self.layer = [layer(c) for _ in range(c.layers)]
        if c.conv_width:
            self.conv = Convolution(c)

    def __call__(
        self,
        tokens_BL: jax.Array,
        *,
        positions_BL: jax.Array | None = None,
        segments_BL: jax.Array | None = None,
        token_types_BL: jax.Array | None = None,
        carry: None = None,
        train: bool = False,
    ) -> tuple[jax.Array, None]:
        """Returns hidden states [B, L, D] and no carry; see `seqjax.models.model.Model`."""
        if carry is not None:
            raise UserError(NO_CARRY)
        c = self.config
        segments_BL = jnp.ones_like(tokens_BL) if segments_BL is None else segments_BL
        positions_BL = from_segments(segments_BL) if positions_BL is None else positions_BL
        x_BLD = embedded_BLD = self._embed(tokens_BL, positions_BL, token_types_BL, train)
        relative_RD = rows_BLS = None
        if c.c2p or c.p2c:
            relative_RD = constrain(self.relative.embedding.astype(DTYPES[c.dtype]), "")
            relative_RD = self.relative_norm(relative_RD) if c.relative_norm else relative_RD
            rows_BLS = relative_rows(positions_BL, positions_BL, c.span, c.relative_buckets)
        every = (relative_RD, rows_BLS, Mask(segments_BL, segments_BL), train)

        for i, layer in enumerate(self.layer[:-1] if c.mask_decoder_layers else self.layer):
            x_BLD = layer(x_BLD, x_BLD, *every)
            if i == 0 and c.conv_width:
                x_BLD = self.conv(embedded_BLD, x_BLD, segments_BL, train)
        if c.mask_decoder_layers:
            states_BLD, x_BLD = x_BLD, x_BLD + self.position(positions_BL)
            for _ in range(c.mask_decoder_layers):
                x_BLD = self.layer[-1](x_BLD, states_BLD, *every)
        return x_BLD, None

    def _embed(
        self, tokens_BL: jax.Array, positions_BL: jax.Array, token_types_BL: jax.Array | None, train: bool
    ) -> jax.Array:
        """Returns [B, L, D]; unlike ELECTRA's, narrow embeddings are projected before the norm, without a bias."""
        c = self.config
        x = constrain(self.tokens(tokens_BL), "BLD")
        if c.position_biased_input:
            x = x + self.position(positions_BL)
        if c.token_types:
            x = x + self.token_type(jnp.zeros_like(tokens_BL) if token_types_BL is None else token_types_BL)
        if c.embed_width:
            x = self.embed_projection(x)
        return self.drop(self.embed_norm(x), deterministic=not train)

    def table(self) -> jax.Array:
        """Returns the token embedding [V, D] in float32, for a tied output layer."""
        return self.tokens.embedding

    @nn.nowrap
    def initial_carry(self, batch: int, length: int) -> None:
        """Raises UserError: the model reads both ways."""
        raise UserError(NO_CARRY)


def deberta(**changes: Any) -> DebertaConfig:
    """V1 (He et al. 2021, tables 8 and 9); the defaults are the base model."""
    return DebertaConfig(**{"vocab_size": 50_265} | changes)


def deberta_v2(**changes: Any) -> DebertaConfig:
    """V2, as deberta_xlarge.json and xxlarge.json of the authors' repository have it; the defaults are xlarge."""
    settings: dict[str, Any] = {
        "vocab_size": 128_100, "layers": 24, "width": 1536, "heads": 24, "mlp_width": 6144, "relative_buckets": 256,
        "relative_norm": True, "share_position_keys": True, "key_bias": True, "conv_width": 3,
    }  # fmt: skip
    return DebertaConfig(**settings | changes)


def deberta_v3(**changes: Any) -> DebertaConfig:
    """V3 (He et al. 2021b): v2 without the convolution, as the authors' rtd_*.json; the defaults are the base model."""
    shape = {"layers": 12, "width": 768, "heads": 12, "mlp_width": 3072, "conv_width": 0}
    return deberta_v2(**shape | changes)


deberta_base = deberta
deberta_large = functools.partial(deberta, layers=24, width=1024, heads=16, mlp_width=4096)
deberta_v2_xlarge = deberta_v2
deberta_v2_xxlarge = functools.partial(deberta_v2, layers=48)
deberta_v3_xsmall = functools.partial(deberta_v3, width=384, heads=6, mlp_width=1536)
deberta_v3_small = functools.partial(deberta_v3, layers=6)
deberta_v3_base = deberta_v3
deberta_v3_large = functools.partial(deberta_v3, layers=24, width=1024, heads=16, mlp_width=4096)

SIZES: dict[str, DebertaConfig] = {
    "deberta_base": deberta_base(),
    "deberta_large": deberta_large(),
    "deberta_v2_xlarge": deberta_v2_xlarge(),
    "deberta_v2_xxlarge": deberta_v2_xxlarge(),
    "deberta_v3_xsmall": deberta_v3_xsmall(),
    "deberta_v3_small": deberta_v3_small(),
    "deberta_v3_base": deberta_v3_base(),
    "deberta_v3_large": deberta_v3_large(),
}

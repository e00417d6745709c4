# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The settings of the Transformer stack; see `seqjax.models.families` for those of the published models."""

import dataclasses

import jax.numpy as jnp

from seqjax.config import require, require_choice
from seqjax.errors import UserError
from seqjax.models import kernels
from seqjax.models.layers import ACTIVATIONS, REMAT

DTYPES = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}


@dataclasses.dataclass(frozen=True)
class TransformerConfig:
    """Settings of the stack. The defaults are those of GPT-2 (Radford et al. 2019, section 2.3)."""

    vocab_size: int = 0  # 0: that of the tokenizer
    source_vocab_size: int = 0  # of the encoder's own token embeddings; 0: that of data.source_tokenizer, else none
    layers: int = 12
    decoder_layers: int = 0  # above 0: an encoder of `layers` layers, and a decoder of so many that attends to it
    width: int = 768
    heads: int = 12
    kv_heads: int = 0  # heads of keys and values (Ainslie et al. 2023); 0: as many as of queries
    head_width: int = 0  # 0: width / heads
    mlp_width: int = 3072
    max_length: int = 1024  # learned positions; the longest row that the model takes
    causal: bool = True  # each token reads those before it; False: all of its document (an encoder always does)
    norm: str = "pre"  # "pre" (GPT-2) or "post" (Vaswani et al. 2017, BERT)
    norm_type: str = "layer"  # "layer" or "rms" (Zhang & Sennrich 2019)
    norm_epsilon: float = 1e-5
    positions: str = "learned"  # "learned", "sinusoidal", "rotary", "relative" (T5's buckets) or "none"
    position_offset: int = 0  # learned: the first position is this row of the table (RoBERTa: 2)
    rotary_base: float = 10_000.0
    relative_buckets: int = 32
    relative_longest: int = 128  # all distances from here on share a bucket
    scale_scores: bool = True  # attention scores times 1 / sqrt(head width); T5 does not
    token_types: int = 0  # BERT: 2 segment embeddings
    embed_width: int = 0  # ELECTRA: embeddings narrower than the layers, projected up; 0: width
    scale_embedding: bool = False  # times sqrt(width) (Vaswani et al. 2017, section 3.4)
    embed_norm: bool = False  # BERT: layer norm after the embeddings
    activation: str = "gelu_tanh"
    gated: bool = False  # gated linear units (Shazeer 2020)
    use_bias: bool = True
    dropout: float = 0.1
    inner_dropout: bool = False  # also inside the feed-forward network and after the last norm (T5)
    init_std: float = 0.02
    scale_residual_init: bool = True  # GPT-2: projections into the residual stream start 1/sqrt(2 layers) smaller
    tied: bool = True  # the output layer is the token embedding
    scale_logits: bool = False  # T5 v1.0: states times 1 / sqrt(width) before the tied output layer
    head_transform: bool = False  # BERT: dense, activation and layer norm before the output layer
    head_bias: bool = False
    dtype: str = "float32"  # of the arithmetic; parameters, softmax and loss stay float32
    scan: bool = False  # one compiled block run over stacked parameters, instead of a loop
    attention_kernel: str = "auto"  # "auto", "plain", "chunked", "cudnn" or "splash"; see seqjax.models.kernels
    remat: str = "none"  # what the backward pass computes anew of a block: "none", "dots" (all but products) or "full"

    def __post_init__(self) -> None:
        choices = {
            "norm": ("pre", "post"),
            "norm_type": ("layer", "rms"),
            "positions": ("learned", "sinusoidal", "rotary", "relative", "none"),
            "activation": tuple(ACTIVATIONS),
            "dtype": tuple(DTYPES),
            "remat": tuple(REMAT),
            "attention_kernel": kernels.NAMES,
        }
        require_choice(self, "model", choices)
        require(self, "model", ("layers", "width", "heads", "mlp_width", "max_length"), 1)
        require(self, "model", ("vocab_size", "token_types", "norm_epsilon", "init_std", "decoder_layers"), 0)
        require(self, "model", ("kv_heads", "head_width", "embed_width", "position_offset", "source_vocab_size"), 0)
        require(self, "model", ("dropout",), 0, 1)
        require(self, "model", ("rotary_base",), 1)
        require(self, "model", ("relative_buckets",), 4)
        require(self, "model", ("relative_longest",), self.relative_buckets)
        if not self.head_width and self.width % self.heads:
            raise UserError(f"model.width={self.width} is not divisible by model.heads={self.heads}")
        if self.heads % self.key_heads:
            raise UserError(f"model.heads={self.heads} is not divisible by model.kv_heads={self.kv_heads}")
        if self.positions == "rotary" and self.each_head % 2:
            raise UserError(f"rotary positions need an even head width; here it is {self.each_head}")
        if self.positions == "sinusoidal" and self.width % 2:
            raise UserError(f"sinusoidal positions need an even model.width; here it is {self.width}")
        if self.embed_width and self.tied and not self.head_transform:
            raise UserError("model.embed_width needs model.head_transform=true or model.tied=false")
        if self.source_vocab_size and not self.decoder_layers:
            raise UserError("model.source_vocab_size is of an encoder-decoder; it needs model.decoder_layers")
        if self.decoder_layers and not self.causal:
            raise UserError("a decoder reads one way: model.decoder_layers needs model.causal=true")

    @property
    def key_heads(self) -> int:
        """Heads of keys and values."""
        return self.kv_heads or self.heads

    @property
    def each_head(self) -> int:
        """Width of a head."""
        return self.head_width or self.width // self.heads

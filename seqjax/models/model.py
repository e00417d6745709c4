# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""A trunk and a head as one Flax module: the thing whose (apply, params) everything else works with."""

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from seqjax.models.deberta import Deberta, DebertaConfig
from seqjax.models.heads import Scored, VocabularyHead
from seqjax.models.rnn import RNN, RNNConfig
from seqjax.models.seq2seq import Seq2Seq, Seq2SeqConfig
from seqjax.models.transformer import Transformer
from seqjax.models.transformer_config import DTYPES, TransformerConfig
from seqjax.types import Params

ModelConfig = TransformerConfig | DebertaConfig | RNNConfig | Seq2SeqConfig


class Model(nn.Module):
    """tokens [B, L] -> logits, by `head(trunk(tokens))`.

    Recurrent and attention trunks share one signature: given a carry (states or key-value cache) the call continues
    from it and returns the next one, so training (no carry), prefill and decoding are the same call.
    """

    trunk: Transformer | Deberta | RNN | Seq2Seq
    head: nn.Module

    def hidden(self, tokens_BL: jax.Array, **inputs: Any) -> tuple[jax.Array, Any]:
        """Returns the trunk's states [B, L, D] and the carry; takes what `__call__` takes but `gather_BP`."""
        return self.trunk(tokens_BL, **inputs)

    def start(self, source_BS: jax.Array, source_segments_BS: jax.Array, length: int, train: bool = False) -> Any:
        """Returns the carry of an encoder-decoder that has read its sources, with room for `length` tokens."""
        return self.trunk.start(source_BS, source_segments_BS, length, train)

    def __call__(
        self,
        tokens_BL: jax.Array,
        *,
        segments_BL: jax.Array | None = None,
        gather_BP: jax.Array | None = None,
        scored: Scored | None = None,
        entities_BL: jax.Array | None = None,
        train: bool = False,
        **inputs: Any,
    ) -> tuple[Any, Any]:
        """Runs the model.

        Args:
          tokens_BL: ids.
          segments_BL: the document each token belongs to, 0 at padding; by default the row is one document.
          gather_BP: run the vocabulary head at these places of each row only; logits are then [B, P, V].
          scored: return what this makes of the vocabulary's logits instead of them.
          entities_BL: of a head for pairs of entities: 1 and 2 on their tokens, 0 elsewhere.
          train: dropout on; needs `rngs={"dropout": key}`.
          **inputs: what the trunk takes besides. positions_BL: places within each document; by default they count the
            real tokens of the row. token_types_BL: first or second text of a pair; by default the first. carry: where
            earlier calls stopped (`initial_carry` or `start` to begin); None when nothing is remembered. source_BS,
            source_positions_BS, source_segments_BS: what an encoder-decoder's encoder reads. prefix_BL: 1 where a
            causal model may look from anywhere in the document, of what this call reads; with a carry the whole prefix
            is for the first call.

        Returns:
          float32 logits ([B, L, V], [B, P, V], [B, K] or [B, L, K] by the head) and the next carry (None without one).
        """
        x_BLD, carry = self.trunk(tokens_BL, segments_BL=segments_BL, train=train, **inputs)
        segments_BL = jnp.ones_like(tokens_BL) if segments_BL is None else segments_BL
        given = {"gather_BP": gather_BP, "scored": scored, "entities_BL": entities_BL}
        options = {name: value for name, value in given.items() if value is not None}  # each is of one kind of head
        return self.head(x_BLD, segments_BL, self.trunk.table(), train, **options), carry

    @nn.nowrap
    def initial_carry(self, batch: int, length: int) -> Any:
        """Returns the carry of `batch` rows that have read nothing and will read up to `length` tokens."""
        return self.trunk.initial_carry(batch, length)


def build(config: ModelConfig, head: nn.Module | None = None) -> Model:
    """Returns the model of these settings, with their vocabulary head unless another is given."""
    if isinstance(config, RNNConfig):
        return Model(RNN(config), head or vocabulary_head(config))
    if isinstance(config, Seq2SeqConfig):
        return Model(Seq2Seq(config), head or vocabulary_head(config))
    if isinstance(config, TransformerConfig):
        return Model(Transformer(config), head or vocabulary_head(config))
    if head is not None:  # the enhanced mask decoder serves the vocabulary alone (He et al. 2021, section 3.2)
        config = dataclasses.replace(config, mask_decoder_layers=0)
    return Model(Deberta(config), head or vocabulary_head(config))


def vocabulary_head(config: ModelConfig) -> VocabularyHead:
    """Returns the vocabulary head of these settings."""
    if isinstance(config, RNNConfig | Seq2SeqConfig):
        return VocabularyHead(config.vocab_size, tied=config.tied, use_bias=True, dtype=DTYPES[config.dtype])
    return VocabularyHead(
        vocab_size=config.vocab_size,
        tied=config.tied,
        scale=isinstance(config, TransformerConfig) and config.scale_logits,
        transform=config.head_transform,
        use_bias=config.head_bias,
        activation=config.activation,
        norm_epsilon=config.norm_epsilon,
        dtype=DTYPES[config.dtype],
        kernel_init=nn.initializers.normal(config.init_std),
    )


def initialise(model: Model, key: jax.Array) -> Params:
    """Returns fresh float32 parameters, computed in one compiled call."""
    return jax.jit(lambda key: _fresh(model, key))(key)


def shapes(model: Model) -> Params:
    """Returns the parameters' shapes without computing anything."""
    return jax.eval_shape(lambda: _fresh(model, jax.random.key(0)))


def _fresh(model: Model, key: jax.Array) -> Params:
    tokens = jnp.zeros((1, 2), jnp.int32)
    source: dict[str, Any] = {"source_BS": tokens} if getattr(model.trunk.config, "decoder_layers", 0) else {}
    return model.init(key, tokens, **source)["params"]


def encoder_alone(config: TransformerConfig, params: Params) -> tuple[TransformerConfig, Params]:
    """Returns an encoder-decoder's encoder as a model of its own: settings, and parameters in their layout."""
    parts = dict(params["trunk"])
    encoder = parts.pop("encoder")
    del parts["decoder"]
    if config.source_vocab_size:
        parts["tokens"] = parts.pop("source_tokens")
        config = dataclasses.replace(config, vocab_size=config.source_vocab_size, source_vocab_size=0)
    return dataclasses.replace(config, decoder_layers=0, causal=False), dict(params) | {"trunk": parts | dict(encoder)}


def portable(model: Model) -> Model:
    """Returns the same model with plain attention: a program of it runs on any platform, at lengths not yet known."""
    config: Any = model.trunk.config
    if not hasattr(config, "attention_kernel"):
        return model
    return model.clone(trunk=model.trunk.clone(config=dataclasses.replace(config, attention_kernel="plain")))


def training_flops(config: ModelConfig, rows: int, length: int, predictions: int) -> float:
    """Returns the model FLOPs of one update: forward and backward, nothing recomputed counted.

    6 per weight and token in the trunk, 12 * layers * width * length per token for attention scores and values (not
    halved for causality), and 6 per weight and prediction in the output layer. Source: Chowdhery et al. 2022 (PaLM),
    appendix B.

    Args:
      config: the model.
      rows: B.
      length: L.
      predictions: how many places of each row the output layer runs at.
    """
    tokens = rows * length
    if isinstance(config, RNNConfig):
        trunk = tokens * 6.0 * config.weights
    elif isinstance(config, Seq2SeqConfig):
        reading = config.encoder.weights + config.encoder.output_width * config.width
        saying = config.decoder.weights
        if config.attention != "none":
            saying += 3 * config.width**2 + 2 * length * config.width
        trunk = 6.0 * rows * (length * reading + predictions * saying)
    elif isinstance(config, DebertaConfig):
        weights = config.layers * (4 * config.width**2 + 2 * config.width * config.mlp_width)
        rows_of_distances = 2 * (config.relative_buckets or config.span) * (config.c2p + config.p2c)
        scores = config.layers * config.width * (2 * length + rows_of_distances)
        trunk = tokens * 6.0 * (weights + scores)
    else:
        heads, key_heads = config.heads * config.each_head, config.key_heads * config.each_head
        mlp = (3 if config.gated else 2) * config.width * config.mlp_width
        each = 2 * config.width * (heads + key_heads) + mlp  # weights of a layer
        trunk = tokens * 6.0 * config.layers * (each + 2 * length * heads)
        if config.decoder_layers:  # reads as many tokens as it says, and its cross-attention the source
            asking = each + 2 * predictions * heads + 2 * config.width * heads + 2 * length * heads
            answering = 2 * config.width * key_heads
            trunk += 6.0 * rows * config.decoder_layers * (predictions * asking + length * answering)
    table_width = getattr(config, "output_width", 0) or getattr(config, "embed_width", 0) or config.width
    return trunk + 6.0 * rows * predictions * table_width * config.vocab_size

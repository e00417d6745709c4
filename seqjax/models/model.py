# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""A trunk and a head as one Flax module: the thing whose (apply, params) everything else works with."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from seqjax.models.heads import VocabularyHead
from seqjax.models.rnn import LSTM, LSTMConfig
from seqjax.models.transformer import DTYPES, Transformer, TransformerConfig
from seqjax.types import Params

ModelConfig = TransformerConfig | LSTMConfig


class Model(nn.Module):
    """tokens [B, L] -> logits, by `head(trunk(tokens))`.

    Recurrent and attention trunks share one signature: given a carry (LSTM state or key-value cache) the call continues
    from it and returns the next one, so training (no carry), prefill and decoding are the same call.
    """

    trunk: Transformer | LSTM
    head: nn.Module

    def hidden(self, tokens_BL: jax.Array, **inputs: Any) -> tuple[jax.Array, Any]:
        """Returns the trunk's states [B, L, D] and the carry; takes what `__call__` takes but `gather_BP`."""
        return self.trunk(tokens_BL, **inputs)

    def __call__(
        self,
        tokens_BL: jax.Array,
        *,
        positions_BL: jax.Array | None = None,
        segments_BL: jax.Array | None = None,
        token_types_BL: jax.Array | None = None,
        gather_BP: jax.Array | None = None,
        carry: Any = None,
        train: bool = False,
    ) -> tuple[jax.Array, Any]:
        """Runs the model.

        Args:
          tokens_BL: ids.
          positions_BL: places within each document; by default they count the real tokens of the row.
          segments_BL: the document each token belongs to, 0 at padding; by default the row is one document.
          token_types_BL: first or second text of a pair; by default the first.
          gather_BP: run the head at these places of each row only; logits are then [B, P, V].
          carry: where earlier calls stopped (`initial_carry` to begin); None when nothing is to be remembered.
          train: dropout on; needs `rngs={"dropout": key}`.

        Returns:
          float32 logits ([B, L, V], [B, P, V], [B, K] or [B, L, K] by the head) and the next carry (None without one).
        """
        x_BLD, carry = self.trunk(
            tokens_BL,
            positions_BL=positions_BL,
            segments_BL=segments_BL,
            token_types_BL=token_types_BL,
            carry=carry,
            train=train,
        )
        segments_BL = jnp.ones_like(tokens_BL) if segments_BL is None else segments_BL
        x = x_BLD if gather_BP is None else jnp.take_along_axis(x_BLD, gather_BP[:, :, None], axis=1)
        return self.head(x, segments_BL, self.trunk.table(), train), carry

    @nn.nowrap
    def initial_carry(self, batch: int, length: int) -> Any:
        """Returns the carry of `batch` rows that have read nothing and will read up to `length` tokens."""
        return self.trunk.initial_carry(batch, length)


def build(config: ModelConfig, head: nn.Module | None = None) -> Model:
    """Returns the model of these settings, with a vocabulary head unless another is given."""
    if isinstance(config, LSTMConfig):
        return Model(LSTM(config), head or VocabularyHead(config.vocab_size, tied=config.tied, use_bias=True))
    return Model(
        Transformer(config),
        head
        or VocabularyHead(
            config.vocab_size,
            config.tied,
            config.head_transform,
            config.head_bias,
            config.activation,
            config.norm_epsilon,
            DTYPES[config.dtype],
            nn.initializers.normal(config.init_std),
        ),
    )


def initialise(model: Model, key: jax.Array) -> Params:
    """Returns fresh float32 parameters, computed in one compiled call."""
    tokens = jnp.zeros((1, 2), jnp.int32)
    return jax.jit(lambda key: model.init(key, tokens)["params"])(key)


def shapes(model: Model) -> Params:
    """Returns the parameters' shapes without computing anything."""
    return jax.eval_shape(lambda: model.init(jax.random.key(0), jnp.zeros((1, 2), jnp.int32)))["params"]


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
    if isinstance(config, LSTMConfig):
        weights, attention = config.layers * 8 * config.width**2, 0
    else:
        weights = config.layers * (4 * config.width**2 + 2 * config.width * config.mlp_width)
        attention = 12 * config.layers * config.width * length
    return tokens * (6.0 * weights + attention) + 6.0 * rows * predictions * config.width * config.vocab_size

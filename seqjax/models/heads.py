# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""What stands on a trunk: a vocabulary, a class for a row, or a class for each token. Logits are float32."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp

from seqjax.models.layers import ACTIVATIONS, Linear, contract


class VocabularyHead(nn.Module):
    """Hidden states [..., D] -> logits [..., V]; with `transform` as in BERT (dense, activation, layer norm).

    The transform ends at the width of the token embedding, which ELECTRA makes narrower than D.
    """

    vocab_size: int
    tied: bool = True
    scale: bool = False  # states times 1 / sqrt(D) first (T5 v1.0)
    transform: bool = False
    use_bias: bool = False
    activation: str = "gelu"
    norm_epsilon: float = 1e-12
    dtype: jnp.dtype = jnp.float32
    kernel_init: nn.initializers.Initializer = nn.initializers.normal(0.02)

    @nn.compact
    def __call__(self, x: jax.Array, segments_BL: jax.Array, table_VD: jax.Array, train: bool) -> jax.Array:
        if self.scale:
            x = x / math.sqrt(x.shape[-1])
        width = table_VD.shape[-1] if self.transform else x.shape[-1]
        if self.transform:
            x = Linear(width, dtype=self.dtype, kernel_init=self.kernel_init, name="transform")(x)
            x = nn.LayerNorm(epsilon=self.norm_epsilon, dtype=self.dtype, name="norm")(ACTIVATIONS[self.activation](x))
        if not self.tied:
            table_VD = self.param("table", self.kernel_init, (self.vocab_size, width), jnp.float32)
        logits_NV = contract("ND,VD->NV", x.reshape(-1, width).astype(self.dtype), table_VD, self.dtype)
        if self.use_bias:
            logits_NV = logits_NV + self.param("bias", nn.initializers.zeros, (self.vocab_size,), jnp.float32)[None, :]
        return logits_NV.reshape(*x.shape[:-1], self.vocab_size)


def pooled(x_BLD: jax.Array, segments_BL: jax.Array, pool: str) -> jax.Array:
    """Returns float32 [B, D]: the state of the first token ("first") or the mean over the real tokens ("mean")."""
    x_BLD = x_BLD.astype(jnp.float32)
    if pool == "first":
        return x_BLD[:, 0]
    real_BL1 = (segments_BL > 0)[:, :, None].astype(jnp.float32)
    return jnp.sum(x_BLD * real_BL1, axis=1) / jnp.maximum(jnp.sum(real_BL1, axis=1), 1.0)


class ClassificationHead(nn.Module):
    """Hidden states [B, L, D] -> logits [B, K]: a pooled state, dense, tanh, dropout, dense (Devlin et al. 2019, 4.1).

    `pool` is "first" (the state of the first token, as BERT) or "mean" (over the real tokens).
    """

    labels: int
    pool: str = "first"
    dropout: float = 0.1
    kernel_init: nn.initializers.Initializer = nn.initializers.normal(0.02)

    @nn.compact
    def __call__(self, x_BLD: jax.Array, segments_BL: jax.Array, table_VD: jax.Array, train: bool) -> jax.Array:
        x_BD = pooled(x_BLD, segments_BL, self.pool)
        x_BD = jnp.tanh(Linear(x_BD.shape[-1], kernel_init=self.kernel_init, name="pooler")(x_BD))
        x_BD = nn.Dropout(self.dropout, deterministic=not train)(x_BD)
        return Linear(self.labels, kernel_init=self.kernel_init, name="output")(x_BD)


class TaggingHead(nn.Module):
    """Hidden states [B, L, D] -> logits [B, L, K] for each token (Devlin et al. 2019, section 5.3)."""

    labels: int
    dropout: float = 0.1
    kernel_init: nn.initializers.Initializer = nn.initializers.normal(0.02)

    @nn.compact
    def __call__(self, x_BLD: jax.Array, segments_BL: jax.Array, table_VD: jax.Array, train: bool) -> jax.Array:
        x_BLD = nn.Dropout(self.dropout, deterministic=not train)(x_BLD.astype(jnp.float32))
        return Linear(self.labels, kernel_init=self.kernel_init, name="output")(x_BLD)

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""GPT-2. Its linear layers are (in, out) as ours are; query, key and value are fused."""

from collections.abc import Mapping
from typing import Any

from seqjax.interop.engine import Row
from seqjax.interop.family import Family, Json, activation, norm, published_activation, table
from seqjax.models import families
from seqjax.models.transformer_config import TransformerConfig


def gpt2_names(config: TransformerConfig) -> list[Row]:
    """The table of names of GPT-2."""
    ours, theirs = "trunk/layer_{i}", "transformer.h.{i}"
    linear = {
        "attention/query": ("attn.c_attn", "0/3"), "attention/key": ("attn.c_attn", "1/3"),
        "attention/value": ("attn.c_attn", "2/3"), "attention/output": ("attn.c_proj", ""),
        "mlp/up": ("mlp.c_fc", ""), "mlp/down": ("mlp.c_proj", ""),
    }  # fmt: skip
    return [
        table("trunk/tokens", "transformer.wte"),
        table("trunk/position", "transformer.wpe"),
        *((f"{ours}/{a}/kernel", f"{theirs}.{b}.weight", how) for a, (b, how) in linear.items()),
        *((f"{ours}/{a}/bias", f"{theirs}.{b}.bias", how) for a, (b, how) in linear.items()),
        *norm(f"{ours}/attention_norm", f"{theirs}.ln_1"),
        *norm(f"{ours}/mlp_norm", f"{theirs}.ln_2"),
        *norm("trunk/final_norm", "transformer.ln_f"),
        ("head/table", "lm_head.weight", ""),
    ]


def _config(json: Json, tensors: Mapping[str, Any]) -> TransformerConfig:
    return families.gpt2(
        vocab_size=json["vocab_size"], layers=json["n_layer"], width=json["n_embd"], heads=json["n_head"],
        mlp_width=json["n_inner"] or 4 * json["n_embd"], max_length=json["n_positions"],
        norm_epsilon=json["layer_norm_epsilon"], activation=activation(json["activation_function"]),
        dropout=json["resid_pdrop"], init_std=json["initializer_range"], scale_scores=json["scale_attn_weights"],
        tied=json["tie_word_embeddings"],
    )  # fmt: skip


def _json(config: TransformerConfig) -> Json:
    return {
        "vocab_size": config.vocab_size, "n_layer": config.layers, "n_embd": config.width, "n_head": config.heads,
        "n_inner": config.mlp_width, "n_positions": config.max_length, "layer_norm_epsilon": config.norm_epsilon,
        "activation_function": published_activation(config.activation), "resid_pdrop": config.dropout,
        "embd_pdrop": config.dropout, "attn_pdrop": config.dropout, "initializer_range": config.init_std,
        "scale_attn_weights": config.scale_scores, "tie_word_embeddings": config.tied,
    }  # fmt: skip


GPT2 = Family(
    "gpt2", "GPT2Model", ("GPT2LMHeadModel",), "transformer.",
    _config, _json, gpt2_names,
    {
        "n_inner": None, "layer_norm_epsilon": 1e-5, "activation_function": "gelu_new", "resid_pdrop": 0.1,
        "initializer_range": 0.02, "scale_attn_weights": True, "tie_word_embeddings": True,
    },
    {"scale_attn_by_inverse_layer_idx": False, "add_cross_attention": False},
    lambda config: {"lm_head.weight": "transformer.wte.weight"} if config.tied else {},
    (r"\.attn\.(bias|masked_bias)$",),
)  # fmt: skip

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Marian: the encoder-decoder of Vaswani et al. 2017 as published for translation (Tiedemann & Thottingal 2020)."""

from collections.abc import Mapping
from typing import Any

from seqjax.errors import UserError
from seqjax.interop.engine import Row
from seqjax.interop.family import Family, Json, activation, dense, norm, published_activation, table
from seqjax.models import families
from seqjax.models.transformer_config import TransformerConfig

_PARTS = {"query": "q_proj", "key": "k_proj", "value": "v_proj", "output": "out_proj"}


def marian_names(config: TransformerConfig) -> list[Row]:
    """The table of names of Marian."""
    return [
        table("trunk/tokens", "model.shared"),
        *_stack("encoder", {"attention": "self_attn"}),
        *_stack("decoder", {"attention": "self_attn", "cross_attention": "encoder_attn"}),
        ("head/table", "lm_head.weight", ""),
        ("head/bias", "final_logits_bias", "row"),
    ]


def _stack(name: str, attention: dict[str, str]) -> list[Row]:
    ours, theirs = f"trunk/{name}/layer_{{i}}", f"model.{name}.layers.{{i}}"
    rows: list[Row] = []
    for own, published in attention.items():
        for a, b in _PARTS.items():
            rows += dense(f"{ours}/{own}/{a}", f"{theirs}.{published}.{b}")
        rows += norm(f"{ours}/{own}_norm", f"{theirs}.{published}_layer_norm")
    rows += dense(f"{ours}/mlp/up", f"{theirs}.fc1") + dense(f"{ours}/mlp/down", f"{theirs}.fc2")
    return rows + norm(f"{ours}/mlp_norm", f"{theirs}.final_layer_norm")


def _config(json: Json, tensors: Mapping[str, Any]) -> TransformerConfig:
    for kind in ("attention_heads", "ffn_dim"):
        if json[f"encoder_{kind}"] != json[f"decoder_{kind}"]:
            raise UserError(f"config.json: encoder_{kind} and decoder_{kind} differ; only equal ones are supported")
    return families.transformer(
        vocab_size=json["vocab_size"], layers=json["encoder_layers"], decoder_layers=json["decoder_layers"],
        width=json["d_model"], heads=json["encoder_attention_heads"], mlp_width=json["encoder_ffn_dim"],
        max_length=json["max_position_embeddings"], activation=activation(json["activation_function"]),
        dropout=json["dropout"], init_std=json["init_std"], scale_embedding=json["scale_embedding"],
        tied=json["tie_word_embeddings"], head_bias="final_logits_bias" in tensors,
    )  # fmt: skip


def _json(config: TransformerConfig) -> Json:
    sides = {
        f"{side}_{key}": value
        for side in ("encoder", "decoder")
        for key, value in {"attention_heads": config.heads, "ffn_dim": config.mlp_width}.items()
    }
    return sides | {
        "vocab_size": config.vocab_size, "encoder_layers": config.layers, "decoder_layers": config.decoder_layers,
        "d_model": config.width, "max_position_embeddings": config.max_length,
        "activation_function": published_activation(config.activation), "dropout": config.dropout,
        "init_std": config.init_std, "scale_embedding": config.scale_embedding, "tie_word_embeddings": config.tied,
        "is_encoder_decoder": True, "pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0,
        "forced_eos_token_id": 1,
    }  # fmt: skip


MARIAN = Family(
    "marian", "MarianModel", ("MarianMTModel",), "model.",
    _config, _json, marian_names,
    {
        "activation_function": "gelu", "dropout": 0.1, "init_std": 0.02, "scale_embedding": False,
        "tie_word_embeddings": True, "max_position_embeddings": 1024,
    },
    {
        "is_encoder_decoder": True, "share_encoder_decoder_embeddings": True, "normalize_before": False,
        "normalize_embedding": False, "add_final_layer_norm": False, "static_position_embeddings": True,
    },
    lambda config: {f"model.{stack}.embed_tokens.weight": "model.shared.weight" for stack in ("encoder", "decoder")}
    | ({"lm_head.weight": "model.shared.weight"} if config.tied else {}),
    (r"\.embed_positions\.weight$",),
)  # fmt: skip

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Llama 1 and 2, and what was built like them."""

from collections.abc import Mapping
from typing import Any

from seqjax.errors import UserError
from seqjax.interop.engine import Row
from seqjax.interop.family import Family, Json, activation, dense, norm, published_activation, table
from seqjax.models import families
from seqjax.models.transformer_config import TransformerConfig


def llama_names(config: TransformerConfig) -> list[Row]:
    """The table of names of Llama."""
    ours, theirs = "trunk/layer_{i}", "model.layers.{i}"
    linear = {
        "attention/query": "self_attn.q_proj", "attention/key": "self_attn.k_proj",
        "attention/value": "self_attn.v_proj", "attention/output": "self_attn.o_proj",
        "mlp/gate": "mlp.gate_proj", "mlp/up": "mlp.up_proj", "mlp/down": "mlp.down_proj",
    }  # fmt: skip
    return [
        table("trunk/tokens", "model.embed_tokens"),
        *(row for a, b in linear.items() for row in dense(f"{ours}/{a}", f"{theirs}.{b}")),
        *norm(f"{ours}/attention_norm", f"{theirs}.input_layernorm"),
        *norm(f"{ours}/mlp_norm", f"{theirs}.post_attention_layernorm"),
        *norm("trunk/final_norm", "model.norm"),
        ("head/table", "lm_head.weight", ""),
    ]


def _config(json: Json, tensors: Mapping[str, Any]) -> TransformerConfig:
    rope: Json = {}
    for found in (json["rope_parameters"] or {}, json["rope_scaling"] or {}):
        kind = found.get("rope_type", found.get("type", "default"))
        if kind != "default":
            raise UserError(f"config.json: rotary positions of type '{kind}' are not supported, only 'default'")
        rope |= found
    theta: Any = rope.get("rope_theta", json["rope_theta"])
    if json["attention_bias"] != json["mlp_bias"]:
        raise UserError("config.json: attention_bias and mlp_bias differ; only both or neither is supported")
    heads, key_heads = json["num_attention_heads"], json["num_key_value_heads"]
    width, head_width = json["hidden_size"], json["head_dim"]
    return families.llama(
        vocab_size=json["vocab_size"], layers=json["num_hidden_layers"], width=width, heads=heads,
        kv_heads=0 if key_heads in (None, heads) else key_heads,
        head_width=0 if head_width is None or head_width * heads == width else head_width,
        mlp_width=json["intermediate_size"], max_length=json["max_position_embeddings"],
        norm_epsilon=json["rms_norm_eps"], rotary_base=float(theta),
        activation=activation(json["hidden_act"]), use_bias=json["attention_bias"],
        init_std=json["initializer_range"], tied=json["tie_word_embeddings"],
    )  # fmt: skip


def _json(config: TransformerConfig) -> Json:
    return {
        "vocab_size": config.vocab_size, "num_hidden_layers": config.layers, "hidden_size": config.width,
        "num_attention_heads": config.heads, "num_key_value_heads": config.key_heads, "head_dim": config.each_head,
        "intermediate_size": config.mlp_width, "max_position_embeddings": config.max_length,
        "rms_norm_eps": config.norm_epsilon, "rope_theta": config.rotary_base,
        "rope_parameters": {"rope_theta": config.rotary_base, "rope_type": "default"},
        "hidden_act": published_activation(config.activation), "attention_bias": config.use_bias,
        "mlp_bias": config.use_bias, "initializer_range": config.init_std, "tie_word_embeddings": config.tied,
    }  # fmt: skip


LLAMA = Family(
    "llama", "LlamaModel", ("LlamaForCausalLM",), "model.",
    _config, _json, llama_names,
    {
        "num_key_value_heads": None, "head_dim": None, "rms_norm_eps": 1e-6, "rope_theta": 10_000.0,
        "rope_parameters": None, "rope_scaling": None, "hidden_act": "silu", "attention_bias": False,
        "mlp_bias": False, "initializer_range": 0.02, "tie_word_embeddings": False, "max_position_embeddings": 2048,
    },
    {"pretraining_tp": 1},
    lambda config: {"lm_head.weight": "model.embed_tokens.weight"} if config.tied else {},
    (r"\.rotary_emb\.inv_freq$",),
)  # fmt: skip

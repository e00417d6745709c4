# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""T5 v1.0 and v1.1."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from seqjax.interop.engine import Row
from seqjax.interop.family import Family, Json, activation, norm, published_activation, table
from seqjax.models import families
from seqjax.models.transformer_config import TransformerConfig

_PARTS = {"query": "q", "key": "k", "value": "v", "output": "o"}


def t5_names(config: TransformerConfig) -> list[Row]:
    """The table of names of T5."""
    return [
        table("trunk/tokens", "shared"),
        *_stack("encoder", config.gated, {"attention": "SelfAttention"}),
        *_stack("decoder", config.gated, {"attention": "SelfAttention", "cross_attention": "EncDecAttention"}),
        ("head/table", "lm_head.weight", ""),
    ]


def _stack(name: str, gated: bool, attention: dict[str, str]) -> list[Row]:
    ours, theirs = f"trunk/{name}/layer_{{i}}", f"{name}.block.{{i}}.layer"
    rows = [table(f"trunk/{name}/relative_bias", f"{name}.block.0.layer.0.SelfAttention.relative_attention_bias")]
    for place, (own, published) in enumerate(attention.items()):
        layer = f"{theirs}.{place}"
        rows += [(f"{ours}/{own}/{a}/kernel", f"{layer}.{published}.{b}.weight", "T") for a, b in _PARTS.items()]
        rows += norm(f"{ours}/{own}_norm", f"{layer}.layer_norm")
    layer = f"{theirs}.{len(attention)}"
    parts = {"gate": "wi_0", "up": "wi_1", "down": "wo"} if gated else {"up": "wi", "down": "wo"}
    rows += [(f"{ours}/mlp/{a}/kernel", f"{layer}.DenseReluDense.{b}.weight", "T") for a, b in parts.items()]
    rows += norm(f"{ours}/mlp_norm", f"{layer}.layer_norm")
    return rows + norm(f"trunk/{name}/final_norm", f"{name}.final_layer_norm")


def _config(json: Json, tensors: Mapping[str, Any]) -> TransformerConfig:
    """Which of tying and scaling a file means has changed over time.

    Published configurations say `tie_word_embeddings` for both. Since version 5 transformers writes
    `scale_decoder_outputs`, always says that weights are tied, and goes by whether the output layer is in the file.
    """
    proj = json["feed_forward_proj"]
    tied = json["tie_word_embeddings"] is not False
    scale = json["scale_decoder_outputs"]
    return families.t5(
        vocab_size=json["vocab_size"], layers=json["num_layers"],
        decoder_layers=json["num_decoder_layers"] or json["num_layers"], width=json["d_model"],
        heads=json["num_heads"], head_width=json["d_kv"], mlp_width=json["d_ff"],
        relative_buckets=json["relative_attention_num_buckets"],
        relative_longest=json["relative_attention_max_distance"], norm_epsilon=json["layer_norm_epsilon"],
        gated=proj.startswith("gated-"),
        activation="gelu_tanh" if proj == "gated-gelu" else activation(proj.removeprefix("gated-")),
        dropout=json["dropout_rate"], scale_logits=tied if scale is None else scale,
        tied=tied and not _another_output(tensors),
    )  # fmt: skip


def _another_output(tensors: Mapping[str, Any]) -> bool:
    names = "lm_head.weight", "shared.weight"
    return all(name in tensors for name in names) and not np.array_equal(*(tensors[name] for name in names))


def _json(config: TransformerConfig) -> Json:
    name = published_activation(config.activation)
    gated = "gated-gelu" if config.activation == "gelu_tanh" else f"gated-{name}"
    return {
        "vocab_size": config.vocab_size, "num_layers": config.layers, "num_decoder_layers": config.decoder_layers,
        "d_model": config.width, "num_heads": config.heads, "d_kv": config.each_head, "d_ff": config.mlp_width,
        "relative_attention_num_buckets": config.relative_buckets,
        "relative_attention_max_distance": config.relative_longest, "layer_norm_epsilon": config.norm_epsilon,
        "feed_forward_proj": gated if config.gated else name, "dropout_rate": config.dropout,
        "tie_word_embeddings": config.tied, "scale_decoder_outputs": config.scale_logits,
        "is_encoder_decoder": True, "pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0,
    }  # fmt: skip


T5 = Family(
    "t5", "T5Model", ("T5ForConditionalGeneration",), "",
    _config, _json, t5_names,
    {
        "num_decoder_layers": None, "relative_attention_num_buckets": 32, "relative_attention_max_distance": 128,
        "layer_norm_epsilon": 1e-6, "feed_forward_proj": "relu", "dropout_rate": 0.1, "tie_word_embeddings": True,
        "scale_decoder_outputs": None,
    },
    {"is_encoder_decoder": True},
    lambda config: {f"{stack}.embed_tokens.weight": "shared.weight" for stack in ("encoder", "decoder")}
    | ({"lm_head.weight": "shared.weight"} if config.tied else {}),
    (r"^decoder\.block\.0\.layer\.1\.EncDecAttention\.relative_attention_bias\.weight$",),
)  # fmt: skip

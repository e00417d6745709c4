# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""DeBERTa's parameters in `transformers` (and in Microsoft's released files): names, and v1's fused projection."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from seqjax.interop.engine import Row
from seqjax.interop.family import Family, Json, activation, dense, norm, published_activation, table
from seqjax.models.deberta import DebertaConfig

Weights = dict[str, np.ndarray]


def name_table(config: DebertaConfig, legacy_head: bool = True) -> list[Row]:
    """Returns (our path, their name, "T" to reverse the axes or "") of every parameter; {i} is the layer's number.

    Of v1 (`key_bias` off) their names are those after `split_projections`.

    Args:
      config: the model.
      legacy_head: the output layer is at cls.predictions, as in transformers' `legacy=True`; else at
        lm_predictions.lm_head, as in the released files.
    """
    c = config

    def linear(ours: str, theirs: str, bias: bool = True) -> list[Row]:
        return dense(ours, theirs) if bias else dense(ours, theirs)[:1]

    def embedding(ours: str, theirs: str) -> list[Row]:
        return [table(f"trunk/{ours}", f"deberta.{theirs}")]

    rows = embedding("tokens", "embeddings.word_embeddings")
    if c.position_biased_input or c.mask_decoder_layers:
        rows += embedding("position", "embeddings.position_embeddings")
    if c.token_types:
        rows += embedding("token_type", "embeddings.token_type_embeddings")
    if c.embed_width:
        rows += linear("trunk/embed_projection", "deberta.embeddings.embed_proj", bias=False)
    rows += norm("trunk/embed_norm", "deberta.embeddings.LayerNorm")
    if c.c2p or c.p2c:
        rows += embedding("relative", "encoder.rel_embeddings")
        if c.relative_norm:
            rows += norm("trunk/relative_norm", "deberta.encoder.LayerNorm")
    if c.conv_width:
        rows += linear("trunk/conv", "deberta.encoder.conv.conv")
        rows += norm("trunk/conv/norm", "deberta.encoder.conv.LayerNorm")

    ours, theirs = "trunk/layer_{i}", "deberta.encoder.layer.{i}"
    for name in ("query", "key", "value"):
        rows += linear(f"{ours}/attention/{name}", f"{theirs}.attention.self.{name}_proj", name != "key" or c.key_bias)
    position_key, position_query = ("pos_key_proj", "pos_query_proj") if c.key_bias else ("pos_proj", "pos_q_proj")
    if c.c2p and not c.share_position_keys:
        rows += linear(f"{ours}/attention/position_key", f"{theirs}.attention.self.{position_key}", c.key_bias)
    if c.p2c and not c.share_position_keys:
        rows += linear(f"{ours}/attention/position_query", f"{theirs}.attention.self.{position_query}")
    rows += linear(f"{ours}/attention/output", f"{theirs}.attention.output.dense")
    rows += norm(f"{ours}/attention_norm", f"{theirs}.attention.output.LayerNorm")
    rows += linear(f"{ours}/mlp/up", f"{theirs}.intermediate.dense")
    rows += linear(f"{ours}/mlp/down", f"{theirs}.output.dense")
    rows += norm(f"{ours}/mlp_norm", f"{theirs}.output.LayerNorm")

    head, transform = ("cls.predictions", ".transform") if legacy_head else ("lm_predictions.lm_head", "")
    if c.head_transform:
        rows += linear("head/transform", f"{head}{transform}.dense")
        rows += norm("head/norm", f"{head}{transform}.LayerNorm")
    if c.head_bias:
        rows.append(("head/bias", f"{head}.bias", ""))
    if not c.tied:
        rows.append(("head/table", f"{head}.decoder.weight", ""))
    return rows


def split_projections(weights: Weights, heads: int) -> Weights:
    """Returns v1's weights with the fused `in_proj`, `q_bias` and `v_bias` as query_proj, key_proj and value_proj.

    The rows of `in_proj.weight` [3 D, D] are query, key and value of the first head, then of the second, and so on.
    """
    out = {}
    for name, value in weights.items():
        if name.endswith(".in_proj.weight"):
            width = value.shape[1]
            fused = value.reshape(heads, 3, width // heads, width)
            for i, part in enumerate(("query", "key", "value")):
                out[name.replace("in_proj", f"{part}_proj")] = fused[:, i].reshape(width, width)
        else:
            name = re.sub(r"\.q_bias$", ".query_proj.bias", name)
            out[re.sub(r"\.v_bias$", ".value_proj.bias", name)] = value
    return out


def join_projections(weights: Weights, heads: int) -> Weights:
    """Returns what `split_projections` was given."""
    out = {}
    for name, value in weights.items():
        if name.endswith((".key_proj.weight", ".value_proj.weight")):
            continue
        if name.endswith(".query_proj.weight"):
            parts = [weights[name.replace("query_proj", f"{part}_proj")] for part in ("query", "key", "value")]
            width = value.shape[1]
            fused = np.stack([part.reshape(heads, width // heads, width) for part in parts], axis=1)
            out[name.replace("query_proj", "in_proj")] = fused.reshape(3 * width, width)
        else:
            name = re.sub(r"\.query_proj\.bias$", ".q_bias", name)
            out[re.sub(r"\.value_proj\.bias$", ".v_bias", name)] = value
    return out


def _config(json: Json, second: bool) -> DebertaConfig:
    terms = json["pos_att_type"] or []
    terms = terms.lower().split("|") if isinstance(terms, str) else terms
    terms = [term.strip() for term in terms] if json["relative_attention"] else []
    narrow = json["embedding_size"] or json["hidden_size"]
    own = {
        "relative_buckets": max(json["position_buckets"], 0), "share_position_keys": json["share_att_key"],
        "relative_norm": "layer_norm" in json["norm_rel_ebd"], "conv_width": json["conv_kernel_size"],
        "conv_activation": activation(json["conv_act"] if json["conv_kernel_size"] else "gelu"),
    }  # fmt: skip
    return DebertaConfig(
        vocab_size=json["vocab_size"], layers=json["num_hidden_layers"], width=json["hidden_size"],
        heads=json["num_attention_heads"], mlp_width=json["intermediate_size"],
        max_length=json["max_position_embeddings"], norm_epsilon=json["layer_norm_eps"],
        token_types=json["type_vocab_size"], embed_width=narrow if narrow != json["hidden_size"] else 0,
        position_biased_input=json["position_biased_input"], c2p="c2p" in terms, p2c="p2c" in terms,
        relative_span=max(json["max_relative_positions"], 0), activation=activation(json["hidden_act"]),
        dropout=json["hidden_dropout_prob"], init_std=json["initializer_range"], tied=json["tie_word_embeddings"],
        key_bias=second, **(own if second else {}),
    )  # fmt: skip


def _json(config: DebertaConfig) -> Json:
    c = config
    terms = [name for name in ("c2p", "p2c") if getattr(c, name)]
    json: Json = {
        "vocab_size": c.vocab_size, "num_hidden_layers": c.layers, "hidden_size": c.width,
        "num_attention_heads": c.heads, "intermediate_size": c.mlp_width, "max_position_embeddings": c.max_length,
        "layer_norm_eps": c.norm_epsilon, "type_vocab_size": c.token_types,
        "embedding_size": c.embed_width or c.width, "position_biased_input": c.position_biased_input,
        "relative_attention": bool(terms), "pos_att_type": "|".join(terms),
        "hidden_act": published_activation(c.activation), "max_relative_positions": c.relative_span or -1,
        "hidden_dropout_prob": c.dropout, "attention_probs_dropout_prob": c.dropout, "initializer_range": c.init_std,
        "tie_word_embeddings": c.tied,
    }  # fmt: skip
    if not c.key_bias:
        return json
    return json | {
        "position_buckets": c.relative_buckets or -1, "share_att_key": c.share_position_keys,
        "norm_rel_ebd": "layer_norm" if c.relative_norm else "none", "conv_kernel_size": c.conv_width,
        "conv_act": published_activation(c.conv_activation),
    }  # fmt: skip


def _one_head(tensors: Weights) -> Weights:
    """The released files call the head's parts otherwise than transformers does by default."""
    inner = re.compile(r"^lm_predictions\.lm_head\.(?=dense|LayerNorm)")
    outer = re.compile(r"^lm_predictions\.lm_head\.")
    names = {name: outer.sub("cls.predictions.", inner.sub("cls.predictions.transform.", name)) for name in tensors}
    return {names[name]: tensor for name, tensor in tensors.items()}


def _copies(config: DebertaConfig) -> dict[str, str]:
    if not config.tied:
        return {}
    table, bias = "deberta.embeddings.word_embeddings.weight", "cls.predictions.bias"
    return {"cls.predictions.decoder.weight": table, "cls.predictions.decoder.bias": bias}


_DEFAULTS: Json = {
    "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "initializer_range": 0.02, "layer_norm_eps": 1e-7,
    "max_position_embeddings": 512, "type_vocab_size": 0, "relative_attention": False, "max_relative_positions": -1,
    "position_biased_input": True, "pos_att_type": None, "tie_word_embeddings": True, "embedding_size": 0,
    "position_buckets": -1, "share_att_key": False, "norm_rel_ebd": "none", "conv_kernel_size": 0, "conv_act": "tanh",
}  # fmt: skip
_BUFFERS = (r"embeddings\.position_ids$",)
_SPARE = (r"^pooler\.", r"^mask_predictions\.")  # a fine-tuned head's; v3's detector of replaced tokens


def _first(json: Json, tensors: Mapping[str, Any]) -> DebertaConfig:
    return _config(json, second=False)


def _second(json: Json, tensors: Mapping[str, Any]) -> DebertaConfig:
    return _config(json, second=True)


DEBERTA = Family(
    "deberta", "DebertaModel", ("DebertaForMaskedLM",), "deberta.", _first, _json, name_table,
    _DEFAULTS | {"vocab_size": 50_265}, {}, _copies, _BUFFERS, _SPARE, DebertaConfig,
    lambda tensors, config: split_projections(_one_head(tensors), config.heads),
    lambda tensors, config: join_projections(tensors, config.heads),
)  # fmt: skip
DEBERTA_V2 = Family(
    "deberta-v2", "DebertaV2Model", ("DebertaV2ForMaskedLM",), "deberta.", _second, _json, name_table,
    _DEFAULTS | {"vocab_size": 128_100}, {"conv_groups": 1}, _copies, _BUFFERS, _SPARE, DebertaConfig,
    lambda tensors, config: _one_head(tensors),
)  # fmt: skip

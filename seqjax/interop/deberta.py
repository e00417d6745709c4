# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""DeBERTa's parameters in `transformers` (and in Microsoft's released files): names, and v1's fused projection."""

import re

import numpy as np

from seqjax.models.deberta import DebertaConfig

Weights = dict[str, np.ndarray]


def name_table(config: DebertaConfig, legacy_head: bool = True) -> list[tuple[str, str, str]]:
    """Returns (our path, their name, "T" to reverse the axes or "") of every parameter; {i} is the layer's number.

    Of v1 (`key_bias` off) their names are those after `split_projections`.

    Args:
      config: the model.
      legacy_head: the output layer is at cls.predictions, as in transformers' `legacy=True`; else at
        lm_predictions.lm_head, as in the released files.
    """
    c = config

    def linear(ours: str, theirs: str, bias: bool = True) -> list[tuple[str, str, str]]:
        kernel = (f"{ours}/kernel", f"{theirs}.weight", "T")
        return [kernel, (f"{ours}/bias", f"{theirs}.bias", "")] if bias else [kernel]

    def norm(ours: str, theirs: str) -> list[tuple[str, str, str]]:
        return [(f"{ours}/scale", f"{theirs}.weight", ""), (f"{ours}/bias", f"{theirs}.bias", "")]

    def embedding(ours: str, theirs: str) -> list[tuple[str, str, str]]:
        return [(f"trunk/{ours}/embedding", f"deberta.{theirs}.weight", "")]

    table = embedding("tokens", "embeddings.word_embeddings")
    if c.position_biased_input or c.mask_decoder_layers:
        table += embedding("position", "embeddings.position_embeddings")
    if c.token_types:
        table += embedding("token_type", "embeddings.token_type_embeddings")
    if c.embed_width:
        table += linear("trunk/embed_projection", "deberta.embeddings.embed_proj", bias=False)
    table += norm("trunk/embed_norm", "deberta.embeddings.LayerNorm")
    if c.c2p or c.p2c:
        table += embedding("relative", "encoder.rel_embeddings")
        if c.relative_norm:
            table += norm("trunk/relative_norm", "deberta.encoder.LayerNorm")
    if c.conv_width:
        table += linear("trunk/conv", "deberta.encoder.conv.conv")
        table += norm("trunk/conv/norm", "deberta.encoder.conv.LayerNorm")

    ours, theirs = "trunk/layer_{i}", "deberta.encoder.layer.{i}"
    for name in ("query", "key", "value"):
        table += linear(f"{ours}/attention/{name}", f"{theirs}.attention.self.{name}_proj", name != "key" or c.key_bias)
    position_key, position_query = ("pos_key_proj", "pos_query_proj") if c.key_bias else ("pos_proj", "pos_q_proj")
    if c.c2p and not c.share_position_keys:
        table += linear(f"{ours}/attention/position_key", f"{theirs}.attention.self.{position_key}", c.key_bias)
    if c.p2c and not c.share_position_keys:
        table += linear(f"{ours}/attention/position_query", f"{theirs}.attention.self.{position_query}")
    table += linear(f"{ours}/attention/output", f"{theirs}.attention.output.dense")
    table += norm(f"{ours}/attention_norm", f"{theirs}.attention.output.LayerNorm")
    table += linear(f"{ours}/mlp/up", f"{theirs}.intermediate.dense")
    table += linear(f"{ours}/mlp/down", f"{theirs}.output.dense")
    table += norm(f"{ours}/mlp_norm", f"{theirs}.output.LayerNorm")

    head, transform = ("cls.predictions", ".transform") if legacy_head else ("lm_predictions.lm_head", "")
    if c.head_transform:
        table += linear("head/transform", f"{head}{transform}.dense")
        table += norm("head/norm", f"{head}{transform}.LayerNorm")
    if c.head_bias:
        table.append(("head/bias", f"{head}.bias", ""))
    if not c.tied:
        table.append(("head/table", f"{head}.decoder.weight", ""))
    return table


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

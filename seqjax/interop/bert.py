# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""BERT, RoBERTa and ELECTRA: encoders with learned positions, normalised after each part."""

from collections.abc import Mapping
from typing import Any

from seqjax.errors import UserError
from seqjax.interop.engine import Row
from seqjax.interop.family import Family, Json, activation, dense, norm, published_activation, table
from seqjax.models import families
from seqjax.models.transformer_config import TransformerConfig

_DEFAULTS: Json = {
    "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "initializer_range": 0.02, "layer_norm_eps": 1e-12,
    "type_vocab_size": 2, "tie_word_embeddings": True,
}  # fmt: skip
_FIXED: Json = {"position_embedding_type": "absolute", "is_decoder": False, "add_cross_attention": False}
_BUFFERS = (r"embeddings\.(position_ids|token_type_ids)$",)


def _common(json: Json) -> Json:
    return {
        "vocab_size": json["vocab_size"], "layers": json["num_hidden_layers"], "width": json["hidden_size"],
        "heads": json["num_attention_heads"], "mlp_width": json["intermediate_size"],
        "max_length": json["max_position_embeddings"], "token_types": json["type_vocab_size"],
        "norm_epsilon": json["layer_norm_eps"], "activation": activation(json["hidden_act"]),
        "dropout": json["hidden_dropout_prob"], "init_std": json["initializer_range"],
        "tied": json["tie_word_embeddings"],
    }  # fmt: skip


def _json(config: TransformerConfig) -> Json:
    return {
        "vocab_size": config.vocab_size, "num_hidden_layers": config.layers, "hidden_size": config.width,
        "num_attention_heads": config.heads, "intermediate_size": config.mlp_width,
        "max_position_embeddings": config.max_length, "type_vocab_size": config.token_types,
        "layer_norm_eps": config.norm_epsilon, "hidden_act": published_activation(config.activation),
        "hidden_dropout_prob": config.dropout, "attention_probs_dropout_prob": config.dropout,
        "initializer_range": config.init_std, "tie_word_embeddings": config.tied,
    }  # fmt: skip


def _encoder(prefix: str) -> list[Row]:
    ours, theirs = "trunk/layer_{i}", f"{prefix}.encoder.layer.{{i}}"
    embeddings = f"{prefix}.embeddings"
    return [
        table("trunk/tokens", f"{embeddings}.word_embeddings"),
        table("trunk/position", f"{embeddings}.position_embeddings"),
        table("trunk/token_type", f"{embeddings}.token_type_embeddings"),
        *norm("trunk/embed_norm", f"{embeddings}.LayerNorm"),
        *dense(f"{ours}/attention/query", f"{theirs}.attention.self.query"),
        *dense(f"{ours}/attention/key", f"{theirs}.attention.self.key"),
        *dense(f"{ours}/attention/value", f"{theirs}.attention.self.value"),
        *dense(f"{ours}/attention/output", f"{theirs}.attention.output.dense"),
        *norm(f"{ours}/attention_norm", f"{theirs}.attention.output.LayerNorm"),
        *dense(f"{ours}/mlp/up", f"{theirs}.intermediate.dense"),
        *dense(f"{ours}/mlp/down", f"{theirs}.output.dense"),
        *norm(f"{ours}/mlp_norm", f"{theirs}.output.LayerNorm"),
    ]


def _masked_lm(config: TransformerConfig, dense_name: str, norm_name: str, output: str, tied_bias: str) -> list[Row]:
    """The head; where the output layer is not tied it has a bias of its own, and the bias beside it is never used."""
    bias = tied_bias if config.tied else f"{output}.bias"
    return [
        *dense("head/transform", dense_name),
        *norm("head/norm", norm_name),
        ("head/table", f"{output}.weight", ""),
        ("head/bias", bias, ""),
    ]


def bert_names(config: TransformerConfig) -> list[Row]:
    """The table of names of BERT."""
    head = "cls.predictions"
    transform = f"{head}.transform"
    rows = _masked_lm(config, f"{transform}.dense", f"{transform}.LayerNorm", f"{head}.decoder", f"{head}.bias")
    return _encoder("bert") + rows


def roberta_names(config: TransformerConfig) -> list[Row]:
    """The table of names of RoBERTa."""
    rows = _masked_lm(config, "lm_head.dense", "lm_head.layer_norm", "lm_head.decoder", "lm_head.bias")
    return _encoder("roberta") + rows


def electra_names(config: TransformerConfig) -> list[Row]:
    """The table of names of ELECTRA."""
    head, output = "generator_predictions", "generator_lm_head"
    rows = _masked_lm(config, f"{head}.dense", f"{head}.LayerNorm", output, f"{output}.bias")
    return [*_encoder("electra"), *dense("trunk/embed_projection", "electra.embeddings_project"), *rows]


def _bert_config(json: Json, tensors: Mapping[str, Any]) -> TransformerConfig:
    return families.bert(**_common(json))


def _gelu_head(json: Json, tensors: Mapping[str, Any], prefix: str) -> None:
    """The heads of RoBERTa and ELECTRA have the exact GELU whatever the layers have; here the two are one setting."""
    if json["hidden_act"] != "gelu" and any(name.startswith(prefix) for name in tensors):
        raise UserError(f"config.json: the head has gelu, hidden_act is '{json['hidden_act']}'; they must be the same")


def _roberta_config(json: Json, tensors: Mapping[str, Any]) -> TransformerConfig:
    """The first position is the row after that of the padding token."""
    _gelu_head(json, tensors, "lm_head.")
    offset = json["pad_token_id"] + 1
    length = json["max_position_embeddings"] - offset
    return families.roberta(**_common(json) | {"position_offset": offset, "max_length": length})


def _roberta_json(config: TransformerConfig) -> Json:
    rows = config.max_length + config.position_offset
    return _json(config) | {"pad_token_id": max(config.position_offset - 1, 0), "max_position_embeddings": rows}


def _electra_config(json: Json, tensors: Mapping[str, Any]) -> TransformerConfig:
    _gelu_head(json, tensors, "generator_")
    narrow = json["embedding_size"] if json["embedding_size"] != json["hidden_size"] else 0
    return families.electra(**_common(json) | {"embed_width": narrow})


def _electra_json(config: TransformerConfig) -> Json:
    return _json(config) | {"embedding_size": config.embed_width or config.width}


def _tied(tables: str, output: str, bias: str) -> Any:
    def copies(config: TransformerConfig) -> dict[str, str]:
        return {f"{output}.weight": tables, f"{output}.bias": bias} if config.tied else {}

    return copies


BERT = Family(
    "bert", "BertModel", ("BertForMaskedLM", "BertForPreTraining"), "bert.",
    _bert_config, _json, bert_names, _DEFAULTS, _FIXED,
    _tied("bert.embeddings.word_embeddings.weight", "cls.predictions.decoder", "cls.predictions.bias"),
    (*_BUFFERS, r"^cls\.predictions\.bias$"),
    (r"^bert\.pooler\.", r"^cls\.seq_relationship\."),
)  # fmt: skip
ROBERTA = Family(
    "roberta", "RobertaModel", ("RobertaForMaskedLM",), "roberta.",
    _roberta_config, _roberta_json, roberta_names, _DEFAULTS | {"pad_token_id": 1}, _FIXED,
    _tied("roberta.embeddings.word_embeddings.weight", "lm_head.decoder", "lm_head.bias"),
    (*_BUFFERS, r"^lm_head\.bias$"),
    (r"^roberta\.pooler\.",),
)  # fmt: skip
ELECTRA = Family(
    "electra", "ElectraModel", ("ElectraForMaskedLM",), "electra.",
    _electra_config, _electra_json, electra_names, _DEFAULTS | {"embedding_size": 128}, _FIXED,
    lambda config: {"generator_lm_head.weight": "electra.embeddings.word_embeddings.weight"} if config.tied else {},
    _BUFFERS,
    (r"^discriminator_predictions\.",),
)  # fmt: skip

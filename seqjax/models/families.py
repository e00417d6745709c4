# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The published models as settings of the one stack; each line cites the table that it follows.

    model = build(families.size("bert_base"))
    model = build(families.size("t5_small", dropout=0.0))  # any setting may be changed
    model = build(families.gpt2(layers=4, width=256, heads=4, mlp_width=1024))  # a family at a size of one's own

DeBERTa, whose attention is its own, has its sizes in `seqjax.models.deberta`.
"""

import dataclasses
from typing import Any

from seqjax.models.transformer_config import TransformerConfig


def transformer(**changes: Any) -> TransformerConfig:
    """The encoder-decoder of Vaswani et al. 2017; the defaults are the base model of its table 3."""
    settings: dict[str, Any] = {
        "vocab_size": 37_000, "layers": 6, "decoder_layers": 6, "width": 512, "heads": 8, "mlp_width": 2048,
        "norm": "post", "positions": "sinusoidal", "scale_embedding": True, "activation": "relu",
        "scale_residual_init": False, "init_std": 512**-0.5,
    }  # fmt: skip
    return TransformerConfig(**settings | changes)


def bert(**changes: Any) -> TransformerConfig:
    """Devlin et al. 2019, section 3; the defaults are BERT-base, uncased."""
    settings: dict[str, Any] = {
        "vocab_size": 30_522, "max_length": 512, "causal": False, "norm": "post", "norm_epsilon": 1e-12,
        "token_types": 2, "embed_norm": True, "activation": "gelu", "head_transform": True, "head_bias": True,
        "scale_residual_init": False,
    }  # fmt: skip
    return TransformerConfig(**settings | changes)


def roberta(**changes: Any) -> TransformerConfig:
    """Liu et al. 2019, table 9; the defaults are RoBERTa-base. Its positions begin at row 2 of their table."""
    settings = {"vocab_size": 50_265, "token_types": 1, "norm_epsilon": 1e-5, "position_offset": 2}
    return bert(**settings | changes)


def electra(**changes: Any) -> TransformerConfig:
    """Clark et al. 2020, table 6; the defaults are ELECTRA-small's discriminator (embeddings of 128, layers of 256)."""
    settings = {"width": 256, "heads": 4, "mlp_width": 1024, "embed_width": 128}
    return bert(**settings | changes)


def gpt2(**changes: Any) -> TransformerConfig:
    """Radford et al. 2019, table 2; the defaults are the smallest model (117M in the paper, 124M as released)."""
    return TransformerConfig(**{"vocab_size": 50_257} | changes)


def t5(**changes: Any) -> TransformerConfig:
    """T5 v1.0 (Raffel et al. 2020, section 2.1 and 3.1.1); the defaults are T5-small (section 3.7)."""
    settings: dict[str, Any] = {
        "vocab_size": 32_128, "layers": 6, "decoder_layers": 6, "width": 512, "heads": 8, "head_width": 64,
        "mlp_width": 2048, "norm_type": "rms", "norm_epsilon": 1e-6, "positions": "relative", "scale_scores": False,
        "activation": "relu", "use_bias": False, "inner_dropout": True, "scale_logits": True,
        "scale_residual_init": False,
    }  # fmt: skip
    return TransformerConfig(**settings | changes)


def t5_v1_1(**changes: Any) -> TransformerConfig:
    """T5 v1.1: gated GELU, untied output layer (Shazeer 2020; sizes: Xue et al. 2021, mT5, section 3.2)."""
    settings: dict[str, Any] = {
        "layers": 8, "decoder_layers": 8, "heads": 6, "mlp_width": 1024, "activation": "gelu_tanh", "gated": True,
        "tied": False, "scale_logits": False,
    }  # fmt: skip
    return t5(**settings | changes)


def llama(**changes: Any) -> TransformerConfig:
    """Touvron et al. 2023, table 2; the defaults are Llama 7B."""
    settings: dict[str, Any] = {
        "vocab_size": 32_000, "layers": 32, "width": 4096, "heads": 32, "mlp_width": 11_008, "max_length": 2048,
        "norm_type": "rms", "norm_epsilon": 1e-6, "positions": "rotary", "activation": "silu", "gated": True,
        "use_bias": False, "tied": False, "dropout": 0.0, "scale_residual_init": False,
    }  # fmt: skip
    return TransformerConfig(**settings | changes)


def _shape(layers: int, width: int, heads: int, mlp_width: int) -> dict[str, Any]:
    return {"layers": layers, "width": width, "heads": heads, "mlp_width": mlp_width}


_LARGE = _shape(24, 1024, 16, 4096)
_T5_11 = {"mlp_width": 2048, "width": 768, "heads": 12, "layers": 12, "decoder_layers": 12}

# Name -> settings. Where a line says no more, its table is the one that the family's function cites.
SIZES: dict[str, TransformerConfig] = {
    "transformer_base": transformer(),
    "transformer_big": transformer(width=1024, heads=16, mlp_width=4096, dropout=0.3, init_std=1024**-0.5),
    "bert_tiny": bert(**_shape(2, 128, 2, 512)),  # Turc et al. 2019, table 1
    "bert_mini": bert(**_shape(4, 256, 4, 1024)),
    "bert_small": bert(**_shape(4, 512, 8, 2048)),
    "bert_medium": bert(**_shape(8, 512, 8, 2048)),
    "bert_base": bert(),
    "bert_base_cased": bert(vocab_size=28_996),
    "bert_large": bert(**_LARGE),
    "roberta_base": roberta(),
    "roberta_large": roberta(**_LARGE),
    "electra_small": electra(),
    "electra_small_generator": electra(),  # as released: as wide as the discriminator
    "electra_base": electra(**_shape(12, 768, 12, 3072), embed_width=0),
    "electra_base_generator": electra(**_shape(12, 256, 4, 1024), embed_width=768),  # a third of 768, section 3.2
    "electra_large": electra(**_LARGE, embed_width=0),
    "gpt2_small": gpt2(),
    "gpt2_medium": gpt2(**_LARGE),
    "gpt2_large": gpt2(**_shape(36, 1280, 20, 5120)),
    "gpt2_xl": gpt2(**_shape(48, 1600, 25, 6400)),
    "t5_small": t5(),
    "t5_base": t5(layers=12, decoder_layers=12, width=768, heads=12, mlp_width=3072),
    "t5_large": t5(layers=24, decoder_layers=24, width=1024, heads=16, mlp_width=4096),
    "t5_3b": t5(layers=24, decoder_layers=24, width=1024, heads=32, head_width=128, mlp_width=16_384),
    "t5_11b": t5(layers=24, decoder_layers=24, width=1024, heads=128, head_width=128, mlp_width=65_536),
    "t5_v1_1_small": t5_v1_1(),
    "t5_v1_1_base": t5_v1_1(**_T5_11),
    "t5_v1_1_large": t5_v1_1(layers=24, decoder_layers=24, width=1024, heads=16, mlp_width=2816),
    "t5_v1_1_xl": t5_v1_1(layers=24, decoder_layers=24, width=2048, heads=32, mlp_width=5120),
    "llama_7b": llama(),
    "llama_13b": llama(**_shape(40, 5120, 40, 13_824)),
    "llama_33b": llama(**_shape(60, 6656, 52, 17_920)),
    "llama_65b": llama(**_shape(80, 8192, 64, 22_016)),
    "llama2_70b": llama(  # Touvron et al. 2023b, table 1: grouped-query attention
        **_shape(80, 8192, 64, 28_672), kv_heads=8, norm_epsilon=1e-5, max_length=4096
    ),
}


def size(name: str, **changes: Any) -> TransformerConfig:
    """Returns one of `SIZES` by name, with changes."""
    return dataclasses.replace(SIZES[name], **changes)

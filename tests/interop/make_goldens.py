# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/goldens/interop: a tiny checkpoint of each family, and the logits that `transformers` says for it.

python -m tests.interop.make_goldens [NAME ...]     needs what requirements-parity.txt lists
"""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import torch
import transformers

from tests.parity import families

GOLDENS = Path(__file__).parents[1] / "goldens" / "interop"
SEED = 7


def encoder(**changes):
    return {
        "vocab_size": families.VOCAB, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2,
        "intermediate_size": 12, "max_position_embeddings": 14, "attn_implementation": "eager",
        "pad_token_id": families.PAD,
    } | changes  # fmt: skip


GPT2 = {
    "vocab_size": families.VOCAB, "n_embd": 8, "n_layer": 2, "n_head": 2, "n_positions": 12, "bos_token_id": None,
    "eos_token_id": None, "attn_implementation": "eager",
}  # fmt: skip
T5 = {
    "vocab_size": families.VOCAB, "d_model": 8, "d_kv": 5, "d_ff": 12, "num_layers": 1, "num_decoder_layers": 2,
    "num_heads": 2, "relative_attention_num_buckets": 8, "relative_attention_max_distance": 10,
    "decoder_start_token_id": 0, "attn_implementation": "eager",
}  # fmt: skip
MARIAN = {
    "vocab_size": families.VOCAB, "d_model": 8, "encoder_layers": 1, "decoder_layers": 2, "encoder_ffn_dim": 12,
    "decoder_ffn_dim": 12, "encoder_attention_heads": 2, "decoder_attention_heads": 2, "max_position_embeddings": 12,
    "pad_token_id": families.PAD, "eos_token_id": 0, "forced_eos_token_id": 0, "scale_embedding": True,
    "decoder_start_token_id": families.PAD, "activation_function": "relu", "attn_implementation": "eager",
}  # fmt: skip
DEBERTA = {
    "type_vocab_size": 2, "relative_attention": True, "pos_att_type": ["c2p", "p2c"], "position_biased_input": False,
    "max_relative_positions": 9,
}  # fmt: skip
DEBERTA_V2 = DEBERTA | {
    "position_buckets": 4, "norm_rel_ebd": "layer_norm", "share_att_key": True, "conv_kernel_size": 3,
    "conv_act": "gelu",
}  # fmt: skip
CASES = {
    "bert": families.Case("bert", transformers.BertForPreTraining, encoder()),
    "bert-trunk": families.Case("bert-trunk", transformers.BertModel, encoder()),
    "roberta": families.Case("roberta", transformers.RobertaForMaskedLM, encoder(type_vocab_size=1)),
    "electra": families.Case("electra", transformers.ElectraForMaskedLM, encoder(embedding_size=6)),
    "electra-trunk": families.Case("electra-trunk", transformers.ElectraModel, encoder(embedding_size=6)),
    "deberta": families.Case("deberta", transformers.DebertaForMaskedLM, encoder(**DEBERTA)),
    "deberta-v2": families.Case("deberta-v2", transformers.DebertaV2ForMaskedLM, encoder(**DEBERTA_V2)),
    "gpt2": families.Case("gpt2", transformers.GPT2LMHeadModel, GPT2),
    "t5": families.Case("t5", transformers.T5ForConditionalGeneration, T5),
    "t5-1.1": families.Case(
        "t5-1.1", transformers.T5ForConditionalGeneration,
        T5 | {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}, untied=True,
    ),
    "llama": families.Case(
        "llama", transformers.LlamaForCausalLM, encoder(num_key_value_heads=1, head_dim=6, pad_token_id=None)
    ),
    "marian": families.Case("marian", transformers.MarianMTModel, MARIAN, left=False),
}  # fmt: skip


def main(names):
    for name, case in CASES.items():
        if names and name not in names:
            continue
        shutil.rmtree(GOLDENS / name, ignore_errors=True)
        model = families.theirs(case, SEED)
        model.save_pretrained(GOLDENS / name)
        (GOLDENS / name / "generation_config.json").unlink(missing_ok=True)
        settings = json.loads((GOLDENS / name / "config.json").read_text())
        (GOLDENS / name / "config.json").write_text(json.dumps(settings, indent=1, sort_keys=True) + "\n")
        batch = families.batch(case, SEED, length=7)
        with torch.no_grad():
            wanted = families.logits(model(**families.their_inputs(case, batch))).numpy()
        np.savez_compressed(GOLDENS / name / "expected.npz", **batch, wanted=wanted)


if __name__ == "__main__":
    main(sys.argv[1:])

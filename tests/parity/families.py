# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Random small models of `transformers`, with weights that let a mistake show, and what both libraries make of a batch."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import torch
import transformers

from seqjax.interop import engine, folders

VOCAB = 41
PAD = 1
transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()


@dataclasses.dataclass
class Case:
    """A model of theirs, and how it is read."""

    family: str
    kind: type
    settings: dict
    left: bool = True  # rows padded on the left too; Marian counts padding as places
    untied: bool = False  # T5: their class ties always, unless the output layer is given


def pick(rng, **choices):
    return {name: values[rng.integers(len(values))] for name, values in choices.items()}


def encoder(rng, **extra):
    heads = int(rng.choice([1, 2, 4]))
    return {
        "vocab_size": VOCAB, "hidden_size": heads * 8, "num_attention_heads": heads, "max_position_embeddings": 19,
        "attn_implementation": "eager", "pad_token_id": PAD,
        **pick(rng, num_hidden_layers=[1, 2, 3], intermediate_size=[20, 48], type_vocab_size=[1, 2, 3],
               hidden_act=["gelu", "relu", "gelu_new", "silu"], tie_word_embeddings=[True, True, False],
               layer_norm_eps=[1e-12, 1e-5]),
    } | extra  # fmt: skip


def gpt2(rng):
    heads = int(rng.choice([1, 2, 3]))
    return {
        "vocab_size": VOCAB, "n_embd": heads * 8, "n_head": heads, "n_positions": 17, "bos_token_id": None,
        "eos_token_id": None, "attn_implementation": "eager",
        **pick(rng, n_layer=[1, 2, 3], n_inner=[None, 20], activation_function=["gelu_new", "gelu", "relu"],
               tie_word_embeddings=[True, True, False], scale_attn_weights=[True, True, False]),
    }  # fmt: skip


def t5(rng, acts):
    return {
        "vocab_size": VOCAB, "d_model": 24, "decoder_start_token_id": 0, "attn_implementation": "eager",
        **pick(rng, d_kv=[5, 8], d_ff=[20, 48], num_layers=[1, 2], num_decoder_layers=[3, 1, 2], num_heads=[2, 3, 4],
               relative_attention_num_buckets=[6, 8, 32], relative_attention_max_distance=[32, 40, 128],
               feed_forward_proj=acts),
    }  # fmt: skip


def llama(rng):
    heads, groups = [(4, 2), (4, 4), (6, 2), (4, 1)][rng.integers(4)]
    bias = bool(rng.integers(2))
    return {
        "vocab_size": VOCAB, "hidden_size": heads * 8, "num_attention_heads": heads, "num_key_value_heads": groups,
        "attention_bias": bias, "mlp_bias": bias, "max_position_embeddings": 32, "attn_implementation": "eager",
        "rope_parameters": {"rope_type": "default", "rope_theta": float(rng.choice([1e4, 5e5, 100.0]))},
        **pick(rng, head_dim=[8, 6, 12], num_hidden_layers=[1, 2, 3], intermediate_size=[20, 48],
               hidden_act=["silu", "gelu"], tie_word_embeddings=[True, False], rms_norm_eps=[1e-6, 1e-5]),
    }  # fmt: skip


def marian(rng):
    heads, width = int(rng.choice([2, 3])), int(rng.choice([20, 48]))
    return {
        "vocab_size": VOCAB, "d_model": heads * 8, "encoder_attention_heads": heads, "decoder_attention_heads": heads,
        "encoder_ffn_dim": width, "decoder_ffn_dim": width, "max_position_embeddings": 16, "pad_token_id": PAD,
        "eos_token_id": 0, "forced_eos_token_id": 0, "decoder_start_token_id": PAD, "attn_implementation": "eager",
        **pick(rng, encoder_layers=[1, 2], decoder_layers=[3, 1, 2], scale_embedding=[True, False],
               activation_function=["relu", "gelu", "silu"]),
    }  # fmt: skip


def cases(seeds=3):
    """Returns {name: case}: each family `seeds` times, each time with other settings."""
    found = {}
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        bert, roberta = encoder(rng), encoder(rng, hidden_act="gelu")
        electra = encoder(rng, embedding_size=[6, 12, 8][seed], hidden_act="gelu")
        discriminator = encoder(rng, embedding_size=[6, 12, 8][seed])
        every = [
            Case("bert", transformers.BertForMaskedLM, bert),
            Case("bert-trunk", transformers.BertModel, encoder(rng)),
            Case("roberta", transformers.RobertaForMaskedLM, roberta),
            Case("roberta-trunk", transformers.RobertaModel, encoder(rng)),
            Case("electra", transformers.ElectraForMaskedLM, electra),
            Case("electra-trunk", transformers.ElectraModel, discriminator),
            Case("gpt2", transformers.GPT2LMHeadModel, gpt2(rng)),
            Case("t5", transformers.T5ForConditionalGeneration, t5(rng, ["relu", "gelu"])),
            Case("t5-1.1", transformers.T5ForConditionalGeneration,
                 t5(rng, ["gated-gelu", "gated-silu"]) | {"tie_word_embeddings": False}, untied=True),
            Case("llama", transformers.LlamaForCausalLM, llama(rng)),
            Case("marian", transformers.MarianMTModel, marian(rng), left=False),
        ]  # fmt: skip
        found |= {f"{case.family}-{seed}": case for case in every}
    found["bert-pretraining"] = Case("bert", transformers.BertForPreTraining, encoder(np.random.default_rng(9)))
    return found


def theirs(case, seed=0):
    """Returns their model, in evaluation mode, with random weights: activations are of the order of 1."""
    torch.manual_seed(seed)
    model = case.kind(getattr(transformers, case.kind.config_class.__name__)(**case.settings))
    if case.untied:
        model.lm_head.weight = torch.nn.Parameter(torch.empty(VOCAB, case.settings["d_model"]))
    tables = {id(module.weight) for module in model.modules() if isinstance(module, torch.nn.Embedding)}
    with torch.no_grad():
        for name, parameter in [*model.named_parameters(), *model.named_buffers()]:
            if "embed_positions" in name or not parameter.is_floating_point() or "inv_freq" in name:
                continue
            noise = torch.randn_like(parameter)
            if parameter.ndim < 2 or name == "final_logits_bias":
                parameter.copy_(0.3 * noise + (1.0 if "norm" in name.lower() and "weight" in name else 0.0))
                parameter.add_(1.0 if ".ln_" in name and "weight" in name else 0.0)
            elif id(parameter) in tables:
                parameter.copy_(0.5 * noise)
            else:
                fan_in = parameter.shape[0 if "c_" in name else 1]
                queries = "SelfAttention.q" in name or "EncDecAttention.q" in name  # T5 does not scale its scores
                scale = case.settings.get("d_kv", 1) if queries else 1
                parameter.copy_(noise / (fan_in * scale) ** 0.5)
    return model.eval()


def batch(case, seed=0, length=9):
    """Returns tokens, mask, targets, token types [B, L], and sources for an encoder-decoder: 3 rows, two of them padded."""
    rng = np.random.default_rng(seed)
    pads = ((0, 0), (2 if case.left else 0, 1), (0, 4))

    def rows(length):
        mask = np.ones((3, length), np.int32)
        for row, (left, right) in enumerate(pads):
            mask[row, :left] = 0
            mask[row, length - right :] = 0
        return np.where(mask, rng.integers(2, VOCAB, (3, length)), PAD).astype(np.int32), mask

    tokens, mask = rows(length)
    out = {"tokens": tokens, "mask": mask, "targets": rng.integers(0, 6, (3, length))}
    types = case.settings.get("type_vocab_size")
    if types:
        out["types"] = rng.integers(0, types, (3, length)).astype(np.int32)
    if case.kind.config_class.__name__ in ("T5Config", "MarianConfig"):
        out["source"], out["source_mask"] = rows(length + 3)
    return out


def their_inputs(case, batch):
    inputs = {"input_ids": batch["tokens"], "attention_mask": batch["mask"]}
    if "source" in batch:
        inputs = {
            "input_ids": batch["source"], "attention_mask": batch["source_mask"],
            "decoder_input_ids": batch["tokens"], "decoder_attention_mask": batch["mask"],
        }  # fmt: skip
    elif not case.family.startswith("roberta"):  # which finds its positions itself
        inputs["position_ids"] = np.maximum(np.cumsum(batch["mask"], axis=1) - 1, 0)
    if "types" in batch:
        inputs["token_type_ids"] = batch["types"]
    return {name: torch.tensor(value).long() for name, value in inputs.items()}


def our_inputs(batch):
    inputs = {"segments_BL": batch["mask"]}
    if "types" in batch:
        inputs["token_types_BL"] = batch["types"]
    if "source" in batch:
        inputs |= {"source_BS": batch["source"], "source_segments_BS": batch["source_mask"]}
    return inputs


def logits(output):
    """Returns what the last layer of their model says: logits, or hidden states where it has no head."""
    for name in ("logits", "prediction_logits", "last_hidden_state"):
        if name in output:
            return output[name]
    raise AssertionError(list(output))


def their_result(case, model, batch):
    """Returns (output, gradient of the summed cross entropy by name)."""
    output = logits(model(**their_inputs(case, batch)))
    real = torch.tensor(batch["mask"]).bool()
    targets = torch.tensor(batch["targets"])
    loss = torch.nn.functional.cross_entropy(output[real], targets[real], reduction="sum")
    model.zero_grad()
    loss.backward()
    gradients = {name: x.grad.numpy() for name, x in model.named_parameters() if x.grad is not None}
    return output.detach().numpy(), gradients


def our_result(model, params, batch, headless):
    """Returns (output, gradient of the summed cross entropy as a tree)."""

    def loss(params):
        method = {"method": "hidden"} if headless else {}
        output, _ = model.apply({"params": params}, batch["tokens"], **our_inputs(batch), **method)
        chances = jnp.take_along_axis(jax.nn.log_softmax(output), jnp.asarray(batch["targets"])[..., None], axis=-1)
        return -jnp.sum(chances[..., 0] * batch["mask"]), output

    gradient, output = jax.jit(jax.grad(loss, has_aux=True))(params)
    return np.asarray(output), jax.device_get(gradient)


def under_their_names(config, gradient, family):
    """Returns our gradients under the names that `engine.give` writes parameters under."""
    return engine.give(gradient, folders.FAMILIES[family].table(config))

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Samplers, greedy decoding and beam search give what `transformers` gives."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from seqjax.decoding import samplers
from seqjax.decoding.beam import beam_search
from seqjax.decoding.generate import generate
from seqjax.models.model import build
from seqjax.models.transformer_config import TransformerConfig

VOCAB, PAD = 29, 0
PROMPTS = [[5, 6, 7], [8], [9, 10, 11, 12, 5], [27, 3]]


def cut(warper, logits, ids=None):
    return warper(ids, torch.tensor(logits)).numpy()


@pytest.mark.parametrize("setting", [0, 1, 2])
def test_cuts(rng, setting):
    logits = rng.normal(size=(64, 37)).astype(np.float32) * 2
    k, p, share = [(1, 0.3, 0.01), (4, 0.7, 0.1), (36, 0.97, 0.6)][setting]
    tied = np.where(np.arange(37) == 5, logits[:, [9]], logits)
    for ours, wanted in (
        (samplers.keep_top_k(logits, k), cut(transformers.TopKLogitsWarper(k), logits)),
        (samplers.keep_top_k(tied, k), cut(transformers.TopKLogitsWarper(k), tied)),
        (samplers.keep_top_p(logits, p), cut(transformers.TopPLogitsWarper(p), logits)),
        (samplers.keep_min_p(logits, share), cut(transformers.MinPLogitsWarper(share), logits)),
        (samplers.keep_min_p(tied, share), cut(transformers.MinPLogitsWarper(share), tied)),
    ):
        np.testing.assert_array_equal(np.asarray(ours) > -1e30, np.isfinite(wanted))
        np.testing.assert_array_equal(np.where(np.isfinite(wanted), ours, 0), np.where(np.isfinite(wanted), wanted, 0))


@pytest.mark.parametrize("penalty", [1.7, 0.6])
def test_repetition_penalty(rng, penalty):
    logits = rng.normal(size=(16, 37)).astype(np.float32)
    ids = rng.integers(0, 37, (16, 9))
    seen = np.zeros((16, 37), bool)
    seen[np.arange(16)[:, None], ids] = True
    wanted = cut(transformers.RepetitionPenaltyLogitsProcessor(penalty), logits, torch.tensor(ids))
    np.testing.assert_allclose(samplers.penalise(jnp.asarray(logits), seen, penalty), wanted, rtol=1e-6)


@functools.cache
def pair():
    """A random GPT-2 and ours with its weights."""
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=VOCAB, n_positions=48, n_embd=32, n_layer=2, n_head=4, initializer_range=0.3,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    theirs = transformers.GPT2LMHeadModel(config).eval()
    ours = build(TransformerConfig(vocab_size=VOCAB, layers=2, width=32, heads=4, mlp_width=128, max_length=48))
    return theirs, ours, mapped({name: tensor.numpy() for name, tensor in theirs.state_dict().items()})


def mapped(weights):
    """GPT-2's weights under our names; its kernels are (in, out), query, key and value side by side."""

    def norm(name):
        return {"scale": weights[f"{name}.weight"], "bias": weights[f"{name}.bias"]}

    def linear(name, part=slice(None)):
        return {"kernel": weights[f"{name}.weight"][:, part], "bias": weights[f"{name}.bias"][part]}

    trunk = {
        "tokens": {"embedding": weights["transformer.wte.weight"]},
        "position": {"embedding": weights["transformer.wpe.weight"]},
        "final_norm": norm("transformer.ln_f"),
    }
    for i in range(2):
        layer = f"transformer.h.{i}"
        thirds = {name: slice(32 * j, 32 * j + 32) for j, name in enumerate(("query", "key", "value"))}
        attention = {name: linear(f"{layer}.attn.c_attn", part) for name, part in thirds.items()}
        trunk[f"layer_{i}"] = {
            "attention_norm": norm(f"{layer}.ln_1"),
            "attention": attention | {"output": linear(f"{layer}.attn.c_proj")},
            "mlp_norm": norm(f"{layer}.ln_2"),
            "mlp": {"up": linear(f"{layer}.mlp.c_fc"), "down": linear(f"{layer}.mlp.c_proj")},
        }
    return {"trunk": trunk}


def padded():
    width = max(map(len, PROMPTS))
    ids = torch.tensor([[PAD] * (width - len(prompt)) + prompt for prompt in PROMPTS])
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in PROMPTS])
    return {"input_ids": ids, "attention_mask": mask, "pad_token_id": PAD}


def theirs_says(end, **options):
    """Returns the new tokens of each returned sequence, without end token and padding, and the scores."""
    with torch.no_grad():
        found = pair()[0].generate(
            **padded(), max_new_tokens=20, do_sample=False, eos_token_id=end,
            return_dict_in_generate=True, output_scores=True, **options,
        )  # fmt: skip
    new = found.sequences[:, max(map(len, PROMPTS)) :].tolist()
    rows = [row[: row.index(end)] if end in row else row for row in new]
    return rows, found.get("sequences_scores")


def test_same_logits():
    theirs, ours, params = pair()
    ids = np.arange(1, 25)[None]
    with torch.no_grad():
        wanted = theirs(torch.tensor(ids)).logits.numpy()
    np.testing.assert_allclose(jax.jit(ours.apply)({"params": params}, ids)[0], wanted, atol=1e-4)


@pytest.mark.parametrize("end", [3, 11, 19])
def test_greedy(end):
    _, ours, params = pair()
    found = generate(ours, params, PROMPTS, sampler=samplers.Greedy(), new=20, end=end)
    assert found == theirs_says(end)[0]


@pytest.mark.parametrize("penalty", [1.4, 0.8])
def test_greedy_with_repetition_penalty(penalty):
    """Of one prompt: transformers counts padding as seen."""
    theirs, ours, params = pair()
    for prompt in PROMPTS[2:3]:
        (found,) = generate(ours, params, [prompt], sampler=samplers.Greedy(), new=20, penalty=penalty)
        with torch.no_grad():
            wanted = theirs.generate(
                torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt)), max_new_tokens=20, do_sample=False,
                pad_token_id=PAD, repetition_penalty=penalty,
            )  # fmt: skip
        assert found == wanted[0, len(prompt) :].tolist()


@pytest.mark.parametrize(
    ("beams", "best", "alpha", "end"),
    [(1, 1, 1.0, 3), (2, 2, 2.0, 11), (3, 3, 1.0, 13), (4, 2, 1.0, 5), (5, 5, 0.0, 24), (6, 6, -0.5, 19)],
)
def test_beam_search(beams, best, alpha, end):
    _, ours, params = pair()
    found = beam_search(ours, params, PROMPTS, beams=beams, new=20, best=best, length_penalty=alpha, end=end)
    options = {"num_return_sequences": best, "length_penalty": alpha, "early_stopping": False} if beams > 1 else {}
    wanted, scores = theirs_says(end, num_beams=beams, **options)
    assert [h.tokens for row in found for h in row] == wanted
    if scores is not None:
        np.testing.assert_allclose([h.score for row in found for h in row], scores.numpy(), atol=1e-4)

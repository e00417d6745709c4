# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Samplers, greedy decoding and beam search give what `transformers` gives."""

import functools
import tempfile

import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from seqjax import interop
from seqjax.decoding import samplers
from seqjax.decoding.beam import beam_search
from seqjax.decoding.generate import generate

KINDS = ("gpt2", "llama", "t5")
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
def pair(kind):
    """A random model of a family and ours with its weights, read from its folder."""
    torch.manual_seed(1)
    ends = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": PAD}
    if kind == "gpt2":
        config = transformers.GPT2Config(
            vocab_size=VOCAB, n_positions=48, n_embd=32, n_layer=2, n_head=4, initializer_range=0.3,
            resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, **ends,
        )  # fmt: skip
        theirs = transformers.GPT2LMHeadModel(config)
    elif kind == "llama":
        config = transformers.LlamaConfig(
            vocab_size=VOCAB, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, max_position_embeddings=48, initializer_range=0.3, **ends,
        )  # fmt: skip
        theirs = transformers.LlamaForCausalLM(config)
    else:
        config = transformers.T5Config(
            vocab_size=VOCAB, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, initializer_factor=1.0,
            feed_forward_proj="gated-gelu", tie_word_embeddings=False, decoder_start_token_id=PAD, dropout_rate=0.0, **ends,
        )  # fmt: skip
        theirs = transformers.T5ForConditionalGeneration(config)
        with torch.no_grad():  # T5's own initialisation gives every token nearly the same chance
            for weight in theirs.parameters():
                if weight.ndim == 2:
                    weight.copy_(torch.randn_like(weight) * 0.35)
    with tempfile.TemporaryDirectory() as folder:
        theirs.eval().save_pretrained(folder)
        ours, params, _ = interop.read(folder)
    return theirs, ours, params


def padded():
    width = max(map(len, PROMPTS))
    ids = torch.tensor([[PAD] * (width - len(prompt)) + prompt for prompt in PROMPTS])
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in PROMPTS])
    return {"input_ids": ids, "attention_mask": mask, "pad_token_id": PAD}


def said_by_theirs(kind, end, **options):
    """Returns the new tokens of each returned sequence, without end token and padding, and the scores."""
    with torch.no_grad():
        found = pair(kind)[0].generate(
            **padded(), max_new_tokens=20, do_sample=False, eos_token_id=end,
            return_dict_in_generate=True, output_scores=True, **options,
        )  # fmt: skip
    new = found.sequences[:, 1 if kind == "t5" else max(map(len, PROMPTS)) :].tolist()
    rows = [row[: row.index(end)] if end in row else row for row in new]
    return rows, found.get("sequences_scores")


def texts(kind):
    """The prompts are what T5's encoder reads."""
    return {"sources" if kind == "t5" else "prompts": PROMPTS}


@pytest.mark.parametrize("end", [3, 11, 19])
@pytest.mark.parametrize("kind", KINDS)
def test_greedy(kind, end):
    _, ours, params = pair(kind)
    found = generate(ours, params, **texts(kind), sampler=samplers.Greedy(), new=20, end=end)
    assert found == said_by_theirs(kind, end)[0]
    assert len({tuple(row) for row in found}) == len(found)


@pytest.mark.parametrize("penalty", [1.4, 0.8])
def test_greedy_with_repetition_penalty(penalty):
    """Of one prompt: transformers counts padding as seen."""
    theirs, ours, params = pair("gpt2")
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
@pytest.mark.parametrize("kind", KINDS)
def test_beam_search(kind, beams, best, alpha, end):
    _, ours, params = pair(kind)
    found = beam_search(ours, params, **texts(kind), beams=beams, new=20, best=best, length_penalty=alpha, end=end)
    options = {"num_return_sequences": best, "length_penalty": alpha, "early_stopping": False} if beams > 1 else {}
    wanted, scores = said_by_theirs(kind, end, num_beams=beams, **options)
    assert [h.tokens for row in found for h in row] == wanted
    if scores is not None:  # sums of so many log-probabilities / their number ** alpha: 1e-5 for each of them
        counts = np.array([min(len(tokens) + 1, 20) for tokens in wanted], float)
        errors = np.abs(np.array([h.score for row in found for h in row]) - scores.numpy())
        assert np.all(errors <= 1e-5 * counts ** (1 - alpha)), errors / counts ** (1 - alpha)

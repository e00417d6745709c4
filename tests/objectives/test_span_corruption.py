# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Span corruption: the published lengths and statistics, every division equally likely, nothing lost."""

import collections
import dataclasses
import itertools
import types

import jax
import numpy as np
import pytest

from seqjax.errors import UserError
from seqjax.models import families
from seqjax.models.model import build, initialise
from seqjax.objectives.denoisers import Denoisers
from seqjax.objectives.span_corruption import SpanCorruption, invert, lengths, noise_mask, raw_length
from tests.objectives.compiled import compiled_gradients

VOCABULARY = types.SimpleNamespace(size=1000, pad=0, bos=2, eos=3, mask=4, sentinels=np.array([], np.int32))
SENTINELS = np.arange(1099, 999, -1)


def row(width, real=None, seed=0):
    real = width if real is None else real
    tokens = np.zeros(width, np.int32)
    tokens[:real] = np.random.default_rng(seed).integers(5, 1000, real)
    return {"tokens": tokens, "segments": (np.arange(width) < real).astype(np.int32)}


def test_the_published_lengths():
    """Raffel et al. 2020, section 3.1.4, code: 512 inputs are made of 568 tokens and have 114 targets."""
    assert raw_length(512, 0.15, 3.0) == 568
    assert lengths(568, 0.15, 3.0) == (512, 114)
    assert SpanCorruption().row_length(512) == 568
    assert SpanCorruption().predictions(512) == 114
    for inputs, rate, span in itertools.product(range(8, 200, 7), (0.15, 0.3, 0.5), (1.0, 3.0, 8.0)):
        raw = raw_length(inputs, rate, span)
        assert lengths(raw, rate, span)[0] <= inputs


def test_rate_and_mean_span():
    noise = spans = 0
    for seed in range(200):
        mask = noise_mask(568, 0.15, 3.0, np.random.default_rng(seed))
        first = mask & ~np.concatenate([[False], mask[:-1]])
        assert not mask[0] and mask[-1]
        noise, spans = noise + int(mask.sum()), spans + int(first.sum())
    assert noise / (200 * 568) == pytest.approx(0.15, abs=0.001)
    assert noise / spans == pytest.approx(3.0, abs=0.05)


def test_every_division_is_as_likely():
    """9 tokens, 4 of noise in 2 spans: 3 ways to divide the noise, 4 to divide the text, 12 masks in all."""
    count = collections.Counter(
        tuple(noise_mask(9, 4 / 9, 2.0, np.random.default_rng(seed)).tolist()) for seed in range(6000)
    )
    assert len(count) == 12
    assert max(abs(number - 500) for number in count.values()) < 5 * np.sqrt(500)


@pytest.mark.parametrize("objective", [SpanCorruption(), SpanCorruption(rate=0.5, span=1.5), Denoisers()])
@pytest.mark.parametrize("real", [None, 40, 2])
def test_the_text_comes_back(objective, real):
    width = objective.row_length(96)
    for seed in range(60):
        source = row(width, real, seed)
        out = objective.corrupt(source, np.random.default_rng(seed), VOCABULARY)
        assert out["source"].shape == (96,)
        assert out["targets"].shape == out["tokens"].shape == (objective.predictions(96),)
        read = out["source"][out["source_segments"] > 0]
        said = out["targets"][out["weights"] > 0]
        assert read[-1] == said[-1] == 3
        np.testing.assert_array_equal(out["tokens"][: len(said)], [0, *said[:-1]])
        np.testing.assert_array_equal(out["weights"], out["segments"])
        text = source["tokens"][source["segments"] > 0]
        if not np.isin(said, SENTINELS).any():  # the sequential denoiser
            np.testing.assert_array_equal(np.concatenate([read[:-1], said[:-1]]), text)
            continue
        used = said[np.isin(said, SENTINELS)]
        np.testing.assert_array_equal(used, SENTINELS[: len(used)])
        np.testing.assert_array_equal(invert(read[:-1], said[:-1], SENTINELS), text)


def test_a_row_without_text_counts_nothing():
    for real in (0, 1):
        out = SpanCorruption().corrupt(row(100, real), np.random.default_rng(0), VOCABULARY)
        assert not out["weights"].any()


def test_a_mixture_is_mixed():
    """Seven denoisers: each seventh row has a source that merely stops, and half the noise where a denoiser says so."""
    shares, objective = [], Denoisers()
    for seed in range(1400):
        out = objective.corrupt(row(127, seed=seed), np.random.default_rng(seed), VOCABULARY)
        said = out["targets"][out["weights"] > 0][:-1]
        shares.append((~np.isin(said, SENTINELS)).sum() / 127 if said[0] in SENTINELS else float("nan"))
    shares = np.array(shares)
    assert np.isnan(shares).mean() == pytest.approx(1 / 7, abs=0.03)
    assert (shares > 0.4).mean() == pytest.approx(3 / 7, abs=0.045)
    assert (shares < 0.2).mean() == pytest.approx(3 / 7, abs=0.045)


def test_sentinels_of_the_vocabulary_come_first():
    own = types.SimpleNamespace(**{**vars(VOCABULARY), "sentinels": np.arange(900, 800, -1)})
    out = SpanCorruption().corrupt(row(100), np.random.default_rng(0), own)
    assert out["targets"][0] == 900
    assert SpanCorruption().extra_ids(own) == 0
    assert SpanCorruption().extra_ids(VOCABULARY) == 100


def test_what_could_go_wrong_in_some_row_is_said_before_the_first():
    few = types.SimpleNamespace(**{**vars(VOCABULARY), "sentinels": np.array([900, 899])})
    endless = types.SimpleNamespace(**{**vars(VOCABULARY), "eos": -1})
    for objective, length, vocabulary, what in (
        (SpanCorruption(sentinels=2), 512, VOCABULARY, r"objective\.sentinels=28"),
        (SpanCorruption(), 512, few, "the tokenizer has 2 sentinels"),
        (Denoisers(), 1024, VOCABULARY, r"objective\.sentinels=171"),
        (SpanCorruption(), 512, endless, "no end token"),
    ):
        with pytest.raises(UserError, match=what):
            objective.check(vocabulary, length)
    SpanCorruption().check(VOCABULARY, 512)
    Denoisers().check(VOCABULARY, 512)


def test_the_loss_is_that_of_the_tokens_by_hand_however_it_is_divided():
    config = families.t5(
        vocab_size=1100, layers=1, decoder_layers=1, width=16, heads=2, head_width=8, mlp_width=32, dropout=0.0
    )
    objective = SpanCorruption()
    model = build(config)
    params = initialise(model, jax.random.key(0))
    rows = [objective.corrupt(row(objective.row_length(24), real, i), np.random.default_rng(i), VOCABULARY)
            for i, real in enumerate((25, 7, 2, 13))]  # fmt: skip
    batch = {name: np.stack([r[name] for r in rows]) for name in rows[0]}
    options = {"apply": model.apply, "objective": objective}
    whole, pairs = compiled_gradients(params, batch, None, **options)
    total, run = 0.0, jax.jit(model.apply)
    for each in rows:  # without a place of padding
        read, said = int(each["source_segments"].sum()), int(each["weights"].sum())
        logits, _ = run({"params": params}, each["tokens"][None, :said], source_BS=each["source"][None, :read])
        chances = jax.nn.log_softmax(logits[0])
        total -= float(chances[np.arange(said), each["targets"][:said]].sum())
    np.testing.assert_allclose(float(pairs["span"][0]), total, rtol=1e-5)
    for other in (
        compiled_gradients(params, batch, None, **options, accumulate=2)[0],
        compiled_gradients(params, batch, None, apply=model.apply, objective=dataclasses.replace(objective, chunk=5))[
            0
        ],
    ):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), whole, other)


def test_mistakes():
    for make in (lambda: SpanCorruption(rate=1.0), lambda: SpanCorruption(span=0.5), lambda: Denoisers(spans=())):
        with pytest.raises(UserError, match="objective"):
            make()

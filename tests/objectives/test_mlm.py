# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Masking: the paper's statistics, whole words, determinism; the loss on the predictions only."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.data import tokenizers
from seqjax.data.pipeline import Data, Dataset
from seqjax.data.sources import from_records
from seqjax.errors import UserError
from seqjax.objectives.clm import CLM
from seqjax.objectives.losses import cross_entropy
from seqjax.objectives.mlm import MLM
from seqjax.objectives.multitask import Multitask
from seqjax.objectives.pairs import PairedMLM
from seqjax.objectives.rtd import RTD

VOCABULARY = types.SimpleNamespace(size=1000, pad=0, bos=2, eos=3, mask=4, word_starts=np.arange(1000) % 3 == 0)


def row(length=128, real=128, seed=0):
    rng = np.random.default_rng(seed)
    tokens = rng.integers(5, 1000, length).astype(np.int32)
    tokens[0], tokens[real - 1], tokens[real:] = 2, 3, 0
    segments = (np.arange(length) < real).astype(np.int32)
    return {"tokens": tokens, "segments": segments, "positions": np.arange(length, dtype=np.int32)}


def corrupt(objective, source, seed=0):
    return objective.corrupt(source, np.random.default_rng(seed), VOCABULARY)


def test_the_papers_statistics():
    """15 % of the real tokens; of these 80 % masked, 10 % random, 10 % kept (Devlin et al. 2019, section 3.1)."""
    counts = {"masked": 0, "random": 0, "kept": 0}
    predicted = real = 0
    for seed in range(600):
        source = row(seed=seed)
        out = corrupt(MLM(), source, seed)
        used = out["mlm_weights"] > 0
        places = out["mlm_positions"][used]
        np.testing.assert_array_equal(out["mlm_targets"][used], source["tokens"][places])
        untouched = np.setdiff1d(np.arange(128), places)
        np.testing.assert_array_equal(out["tokens"][untouched], source["tokens"][untouched])
        assert len(set(places.tolist())) == len(places)
        now, before = out["tokens"][places], source["tokens"][places]
        counts["masked"] += int((now == 4).sum())
        counts["kept"] += int((now == before).sum())
        counts["random"] += int(((now != 4) & (now != before)).sum())
        predicted, real = predicted + len(places), real + 126
    assert abs(predicted / real - 0.15) < 0.002
    shares = {name: count / predicted for name, count in counts.items()}
    assert abs(shares["masked"] - 0.8) < 0.015
    assert abs(shares["random"] - 0.1) < 0.01
    assert abs(shares["kept"] - 0.1) < 0.01


def test_every_place_is_as_likely_and_special_tokens_are_never_chosen():
    chosen = np.zeros(32)
    for seed in range(3000):
        out = corrupt(MLM(), row(32, 22), seed)
        chosen[out["mlm_positions"][out["mlm_weights"] > 0]] += 1
    assert chosen[0] == chosen[21] == 0
    assert not chosen[22:].any()
    np.testing.assert_allclose(chosen[1:21] / 3000, 3 / 20, atol=0.03)


def test_random_tokens_are_no_special_ones_and_reach_the_whole_vocabulary():
    objective = MLM(masked=0.0, random=1.0)
    seen = set()
    for seed in range(1500):
        out = corrupt(objective, row(seed=seed), seed)
        seen |= set(out["tokens"][out["mlm_positions"][out["mlm_weights"] > 0]].tolist())
    assert not seen & {0, 2, 3, 4}
    assert seen == set(range(1000)) - {0, 2, 3, 4}


def test_whole_words_are_masked_whole():
    """A word is a token that begins one and those after it that do not."""
    objective = MLM(whole_word=True, masked=1.0, random=0.0)
    total = 0
    for seed in range(200):
        source = row(seed=seed)
        masked = corrupt(objective, source, seed)["tokens"] == 4
        total += masked.sum()
        for place in range(2, 127):
            if not VOCABULARY.word_starts[source["tokens"][place]]:
                assert masked[place] == masked[place - 1]
    assert abs(total / (200 * 126) - 0.15) < 0.01


def test_short_and_empty_rows():
    out = corrupt(MLM(), row(16, 3))
    assert out["mlm_weights"].tolist() == [1.0, 0.0, 0.0]
    assert out["mlm_positions"][0] == 1
    empty = row(16, 16) | {"segments": np.zeros(16, np.int32)}
    assert not corrupt(MLM(), empty)["mlm_weights"].any()


def test_dynamic_masking_changes_by_epoch_and_static_repeats():
    assert [MLM().corruption_epoch(epoch) for epoch in (0, 1, 12)] == [0, 1, 12]
    static = MLM(masking="static", copies=10)
    assert [static.corruption_epoch(epoch) for epoch in (0, 1, 12)] == [0, 1, 2]


@pytest.mark.parametrize("layout", ["pack", "stream"])
@pytest.mark.parametrize("copies", [1, 2])
def test_examples_of_static_masking_repeat(layout, copies):
    """In a stream, whose rows begin elsewhere in each epoch, too."""
    source = from_records([{"text": "a text of many letters. " * 9}] * 2)
    objective = MLM(masking="static", copies=copies)
    data = Dataset(Data(length=32, layout=layout), objective, tokenizers.build("bytes", list), lambda _: source)
    examples = [data.example("train", 0, epoch, 2)["tokens"].tolist() for epoch in range(4)]
    assert all((examples[0] == each) == (epoch % copies == 0) for epoch, each in enumerate(examples))


@pytest.mark.parametrize("objective", [MLM(), PairedMLM(), RTD(), Multitask((MLM(),), (1.0,))])
def test_a_tokenizer_without_a_mask_is_refused(objective):
    objective.check(VOCABULARY, 32)
    with pytest.raises(UserError, match="no mask token"):
        objective.check(types.SimpleNamespace(**vars(VOCABULARY) | {"mask": -1}), 32)


@pytest.mark.parametrize(
    "change", [{"rate": 0.0}, {"masked": 0.95, "random": 0.1}, {"masking": "often"}, {"copies": 0}]
)
def test_impossible_settings_are_refused(change):
    with pytest.raises(UserError):
        MLM(**change)


def test_the_head_runs_on_the_predictions_only():
    seen = {}

    def apply(variables, tokens, *, gather_BP, **inputs):
        seen["places"] = gather_BP
        return jnp.zeros((*gather_BP.shape, 1000)), None

    out = {name: x[None] for name, x in corrupt(MLM(), row(64, 64)).items()}
    terms, metrics = MLM().loss(apply, {}, out, None)
    assert seen["places"].shape == (1, 10)
    np.testing.assert_allclose(terms["mlm"][0], terms["mlm"][1] * np.log(1000), rtol=1e-6)
    assert float(terms["mlm"][1]) == out["mlm_weights"].sum()
    assert metrics["accuracy"][1] == terms["mlm"][1]


def test_causal_targets_as_in_the_worked_example():
    """The example of seqjax/types.py: "ab" and "c" in one row, L = 5 and one place of lookahead."""
    source = {
        "tokens": np.array([2, 10, 11, 3, 2, 12, 3], np.int32),
        "segments": np.array([1, 1, 1, 1, 2, 2, 2], np.int32),
        "positions": np.array([0, 1, 2, 3, 0, 1, 2], np.int32),
    }
    out = CLM().corrupt(source, np.random.default_rng(0), VOCABULARY)
    assert out["tokens"].tolist() == [2, 10, 11, 3, 2, 12]
    assert out["targets"].tolist() == [10, 11, 3, 0, 12, 3]
    assert out["weights"].tolist() == [1, 1, 1, 0, 1, 1]
    assert out["segments"].tolist() == [1, 1, 1, 1, 2, 2]


def test_cross_entropy_against_its_definition(rng):
    logits, targets = rng.normal(size=(3, 4, 7)).astype(np.float32), rng.integers(0, 7, (3, 4))
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    smooth = 0.9 * np.eye(7)[targets] + 0.1 / 7
    np.testing.assert_allclose(
        cross_entropy(logits, targets), -np.log(p[np.eye(7)[targets] > 0]).reshape(3, 4), atol=1e-5
    )
    np.testing.assert_allclose(cross_entropy(logits, targets, 0.1), -(smooth * np.log(p)).sum(-1), atol=1e-5)
    assert np.isfinite(jax.grad(lambda x: cross_entropy(x, targets).sum())(logits * 1e4)).all()

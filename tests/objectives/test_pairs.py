# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Pairs of texts: the paper's half and half, nothing lost, nothing invented; the pair's loss beside the masked one."""

import types

import jax
import numpy as np
import pytest

from seqjax.errors import UserError
from seqjax.models.model import build, initialise
from seqjax.models.transformer_config import TransformerConfig
from seqjax.objectives.mlm import MLM
from seqjax.objectives.pairs import PairedMLM
from tests.objectives.compiled import compiled_gradients, compiled_loss

END_OF_SENTENCE = 9
VOCABULARY = types.SimpleNamespace(
    size=1000, pad=0, bos=2, eos=3, mask=4, word_starts=np.arange(1000) % 3 == 0,
    sentence_ends=np.arange(1000) == END_OF_SENTENCE,
)  # fmt: skip
UNMASKED = MLM(masked=0.0, random=0.0)


def row(seed, width=64, real=64, low=10, other=40):
    rng = np.random.default_rng(seed)
    body = rng.integers(low, low + 400, real - 2)
    body[5::7] = END_OF_SENTENCE
    tokens = np.zeros(width, np.int32)
    tokens[:real] = [2, *body, 3]
    other = np.array([2, *rng.integers(500, 1000, other), 3], np.int32)
    other[6::6] = END_OF_SENTENCE
    segments = (np.arange(width) < real).astype(np.int32)
    return {"tokens": tokens, "segments": segments, "positions": np.arange(width, dtype=np.int32), "partner": other}


def pair(seed, objective, **options):
    source = row(seed, **options)
    out = objective.corrupt(source, np.random.default_rng(seed), VOCABULARY)
    real = out["tokens"][out["segments"] > 0]
    middle = int(np.flatnonzero(real == 3)[0])
    assert real[0] == 2 and real[-1] == 3 and (real == 3).sum() == 2
    types_ = out["token_types"][: len(real)]
    np.testing.assert_array_equal(types_, np.arange(len(real)) > middle)
    assert not out["token_types"][len(real) :].any()
    return source["tokens"][1:-1], real[1:middle], real[middle + 1 : -1], out


def test_next_sentences_are_half_true_and_end_where_sentences_do():
    objective = PairedMLM(mlm=UNMASKED, short=0.0)
    wrong = 0
    for seed in range(400):
        body, first, second, out = pair(seed, objective)
        assert len(out["tokens"]) == 65
        assert first[-1] == END_OF_SENTENCE
        np.testing.assert_array_equal(first, body[: len(first)])
        if out["label"]:
            wrong += 1
            assert (second[second != END_OF_SENTENCE] >= 500).all()
            assert len(first) + len(second) <= len(body)
        else:
            np.testing.assert_array_equal(np.concatenate([first, second]), body)
    assert abs(wrong / 400 - 0.5) < 0.08  # 3 standard deviations


@pytest.mark.parametrize("short", [0.0, 0.999])
def test_a_length_does_not_tell_what_follows(short):
    """A random second text is as long as the true one wherever the other row holds as much, at any border of it."""
    objective, places = PairedMLM(mlm=UNMASKED, short=short), set()
    for seed in range(200):
        source = row(seed, real=40 + seed % 25, other=60)
        lengths = []
        for label in (0, 1):
            out = objective.corrupt(source, Chosen(seed, label), VOCABULARY)
            assert out["label"] == label
            lengths.append((int(out["segments"].sum()), int(out["token_types"].sum())))
            if label:
                second = out["tokens"][: lengths[1][0] - 1][-lengths[1][1] + 1 :]
                places.add(int(np.flatnonzero(source["partner"][1:-1] == second[0])[0]))
        assert lengths[0] == lengths[1]
    assert len(places) > 5


class Chosen:
    """A generator whose draws are those of a seed, but for whether a pair is wrong."""

    def __init__(self, seed, label):
        self.rng, self.label, self.draws = np.random.default_rng(seed), label, 0

    def __getattr__(self, name):
        return getattr(self.rng, name)

    def random(self, *shape):
        self.draws += not shape
        return self.rng.random(*shape) if shape or self.draws == 1 else 1.0 - self.label


def test_order_swaps_the_two_halves():
    objective = PairedMLM(mlm=UNMASKED, relation="order", short=0.0)
    swapped = 0
    for seed in range(200):
        body, first, second, out = pair(seed, objective)
        joined = [second, first] if out["label"] else [first, second]
        np.testing.assert_array_equal(np.concatenate(joined), body)
        swapped += int(out["label"])
    assert abs(swapped / 200 - 0.5) < 0.11


def test_a_tenth_is_short():
    shorter = [len(np.flatnonzero(pair(seed, PairedMLM(mlm=UNMASKED, relation="order"))[3]["segments"])) < 65
               for seed in range(1000)]  # fmt: skip
    assert abs(np.mean(shorter) - 0.1) < 0.03


def test_specials_are_never_masked_and_the_rest_is_at_the_papers_rate():
    predicted = real = 0
    for seed in range(300):
        source = row(seed)
        out = PairedMLM(short=0.0).corrupt(source, np.random.default_rng(seed), VOCABULARY)
        used = out["mlm_positions"][out["mlm_weights"] > 0]
        assert not np.isin(out["mlm_targets"][out["mlm_weights"] > 0], [0, 2, 3]).any()
        predicted, real = predicted + len(used), real + int(out["segments"].sum()) - 3
    assert abs(predicted / real - 0.15) < 0.004


def test_a_text_too_short_for_two_counts_nothing():
    source = row(0, real=3)
    out = PairedMLM().corrupt(source, np.random.default_rng(0), VOCABULARY)
    assert out["label_weight"] == 0.0


def test_both_terms_are_means_of_their_own_and_have_gradients():
    config = TransformerConfig(
        vocab_size=1000, layers=1, width=16, heads=2, mlp_width=32, max_length=65, causal=False, token_types=2,
        dropout=0.0, head_bias=True,
    )  # fmt: skip
    objective = PairedMLM()
    model = objective.build(config)
    params = initialise(model, jax.random.key(0))
    rows = [objective.corrupt(row(seed), np.random.default_rng(seed), VOCABULARY) for seed in range(6)]
    rows[0]["label_weight"] = np.zeros((), np.float32)
    batch = {name: np.stack([r[name] for r in rows]) for name in rows[0]}
    grads, pairs = compiled_gradients(params, batch, None, apply=model.apply, objective=objective)
    assert float(pairs["pair"][1]) == 5.0
    assert all(float(abs(leaf).max()) > 0 for leaf in jax.tree.leaves(grads["head"]["heads_pair"]))
    states, _ = model.apply({"params": params}, batch["tokens"], segments_BL=batch["segments"],
                            positions_BL=batch["positions"], token_types_BL=batch["token_types"], method="hidden")  # fmt: skip
    head = jax.device_get(params["head"]["heads_pair"])
    hidden = np.tanh(np.asarray(states[:, 0]) @ head["pooler"]["kernel"] + head["pooler"]["bias"][None])
    logits = hidden @ head["output"]["kernel"] + head["output"]["bias"][None]
    by_hand = [np.log(np.exp(z).sum()) - z[int(r["label"])] for z, r in zip(logits, rows, strict=True)][1:]
    np.testing.assert_allclose(float(pairs["pair"][0]), sum(by_hand), rtol=1e-5)
    alone = build(config)
    own = {"trunk": params["trunk"], "head": params["head"]["heads_mlm"]}
    terms, _ = compiled_loss(MLM(), alone.apply, own, batch)
    np.testing.assert_allclose(float(pairs["mlm"][0]), float(terms["mlm"][0]), rtol=1e-6)


def test_mistakes():
    with pytest.raises(UserError, match="relation"):
        PairedMLM(relation="nxt")

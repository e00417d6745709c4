# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The linear chain against the enumeration of all sequences of tags."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.models import crf

LABELS = ("O", "B-X", "I-X")
REAL = np.array([[1, 1, 1, 1, 1], [0, 1, 0, 1, 1], [1, 0, 0, 0, 0], [0, 0, 0, 0, 0]], bool)


def setting(constrained):
    rng = np.random.default_rng(0)
    emissions = jnp.asarray(rng.normal(size=(4, 5, 3)) * 2, jnp.float32)
    random = crf.Transitions(*(jnp.asarray(rng.normal(size=s), jnp.float32) for s in ((3,), (3, 3), (3,))))
    if constrained:
        random = jax.tree.map(lambda x, limit: jnp.where(limit < 0, limit, x), random, crf.legal(LABELS))
    return emissions, random


def enumerated(emissions, transitions, real, begins=True, ends=True):
    """Returns {tags of the real places: score} of one row, which may be cut off on either side."""
    places = np.flatnonzero(real)
    scores = {}
    for tags in itertools.product(range(3), repeat=len(places)):
        total = sum(float(emissions[place, tag]) for place, tag in zip(places, tags, strict=True))
        if tags:
            total += begins * float(transitions.start[tags[0]]) + ends * float(transitions.end[tags[-1]])
        total += sum(float(transitions.between[a, b]) for a, b in itertools.pairwise(tags))
        scores[tags] = total
    return scores


def equals(emissions, transitions, every):
    """Asserts that sums, best sequences and marginals are those of the scores of all sequences, {tags: score} a row."""
    best, best_score = jax.jit(crf.viterbi)(emissions, transitions, REAL)
    partition = jax.jit(crf.log_partition)(emissions, transitions, REAL)
    chances = jax.jit(crf.marginals)(emissions, transitions, REAL)
    for row, (real, scores) in enumerate(zip(REAL, every, strict=True)):
        total = np.logaddexp.reduce(np.array(list(scores.values())))
        np.testing.assert_allclose(partition[row], total, rtol=1e-5, atol=1e-5)
        winner = max(scores, key=scores.get)
        assert tuple(best[row][real].tolist()) == winner
        np.testing.assert_allclose(best_score[row], scores[winner], rtol=1e-5, atol=1e-5)
        expected = np.zeros((5, 3))
        for tags, score in scores.items():
            for place, tag in zip(np.flatnonzero(real), tags, strict=True):
                expected[place, tag] += np.exp(score - total)
        np.testing.assert_allclose(chances[row], expected, atol=1e-5)


@pytest.mark.parametrize("constrained", [False, True])
def test_it_equals_enumeration(constrained):
    emissions, transitions = setting(constrained)
    equals(emissions, transitions, [enumerated(emissions[row], transitions, real) for row, real in enumerate(REAL)])


@pytest.mark.parametrize("begins", [0, 1])
@pytest.mark.parametrize("ends", [0, 1])
def test_a_row_that_is_cut_off_begins_and_ends_with_anything(begins, ends):
    emissions, transitions = setting(True)
    rows = np.array([begins, 1, 0, 1]), np.array([ends, 1, 0, 0])
    cut = crf.cut_off(transitions, *rows)
    every = [
        enumerated(emissions[row], transitions, real, *(int(flags[row]) for flags in rows))
        for row, real in enumerate(REAL)
    ]
    equals(emissions, cut, every)
    tags = jnp.full(REAL.shape, LABELS.index("I-X"))
    found = crf.score(emissions, cut, tags, REAL)
    for row, real in enumerate(REAL):
        np.testing.assert_allclose(found[row], every[row][tuple(tags[row][real].tolist())], rtol=1e-5, atol=1e-5)


def test_likelihood_and_its_gradient():
    emissions, transitions = setting(False)
    tags = jnp.asarray(np.random.default_rng(1).integers(0, 3, (4, 5)))
    found = crf.log_likelihood(emissions, transitions, tags, REAL)
    for row, real in enumerate(REAL):
        scores = enumerated(emissions[row], transitions, real)
        expected = scores[tuple(tags[row][real].tolist())] - np.logaddexp.reduce(np.array(list(scores.values())))
        np.testing.assert_allclose(found[row], expected, rtol=1e-5, atol=1e-5)
    gradient = jax.grad(lambda e: jnp.sum(crf.log_likelihood(e, transitions, tags, REAL)))(emissions)
    gold = jax.nn.one_hot(tags, 3) * REAL[:, :, None]
    np.testing.assert_allclose(gradient, gold - crf.marginals(emissions, transitions, REAL), atol=1e-5)


def test_what_may_not_follow_never_does():
    """Emissions shout for I-X everywhere; without a B-X before it, it is not to be had."""
    emissions = jnp.zeros((1, 4, 3)).at[:, :, 2].set(50.0)
    best, _ = crf.viterbi(emissions, crf.legal(LABELS), jnp.ones((1, 4), bool))
    assert [LABELS[tag] for tag in best[0]] == ["B-X", "I-X", "I-X", "I-X"]
    with_ends = ("O", "B-X", "I-X", "E-X", "S-X")
    best, _ = crf.viterbi(jnp.zeros((1, 4, 5)).at[:, :, 2].set(50.0), crf.legal(with_ends), jnp.ones((1, 4), bool))
    assert [with_ends[tag] for tag in best[0]] == ["B-X", "I-X", "I-X", "E-X"]

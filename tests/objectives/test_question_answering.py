# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Span extraction by hand: which places are in the softmax, what counts, and what does not."""

import jax
import numpy as np
import pytest

from seqjax.models.model import initialise
from seqjax.models.transformer_config import TransformerConfig
from seqjax.objectives.question_answering import QuestionAnswering

OBJECTIVE = QuestionAnswering()
PLACES = np.array([[1, 0, 0, 1, 1, 1, 0, 0], [1, 0, 0, 0, 1, 1, 1, 0], [0] * 8])


def batch(**changes):
    return {
        "tokens": np.zeros((3, 8), np.int32),
        "answer_places": PLACES,
        "answer_start": np.array([4, 0, 0], np.int32),
        "answer_end": np.array([5, 0, 0], np.int32),
        "answer_weight": np.array([1, 1, 0], np.float32),
    } | changes


def fixed(logits):
    return lambda variables, tokens, **inputs: (logits, None)


def test_loss_is_the_cross_entropy_over_context_and_first_place(rng):
    logits = rng.normal(size=(3, 8, 2)).astype(np.float32)
    terms, _ = OBJECTIVE.loss(fixed(logits), {}, batch(), None)
    for place, (term, targets) in enumerate({"start": [4, 0], "end": [5, 0]}.items()):
        expected = 0.0
        for row, target in enumerate(targets):
            chances = np.exp(logits[row, :, place]) * PLACES[row]
            expected -= np.log(chances[target] / chances.sum())
        np.testing.assert_allclose(terms[term][0], expected, rtol=1e-5)
        assert float(terms[term][1]) == 2.0 == float(OBJECTIVE.weights(batch())[term])


@pytest.mark.parametrize("wrong", [0, 1])
def test_a_row_is_right_where_both_places_are(wrong):
    logits = np.zeros((3, 8, 2), np.float32)
    logits[0, 4, 0] = logits[0, 5, 1] = logits[1, 0, 1 - wrong] = logits[1, 4, wrong] = 1.0
    logits[0, 1] = 9.0  # of the question, where no answer may stand
    _, metrics = OBJECTIVE.loss(fixed(logits), {}, batch(), None)
    assert [float(x) for x in metrics["accuracy"]] == [1.0, 2.0]


def test_an_answer_whose_place_is_unknown_counts_nothing():
    for answer, expected in [((4, 5), (4, 5, 1)), ((0, 0), (0, 0, 1)), ((-2, -2), (0, 0, 0))]:
        row = {"tokens": np.zeros(8, np.int32), "answer": np.array(answer, np.int32)}
        example = OBJECTIVE.corrupt(row, np.random.default_rng(0), None)
        assert tuple(int(example[f"answer_{name}"]) for name in ("start", "end", "weight")) == expected
        assert "answer" not in example


@pytest.mark.parametrize("width", [10, 30])
def test_padding_and_what_stands_in_it_change_nothing(width, rng):
    config = TransformerConfig(
        vocab_size=20, layers=1, width=16, heads=2, mlp_width=32, max_length=32, causal=False, token_types=2
    )
    model = OBJECTIVE.build(config)
    params = initialise(model, jax.random.key(0))
    short = {
        "tokens": rng.integers(5, 20, (2, 8)).astype(np.int32),
        "segments": np.ones((2, 8), np.int32),
        "token_types": np.repeat([[0, 0, 0, 1, 1, 1, 1, 1]], 2, axis=0),
        "answer_places": np.repeat([[1, 0, 0, 1, 1, 1, 1, 0]], 2, axis=0),
        "answer_start": np.array([3, 0], np.int32),
        "answer_end": np.array([5, 0], np.int32),
        "answer_weight": np.ones(2, np.float32),
    }
    long = {name: np.pad(x, [(0, 0), (0, width - 8)]) if x.ndim == 2 else x for name, x in short.items()}
    long["tokens"][:, 8:] = 7
    found = [OBJECTIVE.loss(model.apply, params, each, None)[0] for each in (short, long)]
    for term in OBJECTIVE.terms:
        np.testing.assert_allclose(found[0][term][0], found[1][term][0], rtol=1e-5)

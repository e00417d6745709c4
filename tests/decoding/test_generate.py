# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Decoding against running the whole model again for each token; samplers against counts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.decoding.generate import generate
from seqjax.decoding.samplers import Greedy, Sample, keep_top_k, keep_top_p, sampler
from seqjax.errors import UserError
from seqjax.models.model import build, initialise
from seqjax.models.rnn import LSTMConfig
from seqjax.models.transformer import TransformerConfig

CONFIGS = {
    "gpt": TransformerConfig(
        vocab_size=23, layers=2, width=32, heads=4, mlp_width=48, max_length=24, init_std=0.3, tied=False
    ),
    "rotary": TransformerConfig(
        vocab_size=23, layers=2, width=32, heads=4, mlp_width=48, positions="rotary", init_std=0.3, scan=True
    ),
    "lstm": LSTMConfig(vocab_size=23, width=24, init_scale=0.8),
}
PROMPTS = [[5, 6, 7], [8], [9, 10, 11, 12, 5]]


def slowly(model, params, prompt, new):
    """Greedy decoding without a carry, one row, no padding."""
    apply = jax.jit(lambda ids, last: model.apply({"params": params}, ids)[0][0, last])
    ids = list(prompt)
    for _ in range(new):
        padded = np.zeros((1, 24), np.int32)
        padded[0, : len(ids)] = ids
        ids.append(int(jnp.argmax(apply(padded, len(ids) - 1))))
    return ids[len(prompt) :]


@pytest.mark.parametrize("name", CONFIGS)
def test_cached_and_padded_equals_the_whole_model_each_time(name):
    model = build(CONFIGS[name])
    params = initialise(model, jax.random.key(2))
    found = generate(model, params, PROMPTS, sampler=Greedy(), new=12)
    assert found == [slowly(model, params, prompt, 12) for prompt in PROMPTS]
    assert len({token for row in found for token in row}) > 3


def test_a_row_stops_at_its_end_token_and_the_others_go_on():
    model = build(CONFIGS["gpt"])
    params = initialise(model, jax.random.key(2))
    free = generate(model, params, PROMPTS, sampler=Greedy(), new=12)
    end = free[0][4]
    stopped = generate(model, params, PROMPTS, sampler=Greedy(), new=12, end=end)
    assert stopped == [row[: row.index(end)] if end in row else row for row in free]


def test_seeds_repeat_and_differ():
    model = build(CONFIGS["gpt"])
    params = initialise(model, jax.random.key(2))
    draw = lambda seed: generate(model, params, PROMPTS, sampler=Sample(1.5), new=10, seed=seed)  # noqa: E731
    assert draw(0) == draw(0)
    assert draw(0) != draw(1)


def test_ids_beyond_the_tokenizer_are_never_made():
    model = build(CONFIGS["gpt"])
    params = initialise(model, jax.random.key(2))
    rows = generate(model, params, PROMPTS, sampler=Sample(5.0), new=18, size=13)
    assert max(token for row in rows for token in row) < 13


def test_sampling_follows_the_distribution():
    p = np.array([0.5, 0.3, 0.15, 0.05])
    logits = jnp.log(jnp.tile(p, (20_000, 1)).astype(jnp.float32))
    share = lambda s: np.bincount(s(logits, jax.random.key(0)), minlength=4) / 20_000  # noqa: E731
    np.testing.assert_allclose(share(Sample()), p, atol=0.015)
    np.testing.assert_allclose(share(Sample(top_k=2)), [0.625, 0.375, 0, 0], atol=0.015)
    np.testing.assert_allclose(share(Sample(top_p=0.79)), [0.625, 0.375, 0, 0], atol=0.015)
    np.testing.assert_allclose(share(Sample(top_p=0.81)), np.array([0.5, 0.3, 0.15, 0]) / 0.95, atol=0.015)
    np.testing.assert_allclose(share(Sample(temperature=0.5)), p**2 / (p**2).sum(), atol=0.015)
    np.testing.assert_array_equal(share(sampler(temperature=0.0)), [1, 0, 0, 0])


def test_cuts_work_row_by_row_and_in_any_order(rng):
    logits = jnp.asarray(rng.normal(size=(50, 9)), jnp.float32)
    for row, cut in zip(np.asarray(logits), np.asarray(keep_top_k(logits, 3)), strict=True):
        assert set(np.flatnonzero(cut > -1e30)) == set(np.argsort(-row)[:3])
    for row, cut in zip(np.asarray(logits), np.asarray(keep_top_p(logits, 0.7)), strict=True):
        p = np.exp(row) / np.exp(row).sum()
        order = np.argsort(-p)
        wanted = order[: np.searchsorted(np.cumsum(p[order]), 0.7) + 1]
        assert set(np.flatnonzero(cut > -1e30)) == set(wanted)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"prompts": [[]]}, "at least one token"), ({"new": 0}, "at least 1"), ({"new": 22}, "24 positions")],
)
def test_impossible_requests_are_refused(options, message):
    model = build(CONFIGS["gpt"])
    params = initialise(model, jax.random.key(2))
    arguments = {"prompts": PROMPTS, "new": 3, "sampler": Greedy()} | options
    with pytest.raises(UserError, match=message):
        generate(model, params, arguments.pop("prompts"), **arguments)

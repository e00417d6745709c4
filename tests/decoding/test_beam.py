# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Beam search against all sequences there are, and against the same rules written with lists and whole prefixes."""

import itertools
import math

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.decoding.beam import NEVER, Rules, beam_search, search
from seqjax.decoding.generate import generate
from seqjax.decoding.prompts import Given
from seqjax.decoding.samplers import Greedy
from seqjax.errors import UserError
from seqjax.models.rnn import RNNCarry
from tests.decoding.models import DECODERS, PROMPTS, SOURCES, log_probs, made, sources

VOCAB, LENGTH, END = 4, 4, 0


@flax.struct.dataclass
class History:
    """All that was read, as a number in base VOCAB + 1."""

    number_B: jax.Array

    def take(self, rows_B):
        return History(self.number_B[rows_B])


def number(ids):
    return sum((i + 1) * (VOCAB + 1) ** place for place, i in enumerate(reversed(ids)))


class Table:
    """A step with random logits for every history."""

    def __init__(self, seed):
        self.table = jax.random.normal(jax.random.key(seed), ((VOCAB + 1) ** (LENGTH + 1), VOCAB)) * 1.5
        self.log_p = np.asarray(jax.nn.log_softmax(self.table))

    def __call__(self, tokens_BL, segments_BL, carry):
        number_B = carry.number_B
        for place in range(tokens_BL.shape[1]):
            number_B = number_B * (VOCAB + 1) + tokens_BL[:, place] + 1
        return self.table[number_B], History(number_B)

    def search(self, prompts, beams, alpha, limits=None):
        """Returns each row's (score, tokens, the end token included), best first."""
        prompt_BL = jnp.array(prompts)[:, None]
        limit_B = jnp.array(limits or [LENGTH] * len(prompts))
        given = Given(prompt_BL, jnp.ones_like(prompt_BL), None, None, limit_B)
        divisor_N = jnp.arange(1.0, LENGTH + 1) ** alpha
        state = search(
            self, given, History(jnp.zeros(len(prompts), jnp.int32)), beams, Rules(limit_B, divisor_N, END, 0)
        )
        rows = zip(*map(np.asarray, (state.score_BK, state.ended_BKN, state.length_BK)), strict=True)
        return [
            [(float(s), t[:n].tolist()) for s, t, n in zip(*row, strict=True) if s > NEVER] for row in rows
        ]  # fmt: skip

    def every(self, prompt, alpha, limit=LENGTH):
        found = []
        for length in range(1, limit + 1):
            for ids in itertools.product(range(VOCAB), repeat=length):
                if END not in ids[:-1] and (ids[-1] == END or length == limit):
                    log_p = sum(self.log_p[number([prompt, *ids[:i]])][ids[i]] for i in range(length))
                    found.append((log_p / length**alpha, list(ids)))
        return sorted(found, reverse=True)


@pytest.mark.parametrize("alpha", [-1.0, 0.0, 0.7, 1.0, 2.0])
def test_a_wide_beam_finds_what_enumeration_finds(alpha):
    table = Table(0)
    found = table.search([1, 3], 128, alpha)
    for prompt, row in zip([1, 3], found, strict=True):
        wanted = table.every(prompt, alpha)
        assert len(row) == len(wanted) == 121
        np.testing.assert_allclose([score for score, _ in row], [score for score, _ in wanted], atol=1e-5)
        assert [ids for _, ids in row] == [ids for _, ids in wanted]


def test_the_penalty_prefers_long_ones():
    table = Table(1)
    lengths = [np.mean([len(ids) for _, ids in table.search([2], 128, alpha)[0][:8]]) for alpha in (-1.0, 0.0, 2.0)]
    assert lengths[0] < lengths[1] < lengths[2]


@pytest.mark.parametrize("beams", [1, 2, 5])
def test_rows_and_their_limits_are_independent(beams):
    table = Table(2)
    together = table.search([1, 2, 3], beams, 0.5, [4, 1, 3])
    for i, (prompt, limit) in enumerate([(1, 4), (2, 1), (3, 3)]):
        (alone,) = table.search([prompt], beams, 0.5, [limit])
        assert [ids for _, ids in together[i]] == [ids for _, ids in alone]
        np.testing.assert_allclose([s for s, _ in together[i]], [s for s, _ in alone], atol=1e-6)
        assert max(len(ids) for _, ids in alone) <= limit
    assert [ids for _, ids in together[1]] == [ids for _, ids in table.every(2, 0.5, 1)[:beams]]


def test_a_full_row_whose_beams_look_worse_is_over():
    """Though a longer hypothesis would overtake: after ids 1 the only likely token is 1."""
    table = Table(0)
    table.table = jnp.tile(jnp.array([[-9.0, 9.0, -9.0, -9.0]]), (len(table.table), 1))
    table.table = table.table.at[number([3])].set(jnp.log(jnp.array([0.6, 0.4, 1e-9, 1e-9])))
    assert [ids for _, ids in table.search([3], 1, 1.0)[0]] == [[END]]
    assert [ids for _, ids in table.search([3], 2, 1.0)[0]] == [[1, 1, 1, 1], [END]]


def reference(name, row, beams, new, alpha, end):
    """The rules of `search` with lists; the whole prefix is read again for each token."""
    prompt, source = PROMPTS[row], None if name in DECODERS else SOURCES[row]
    live, done = [(0.0, [])], []
    for made_ in range(1, new + 1):
        candidates = sorted(
            ((log_p + x, [*ids, token]) for log_p, ids in live
             for token, x in enumerate(log_probs(name, prompt + ids, source))),
            key=lambda pair: -pair[0],
        )[: 2 * beams]  # fmt: skip
        over = lambda ids: ids[-1] == end or made_ == new  # noqa: B023, E731
        done += [(log_p / made_**alpha, ids) for log_p, ids in candidates[:beams] if over(ids)]
        done = sorted(done, key=lambda pair: -pair[0])[:beams]
        live = [(log_p, ids) for log_p, ids in candidates if not over(ids)][:beams]
        if not live or (len(done) == beams and live[0][0] / made_**alpha <= done[-1][0]):
            break
    return [([token for token in ids if token != end], score) for score, ids in done]


@pytest.mark.parametrize("name", ["rotary", "translator", "seq2seq scan"])
def test_cached_equals_whole_prefixes(name):
    model, params = made(name)
    end = generate(model, params, PROMPTS, sampler=Greedy(), new=3, **sources(name))[0][2]
    options = {"beams": 3, "new": 7, "best": 3, "end": end} | sources(name)
    for alpha in (0.0, 1.0, 2.0):
        found = beam_search(model, params, PROMPTS, length_penalty=alpha, **options)
        for row, hypotheses in enumerate(found):
            wanted = reference(name, row, 3, 7, alpha, end)
            assert [h.tokens for h in hypotheses] == [tokens for tokens, _ in wanted]
            np.testing.assert_allclose([h.score for h in hypotheses], [score for _, score in wanted], atol=1e-4)
        assert alpha > 1.0 or any(len(h.tokens) < 7 for row in found for h in row)


@pytest.mark.parametrize("name", ["gpt", "translator"])
def test_one_beam_is_greedy(name):
    end = generate(*made(name), PROMPTS, sampler=Greedy(), new=5, **sources(name))[0][4]
    options = {"new": [9, 4, 9], "end": end, **sources(name)}
    found = beam_search(*made(name), PROMPTS, beams=1, **options)
    assert [row[0].tokens for row in found] == generate(*made(name), PROMPTS, sampler=Greedy(), **options)


def test_the_best_come_first_and_only_those_that_exist():
    options = {"beams": 5, "new": 6, "end": 3}
    every = beam_search(*made("gpt"), PROMPTS, best=5, **options)
    assert [row[:2] for row in every] == beam_search(*made("gpt"), PROMPTS, best=2, **options)
    for row in every:
        assert [h.score for h in row] == sorted((h.score for h in row), reverse=True)
        assert len({tuple(h.tokens) for h in row}) == 5
    (few,) = beam_search(*made("gpt"), [[5]], beams=9, best=9, new=1, size=4)
    assert sorted(h.tokens[0] for h in few) == [0, 1, 2, 3]
    assert math.isclose(sum(math.exp(h.score) for h in few), 1.0, rel_tol=1e-5)


@pytest.mark.parametrize("name", ["rotary", "lstm", "seq2seq", "seq2seq scan"])
def test_a_carry_gives_any_of_its_rows(name):
    """Rows of a carry, repeated, go on as their prompts would."""
    model, params = made(name)
    tokens = jnp.array([[5, 6, 7], [8, 9, 3], [1, 2, 4]])
    source = jnp.array([[4, 9], [3, 8], [6, 6]])
    rows = jnp.array([2, 0, 2, 1])

    def start(rows):
        if name in DECODERS:
            return model.initial_carry(len(rows), 4)
        read = jax.jit(lambda source: model.apply({"params": params}, source, jnp.ones_like(source), 4, method="start"))
        return read(source[rows])

    apply = jax.jit(lambda tokens, carry: model.apply({"params": params}, tokens, carry=carry))
    _, carry = apply(tokens, start(jnp.arange(3)))
    _, wanted = apply(tokens[rows], start(rows))
    taken = carry.take(rows)
    assert jax.tree.structure(taken) == jax.tree.structure(wanted)
    for found, leaf in zip(jax.tree.leaves(taken), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(found, leaf, atol=1e-5)
    assert isinstance(taken, RNNCarry) or taken.slot == 3
    np.testing.assert_allclose(apply(tokens[rows, :1], taken)[0], apply(tokens[rows, :1], wanted)[0], atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beams": 0}, "beams 0"),
        ({"best": 4}, "n-best 4"),
        ({"best": 0}, "n-best 0"),
        ({"length_penalty": float("nan")}, "length-penalty nan"),
        ({"new": 0}, "max-new 0"),
        ({"new": 23}, "24 positions"),
        ({"sources": SOURCES}, "no encoder"),
    ],
)
def test_impossible_searches_are_refused(options, message):
    with pytest.raises(UserError, match=message):
        beam_search(*made("gpt"), PROMPTS, **({"beams": 3, "new": 4} | options))

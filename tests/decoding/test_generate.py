# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Generation against running the whole model again for each token; limits, neighbours, stop strings."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.decoding import generate as generation
from seqjax.decoding.generate import Choice, advance, begin, continuations, generate
from seqjax.decoding.prompts import Given
from seqjax.decoding.samplers import Greedy, Sample
from seqjax.decoding.stopping import before, contains
from seqjax.errors import UserError
from tests.decoding.models import CONFIGS, PROMPTS, SOURCES, log_probs, made, slowly, sources


def greedily(name, prompts=PROMPTS, **options):
    arguments = {"sampler": Greedy(), "new": 12} | sources(name) | options
    return generate(*made(name), prompts, **arguments)


@pytest.mark.parametrize("name", CONFIGS)
def test_cached_and_padded_equals_the_whole_model_each_time(name):
    """Rows of several lengths together, so that padding and neighbours do not matter either."""
    found = greedily(name)
    assert found == [slowly(name, row, 12) for row in range(3)]
    assert len({token for row in found for token in row}) > 3


@pytest.mark.parametrize("name", ["translator", "seq2seq"])
def test_a_target_begins_with_the_start_token(name):
    assert greedily(name, None, start=7) == greedily(name, [[7]] * 3)
    assert greedily(name, None, start=7) != greedily(name, None, start=8)
    one = greedily(name, None, sources=SOURCES[:1])
    assert one == greedily(name, None)[:1]


def test_a_row_stops_at_its_end_token_and_the_others_go_on():
    free = greedily("gpt")
    end = free[0][4]
    assert greedily("gpt", end=end) == [row[: row.index(end)] if end in row else row for row in free]


@pytest.mark.parametrize("name", ["gpt", "lstm"])
def test_each_row_has_a_limit(name):
    free = greedily(name)
    assert greedily(name, new=[3, 1, 12]) == [free[0][:3], free[1][:1], free[2]]


def test_draws_do_not_depend_on_neighbours_or_padding():
    draw = lambda prompts, **options: greedily("gpt", prompts, sampler=Sample(2.0), seed=3, **options)  # noqa: E731
    first = draw(PROMPTS)
    assert draw(PROMPTS[:1]) == first[:1]
    assert draw([PROMPTS[0], [3, 3, 3, 3, 3, 3, 3, 3], PROMPTS[2]])[::2] == first[::2]
    assert draw(PROMPTS, pad=9) == first


def test_seeds_repeat_and_differ():
    draw = lambda seed: greedily("gpt", sampler=Sample(1.5), seed=seed)  # noqa: E731
    assert draw(0) == draw(0)
    assert draw(0) != draw(1)


def test_ids_beyond_the_tokenizer_are_never_made():
    rows = greedily("gpt", sampler=Sample(5.0), new=18, size=13)
    assert max(token for row in rows for token in row) < 13


def test_log_probabilities_are_the_models_own():
    """Whatever the temperature and the penalty; that of the end token is the last."""
    options = {"sampler": Sample(3.0), "new": 12, "penalty": 1.5, "seed": 1}
    end = generate(*made("gpt"), PROMPTS, **options)[0][4]
    found = continuations(*made("gpt"), PROMPTS, **options, end=end)
    assert len(found[0].log_probs) == len(found[0].tokens) + 1
    for prompt, (tokens, chances) in zip(PROMPTS, found, strict=True):
        chosen = [*tokens, end][: len(chances)]
        wanted = [log_probs("gpt", [*prompt, *tokens[:i]])[token] for i, token in enumerate(chosen)]
        np.testing.assert_allclose(chances, wanted, atol=1e-4)


@pytest.mark.parametrize("penalty", [1.3, 0.5])
def test_the_penalty_sees_prompt_and_output_but_no_padding(penalty):
    def choose(logits_V, ids):
        lowered_V = np.where(logits_V < 0, logits_V * penalty, logits_V / penalty)
        return np.where(np.isin(np.arange(23), ids), lowered_V, logits_V).argmax()

    found = greedily("gpt", penalty=penalty, pad=10)
    assert found == [slowly("gpt", row, 12, choose) for row in range(3)]
    assert found != greedily("gpt")


class Table:
    """A step that always wants the token after the last, and counts in its carry how often it ran."""

    def __call__(self, tokens_BL, segments_BL, carry):
        return 5.0 * jax.nn.one_hot((tokens_BL[:, -1] + 1) % 9, 9), carry + 1


def test_the_work_ends_with_the_last_row():
    def steps(prompts, limits, until=40):
        prompt_BL = jnp.array(prompts)[:, None]
        given = Given(prompt_BL, jnp.ones_like(prompt_BL), None, None, jnp.array(limits))
        choice, key = Choice(Greedy(), end=8), jax.random.key(0)
        written = begin(Table(), given, jnp.zeros((), jnp.int32), choice, key, 40)
        written = advance(Table(), written, given.limit_B, choice, key, until)
        assert int(written.made) == int(written.carry)
        return int(written.made)

    assert steps([1, 3], [40, 40]) == 7  # 2 .. 8
    assert steps([7, 7], [40, 40]) == 1
    assert steps([1, 3], [4, 5]) == 5
    assert steps([1, 3], [40, 40], until=3) == 3


class Letters:
    """Decodes id i as a letter; id 4 as two."""

    def decode(self, ids):
        return "".join("xyz" if i == 4 else chr(ord("a") + i) for i in ids)


@pytest.mark.parametrize("chunk", [1, 4, 16])
def test_a_stop_string_ends_a_row_in_any_chunk(chunk, monkeypatch):
    monkeypatch.setattr(generation, "CHUNK", chunk)
    free = greedily("rotary", new=40)
    texts = [Letters().decode(row) for row in free]
    strings = [texts[0][7:10], texts[2][21:23]]
    found = greedily("rotary", new=40, stop=contains(Letters(), strings))
    for row, text, all_of_it in zip(found, texts, free, strict=True):
        assert row == all_of_it[: len(row)]
        assert len(row) == 40 or any(string in Letters().decode(row) for string in strings)
        assert not any(string in Letters().decode(row[:-1]) for string in strings)
        assert before(Letters().decode(row), strings) == before(text, strings)
    assert min(map(len, found)) < 12


def test_the_work_ends_with_the_chunk_of_the_last_stop_string(monkeypatch):
    monkeypatch.setattr(generation, "CHUNK", 4)
    made_ = []

    def compiled(*arguments, real=generation._compiled):
        first, more = real(*arguments)

        def recorded(*arguments):
            written = more(*arguments)
            made_.append(int(written.made))
            return written

        return first, recorded

    monkeypatch.setattr(generation, "_compiled", compiled)
    greedily("rotary", new=40, stop=lambda ids: len(ids) == 6)
    assert made_ == [4, 8]


def test_a_stop_string_and_the_end_token_together():
    (free,) = greedily("rotary", PROMPTS[:1], new=40)
    end = max(set(free), key=free.index)  # the token that comes latest
    place = free.index(end)
    assert place > 4
    for string, length in (("?", place), (Letters().decode(free[:3]), 3), (Letters().decode([end]), place)):
        found = greedily("rotary", PROMPTS[:1], new=40, end=end, stop=contains(Letters(), [string]))
        assert found == [free[:length]]


def test_text_before_a_stop_string():
    assert before("a b. c\nd", ["\n", ". "]) == "a b"
    assert before("a b", ["\n"]) == "a b"
    with pytest.raises(UserError, match="at least one character"):
        contains(Letters(), ["x", ""])


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("gpt", {"prompts": [[]]}, "at least one token"),
        ("gpt", {"prompts": None}, "at least one token"),
        ("gpt", {"new": 0}, "at least 1"),
        ("gpt", {"new": [3, 0, 3]}, "at least 1"),
        ("gpt", {"new": [3, 3]}, "2 limits"),
        ("gpt", {"new": 23}, "24 positions"),
        ("gpt", {"penalty": 0.0}, "repetition-penalty 0.0"),
        ("gpt", {"sources": SOURCES}, "no encoder"),
        ("seq2seq", {}, "needs sources"),
        ("gpt", {"new": [1, 25, 1]}, r"prompt \(1 tokens\) and 25 new ones"),
        ("seq2seq", {"sources": SOURCES[:2]}, "as many sources"),
        ("seq2seq", {"sources": [[], [1], [2]]}, "at least one token"),
        ("seq2seq scan", {"sources": [[1] * 25] * 3}, "25 tokens exceeds"),
    ],
)
def test_impossible_requests_are_refused(name, options, message):
    arguments = {"prompts": PROMPTS, "new": 3, "sampler": Greedy()} | options
    with pytest.raises(UserError, match=message):
        generate(*made(name), arguments.pop("prompts"), **arguments)

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Beam search for any model whose carry has `take(rows_B)`; K is the number of beams, C = 2 K that of candidates."""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from seqjax.decoding.prompts import Given, Ids, Step, first_carry, model_step, read_prompts
from seqjax.errors import UserError
from seqjax.models.model import Model
from seqjax.types import Params

NEVER = -float("inf")  # the score of a beam or a hypothesis that is not there


class Hypothesis(NamedTuple):
    """One continuation of a prompt."""

    tokens: list[int]  # without the end token
    score: float  # sum of log-probabilities / length ** length_penalty, the end token included in both


@flax.struct.dataclass
class Beams:
    """The state of the search; N is the room for new tokens."""

    made: jax.Array  # scalar: the columns in use
    tokens_BKN: jax.Array  # beams that go on, best first
    log_p_BK: jax.Array
    ended_BKN: jax.Array  # hypotheses, best first
    length_BK: jax.Array  # columns of each hypothesis, its end token included
    score_BK: jax.Array
    open_B: jax.Array  # whether a beam may still give a better hypothesis
    carry: Any  # of B * K rows; has read all but the last token


class Rules(NamedTuple):
    """What a search of one batch obeys."""

    limit_B: jax.Array  # most new tokens of each row
    divisor_N: jax.Array  # of the log-probability of a hypothesis of 1, 2, ... tokens
    end: int  # -1: none
    size: int  # ids from here on are never made; 0: all may be


def search(step: Step, given: Given, carry: Any, beams: int, rules: Rules) -> Beams:
    """Returns the beams after the last step: hypotheses in `ended_BKN`, best first.

    A step extends each beam by every token and looks at the C best candidates of a row. Those among the K best that
    end, by the end token or at the limit, are kept with their length-normalised scores if these are among the K best
    so far; of those that do not end, the K best are the next beams. A row is over when it has K hypotheses and its best
    beam, normalised by its present length, is no better than the worst of them. That test is exact up to a length
    penalty of 0 and a heuristic above, where longer hypotheses may still overtake. These are transformers' rules with
    `early_stopping=False`. Source: Wu et al. 2016, section 7, for length normalisation (its formula differs).

    Args:
      step: the model.
      given: prompts and their segments.
      carry: of the B prompts before they are read, with room for them and N tokens.
      beams: K.
      rules: limits, length normalisation and tokens.
    """
    batch, room = given.prompt_BL.shape[0], rules.divisor_N.shape[0]
    logits_BV, carry = step(given.prompt_BL, given.segments_BL, carry)
    carry = carry.take(jnp.repeat(jnp.arange(batch), beams))
    nothing_BKN = jnp.zeros((batch, beams, room), jnp.int32)
    none_BK = jnp.full((batch, beams), NEVER)
    state = Beams(
        made=jnp.zeros((), jnp.int32),
        tokens_BKN=nothing_BKN,
        log_p_BK=none_BK.at[:, 0].set(0.0),  # the beams are equal as yet: one of them speaks for all
        ended_BKN=nothing_BKN,
        length_BK=nothing_BKN[:, :, 0],
        score_BK=none_BK,
        open_B=jnp.ones(batch, bool),
        carry=carry,
    )
    state = _extend(state, jnp.repeat(logits_BV, beams, axis=0), rules)

    def one(state: Beams) -> Beams:
        last_BK = jax.lax.dynamic_index_in_dim(state.tokens_BKN, state.made - 1, axis=2, keepdims=False)
        logits_XV, carry = step(last_BK.reshape(-1, 1), None, state.carry)
        return _extend(dataclasses.replace(state, carry=carry), logits_XV, rules)

    return jax.lax.while_loop(lambda state: jnp.any(state.open_B), one, state)


def _extend(state: Beams, logits_XV: jax.Array, rules: Rules) -> Beams:
    """Returns the state one token later; X = B * K."""
    batch, beams, _ = state.tokens_BKN.shape
    logits_XV = logits_XV[:, : rules.size or None].astype(jnp.float32)
    log_p_BKV = jax.nn.log_softmax(logits_XV, axis=-1).reshape(batch, beams, -1) + state.log_p_BK[:, :, None]
    log_p_BC, choice_BC = jax.lax.top_k(log_p_BKV.reshape(batch, -1), 2 * beams)
    beam_BC, token_BC = jnp.divmod(choice_BC, log_p_BKV.shape[-1])
    tokens_BCN = _pick(state.tokens_BKN, beam_BC).at[:, :, state.made].set(token_BC)
    made, divisor = state.made + 1, rules.divisor_N[state.made]

    ends_BC = (token_BC == rules.end) | (made >= rules.limit_B)[:, None]
    enters_BC = ends_BC & (jnp.arange(2 * beams) < beams)[None, :] & state.open_B[:, None]
    score_BX = jnp.concatenate([state.score_BK, jnp.where(enters_BC, log_p_BC / divisor, NEVER)], axis=1)
    score_BK, best_BK = jax.lax.top_k(score_BX, beams)
    length_BX = jnp.concatenate([state.length_BK, jnp.full_like(beam_BC, made)], axis=1)

    log_p_BK, next_BK = jax.lax.top_k(jnp.where(ends_BC, NEVER, log_p_BC), beams)
    rows_BK = _pick(beam_BC, next_BK) + beams * jnp.arange(batch)[:, None]
    return Beams(
        made=made,
        tokens_BKN=_pick(tokens_BCN, next_BK),
        log_p_BK=log_p_BK,
        ended_BKN=_pick(jnp.concatenate([state.ended_BKN, tokens_BCN], axis=1), best_BK),
        length_BK=_pick(length_BX, best_BK),
        score_BK=score_BK,
        open_B=state.open_B & (log_p_BK[:, 0] / divisor > score_BK[:, -1]),
        carry=state.carry.take(rows_BK.reshape(-1)),
    )


def _pick(x: jax.Array, index_BK: jax.Array) -> jax.Array:
    """Returns x[b, index[b, k], ...]."""
    return jnp.take_along_axis(x, index_BK.reshape(*index_BK.shape, *[1] * (x.ndim - 2)), axis=1)


def beam_search(
    model: Model,
    params: Params,
    prompts: Ids | None = None,
    *,
    beams: int,
    new: int | Sequence[int],
    best: int = 1,
    length_penalty: float = 1.0,
    sources: Ids | None = None,
    end: int = -1,
    start: int = 0,
    pad: int = 0,
    size: int = 0,
    prefixed: bool = False,
) -> list[list[Hypothesis]]:
    """Returns the best continuations that a beam search finds for each prompt, best first; see `search` for its rules.

    Each step copies the carry once: beams that go on take the memory of the beam they come from.

    Args:
      model: a causal or an encoder-decoder model with a vocabulary head.
      params: its parameters.
      prompts: ids, at least one each.
      beams: K.
      new: most tokens to make, the end token included; of all rows or of each.
      best: how many continuations of each prompt to return, at most K; fewer come back where fewer exist.
      length_penalty: exponent of the length that scores are divided by; above 0 favours long ones, 0 is no
        normalisation.
      sources: what an encoder-decoder model's encoder reads; prompts may then be left out.
      end: id of the token that ends a text; -1 if none does.
      start: the token that a target begins with where sources have no prompts (T5: the padding).
      pad: any id; it is never attended to.
      size: ids below this only (0: the model's whole vocabulary).
      prefixed: prompts are read both ways, as a prefix language model does.

    Raises:
      UserError: see `prompts.read_prompts`; or `beams`, `best` or `length_penalty` out of range.
    """
    if beams < 1:
        raise UserError(f"beams {beams} must be at least 1")
    if not 1 <= best <= beams:
        raise UserError(f"n-best {best} must be at least 1 and at most the number of beams, {beams}")
    if not math.isfinite(length_penalty):
        raise UserError(f"length-penalty {length_penalty} must be a finite number")
    given = read_prompts(model.trunk.config, prompts, sources, new, start, pad)
    divisor_N = np.arange(1, int(given.limit_B.max()) + 1) ** float(length_penalty)
    state = _compiled(model, beams, end, size, prefixed)(params, given, jnp.asarray(divisor_N, jnp.float32))
    rows = zip(*(np.asarray(x[:, :best]) for x in (state.ended_BKN, state.length_BK, state.score_BK)), strict=True)
    return [
        [
            Hypothesis([token for token in tokens[:length].tolist() if token != end], float(score))
            for tokens, length, score in zip(*row, strict=True)
            if score > NEVER
        ]
        for row in rows
    ]


@functools.lru_cache(maxsize=16)
def _compiled(model: Model, beams: int, end: int, size: int, prefixed: bool) -> Callable[..., Beams]:
    @jax.jit
    def run(params: Params, given: Given, divisor_N: jax.Array) -> Beams:
        carry = first_carry(model, params, given, given.prompt_BL.shape[1] + divisor_N.shape[0])
        step = model_step(model, params, prefixed)
        rules = Rules(given.limit_B, divisor_N, end, size)
        return dataclasses.replace(search(step, given, carry, beams, rules), carry=None)

    return run

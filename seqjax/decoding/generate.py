# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Generation, one sampled token after the other, for any model with a carry: see `Step` in prompts.py."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from seqjax.decoding.prompts import Given, Ids, Step, first_carry, model_step, read_prompts
from seqjax.decoding.samplers import Sampler, penalise
from seqjax.decoding.stopping import Stop, shortest
from seqjax.errors import UserError
from seqjax.models.model import Model
from seqjax.types import Params

CHUNK = 16  # tokens between two looks for stop strings


@dataclasses.dataclass(frozen=True)
class Choice:
    """How a token is chosen, and which one ends a row."""

    sampler: Sampler
    penalty: float = 1.0  # see `samplers.penalise`; tokens of the prompt and of the output are seen, padding is not
    end: int = -1  # -1: none
    size: int = 0  # ids from here on are never made: a model's vocabulary may be larger than its tokenizer's; 0: all

    def __post_init__(self) -> None:
        if not 0.0 < self.penalty < float("inf"):
            raise UserError(f"repetition-penalty {self.penalty} must be a number above 0")


@flax.struct.dataclass
class Written:
    """What has been generated so far; N is the room for new tokens."""

    made: jax.Array  # scalar: the columns in use
    tokens_BN: jax.Array
    log_probs_BN: jax.Array  # of each token under the model, before penalty, temperature and cuts
    length_B: jax.Array  # columns that count: up to the row's end token, itself included, or its limit
    done_B: jax.Array
    seen_BV: jax.Array | None  # tokens that fall under the penalty; None without one
    carry: Any  # has read all but the last token


class Continuation(NamedTuple):
    """What follows a prompt."""

    tokens: list[int]  # without the end token
    log_probs: list[float]  # of each token and, where one ended the row, of the end token


def begin(step: Step, given: Given, carry: Any, choice: Choice, key: jax.Array, room: int) -> Written:
    """Reads the prompts and chooses each row's first token; token i is drawn with fold_in(key, i).

    Args:
      step: the model.
      given: prompts, segments and limits.
      carry: of the model before the prompts, with room for them and `room` tokens.
      choice: of tokens.
      key: of all draws.
      room: N.
    """
    logits_BV, carry = step(given.prompt_BL, given.segments_BL, carry)
    logits_BV = logits_BV[:, : choice.size or None]
    batch = logits_BV.shape[0]
    seen_BV = None
    if choice.penalty != 1.0:
        rows_B1 = jnp.arange(batch)[:, None]
        seen_BV = jnp.zeros(logits_BV.shape, bool).at[rows_B1, given.prompt_BL].max(given.segments_BL > 0, mode="drop")
    nothing_B, made = jnp.zeros(batch, jnp.int32), jnp.zeros((), jnp.int32)
    tokens_BN, log_probs_BN = jnp.zeros((batch, room), jnp.int32), jnp.zeros((batch, room), jnp.float32)
    written = Written(made, tokens_BN, log_probs_BN, nothing_B, nothing_B > 0, seen_BV, carry)
    return _choose(written, logits_BV, given.limit_B, choice, key)


def advance(step: Step, written: Written, limit_B: jax.Array, choice: Choice, key: jax.Array, until: Any) -> Written:
    """Goes on until `until` tokens are made or all rows are done; a later call may go on from there."""

    def open_rows(written: Written) -> jax.Array:
        return (written.made < until) & ~jnp.all(written.done_B)

    def one(written: Written) -> Written:
        last_B1 = jax.lax.dynamic_slice_in_dim(written.tokens_BN, written.made - 1, 1, axis=1)
        logits_BV, carry = step(last_B1, None, written.carry)
        logits_BV = logits_BV[:, : choice.size or None]
        return _choose(dataclasses.replace(written, carry=carry), logits_BV, limit_B, choice, key)

    return jax.lax.while_loop(open_rows, one, written)


def _choose(written: Written, logits_BV: jax.Array, limit_B: jax.Array, choice: Choice, key: jax.Array) -> Written:
    column, seen_BV = written.made, written.seen_BV
    chances_BV = jax.nn.log_softmax(logits_BV.astype(jnp.float32), axis=-1)
    if seen_BV is not None:
        logits_BV = penalise(logits_BV, seen_BV, choice.penalty)
    token_B = choice.sampler(logits_BV, jax.random.fold_in(key, column))
    rows_B = jnp.arange(token_B.shape[0])
    return dataclasses.replace(
        written,
        made=column + 1,
        tokens_BN=written.tokens_BN.at[:, column].set(token_B),
        log_probs_BN=written.log_probs_BN.at[:, column].set(chances_BV[rows_B, token_B]),
        length_B=written.length_B + ~written.done_B,
        done_B=written.done_B | (token_B == choice.end) | (column + 1 >= limit_B),
        seen_BV=None if seen_BV is None else seen_BV.at[rows_B, token_B].set(True),
    )


def generate(
    model: Model,
    params: Params,
    prompts: Ids | None = None,
    *,
    sampler: Sampler,
    new: int | Sequence[int],
    **options: Any,
) -> list[list[int]]:
    """Returns the tokens that follow each prompt, up to and without the end token; see `continuations`."""
    found = continuations(model, params, prompts, sampler=sampler, new=new, **options)
    return [continuation.tokens for continuation in found]


def continuations(
    model: Model,
    params: Params,
    prompts: Ids | None = None,
    *,
    sampler: Sampler,
    new: int | Sequence[int],
    sources: Ids | None = None,
    seed: int = 0,
    penalty: float = 1.0,
    stop: Stop | None = None,
    end: int = -1,
    start: int = 0,
    pad: int = 0,
    size: int = 0,
    prefixed: bool = False,
) -> list[Continuation]:
    """Returns what follows each prompt, with log-probabilities.

    Prompts of different lengths go through the model together, padded on the left. The work ends when all rows have.

    Args:
      model: a causal or an encoder-decoder model with a vocabulary head.
      params: its parameters.
      prompts: ids, at least one each.
      sampler: see `seqjax.decoding.samplers`.
      new: most tokens to make, the end token included; of all rows or of each.
      sources: what an encoder-decoder model's encoder reads; prompts may then be left out.
      seed: of the draws.
      penalty: of repetition, see `samplers.penalise`; 1 is none.
      stop: ends a row at the fewest new tokens for which it is true, the last of which is kept: see
        `stopping.contains`. It runs on the host, on each beginning of each row: every CHUNK tokens the device waits
        for it, and up to CHUNK - 1 tokens are made in vain.
      end: id of the token that ends a text; -1 if none does.
      start: the token that a target begins with where sources have no prompts (T5: the padding).
      pad: any id; it is never attended to.
      size: ids below this only (0: the model's whole vocabulary).
      prefixed: prompts are read both ways, as a prefix language model does.

    Raises:
      UserError: see `prompts.read_prompts`; or a penalty that is not above 0.
    """
    given = read_prompts(model.trunk.config, prompts, sources, new, start, pad)
    room = int(given.limit_B.max())
    first, more = _compiled(model, Choice(sampler, penalty, end, size), room, prefixed)
    key, limit_B = jax.random.key(seed), given.limit_B
    written = first(params, given, key)
    found: list[int | None] = [None] * len(limit_B)
    checked = 0
    while True:
        written = more(params, written, limit_B, key, min(checked + CHUNK, room) if stop else room)
        lengths, made = np.asarray(written.length_B).tolist(), int(written.made)
        tokens = [row[:length].tolist() for row, length in zip(np.asarray(written.tokens_BN), lengths, strict=True)]
        if stop is not None:
            found = [
                place or shortest(_plain(row, end), stop, checked) for place, row in zip(found, tokens, strict=True)
            ]
            stopped_B = np.array([place is not None for place in found])
            written = dataclasses.replace(written, done_B=written.done_B | stopped_B)
        checked = made
        if checked >= room or np.asarray(written.done_B).all():
            break
    log_probs = np.asarray(written.log_probs_BN)
    kept = [place or length for place, length in zip(found, lengths, strict=True)]
    return [
        Continuation(_plain(row[:length], end), log_probs[i, :length].tolist())
        for i, (row, length) in enumerate(zip(tokens, kept, strict=True))
    ]


def _plain(row: list[int], end: int) -> list[int]:
    return row[:-1] if row and row[-1] == end else row


@functools.lru_cache(maxsize=16)
def _compiled(
    model: Model, choice: Choice, room: int, prefixed: bool
) -> tuple[Callable[..., Written], Callable[..., Written]]:
    """Returns `begin` and `advance` of a model, compiled."""

    @jax.jit
    def first(params: Params, given: Given, key: jax.Array) -> Written:
        carry = first_carry(model, params, given, given.prompt_BL.shape[1] + room)
        return begin(model_step(model, params, prefixed), given, carry, choice, key, room)

    @functools.partial(jax.jit, donate_argnums=1)
    def more(params: Params, written: Written, limit_B: jax.Array, key: jax.Array, until: int) -> Written:
        return advance(model_step(model, params), written, limit_B, choice, key, until)

    return first, more

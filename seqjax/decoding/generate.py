# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Generation for any model with a carry: decoding knows only step(tokens [B, L], carry) -> (logits [B, V], carry)."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.decoding.samplers import Sampler
from seqjax.errors import UserError
from seqjax.models.model import Model
from seqjax.models.transformer import TransformerConfig
from seqjax.types import Params

Step = Callable[[jax.Array, jax.Array | None, Any], tuple[jax.Array, Any]]


def model_step(model: Model, params: Params) -> Step:
    """Returns (tokens [B, L], segments [B, L] or None, carry) -> (logits [B, V] after the last token, carry)."""

    def step(tokens_BL: jax.Array, segments_BL: jax.Array | None, carry: Any) -> tuple[jax.Array, Any]:
        last_B1 = jnp.full((tokens_BL.shape[0], 1), tokens_BL.shape[1] - 1)
        logits_B1V, carry = model.apply(
            {"params": params}, tokens_BL, segments_BL=segments_BL, gather_BP=last_B1, carry=carry
        )
        return logits_B1V[:, 0], carry

    return step


def sample_loop(
    step: Step,
    prompt_BL: jax.Array,
    segments_BL: jax.Array,
    carry: Any,
    sampler: Sampler,
    key: jax.Array,
    new: int,
    end: int,
    size: int,
) -> jax.Array:
    """Returns int32 [B, new]: what comes after each prompt; after the end token of a row only end tokens follow.

    Args:
      step: the model.
      prompt_BL: prompts, padded on the left.
      segments_BL: 0 at padding, 1 elsewhere.
      carry: an empty one with room for L + new tokens.
      sampler: chooses tokens.
      key: token i is drawn with fold_in(key, i).
      new: how many tokens to make.
      end: the token that ends a row; -1 if none does.
      size: ids from here on are never made (a model's vocabulary may be larger than its tokenizer's).
    """
    logits_BV, carry = step(prompt_BL, segments_BL, carry)

    def choose(logits_BV: jax.Array, done_B: jax.Array, i: jax.Array) -> tuple[jax.Array, jax.Array]:
        token_B = sampler(logits_BV[:, :size], jax.random.fold_in(key, i))
        token_B = jnp.where(done_B, end, token_B)
        return token_B, done_B | (token_B == end)

    def one(state: tuple[Any, ...], i: jax.Array) -> tuple[tuple[Any, ...], jax.Array]:
        token_B, done_B, carry = state
        logits_BV, carry = step(token_B[:, None], None, carry)
        token_B, done_B = choose(logits_BV, done_B, i)
        return (token_B, done_B, carry), token_B

    first_B, done_B = choose(logits_BV, jnp.zeros(prompt_BL.shape[0], bool), jnp.zeros((), jnp.int32))
    _, rest = jax.lax.scan(one, (first_B, done_B, carry), jnp.arange(1, new))
    return jnp.concatenate([first_B[:, None], rest.T], axis=1)


def generate(
    model: Model,
    params: Params,
    prompts: Sequence[Sequence[int]],
    *,
    sampler: Sampler,
    new: int,
    seed: int = 0,
    end: int = -1,
    pad: int = 0,
    size: int = 0,
) -> list[list[int]]:
    """Returns the tokens that follow each prompt, up to and without the end token.

    Prompts of different lengths go through the model together, padded on the left.

    Args:
      model: a causal model with a vocabulary head.
      params: its parameters.
      prompts: ids, at least one each.
      sampler: see `seqjax.decoding.samplers`.
      new: most tokens to make.
      seed: of the draws.
      end: id of the token that ends a text; -1 if none does.
      pad: any id; it is never attended to.
      size: ids below this only (0: the model's whole vocabulary).

    Raises:
      UserError: an empty prompt, or more tokens than the model has positions for.
    """
    if not prompts or not all(prompts):
        raise UserError("each prompt needs at least one token")
    if new < 1:
        raise UserError(f"max-new {new} must be at least 1")
    width = max(map(len, prompts))
    config = model.trunk.config
    if isinstance(config, TransformerConfig):
        if not config.causal:
            raise UserError("this model reads both ways and cannot generate; give the run of a causal language model")
        if config.positions == "learned" and width + new > config.max_length:
            raise UserError(
                f"the prompt ({width} tokens) and {new} new ones exceed the model's {config.max_length} positions"
            )
    prompt_BL = np.full((len(prompts), width), pad, np.int32)
    segments_BL = np.zeros((len(prompts), width), np.int32)
    for row, prompt in enumerate(prompts):
        prompt_BL[row, width - len(prompt) :] = prompt
        segments_BL[row, width - len(prompt) :] = 1
    run: Any = _compiled(model, sampler, new, end, size or config.vocab_size)
    tokens_BN = np.asarray(run(params, prompt_BL, segments_BL, jax.random.key(seed)))
    rows = [row.tolist() for row in tokens_BN]
    return [row[: row.index(end)] if end in row else row for row in rows]


@functools.lru_cache(maxsize=16)
def _compiled(model: Model, sampler: Sampler, new: int, end: int, size: int) -> Callable[..., jax.Array]:
    @jax.jit
    def run(params: Params, prompt_BL: jax.Array, segments_BL: jax.Array, key: jax.Array) -> jax.Array:
        batch, width = prompt_BL.shape
        carry = model.initial_carry(batch, width + new)
        step = model_step(model, params)
        return sample_loop(step, prompt_BL, segments_BL, carry, sampler, key, new, end, size)

    return run

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""What decoding starts from: prompts and sources as arrays, and the model as step(tokens, segments, carry)."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.errors import UserError
from seqjax.models.model import Model, ModelConfig
from seqjax.models.seq2seq import Seq2SeqConfig
from seqjax.models.transformer_config import TransformerConfig
from seqjax.types import Params

Ids = Sequence[Sequence[int]]
Step = Callable[[jax.Array, jax.Array | None, Any], tuple[jax.Array, Any]]


class Given(NamedTuple):
    """What a model is given to read, padded; segments are 0 at padding and 1 elsewhere."""

    prompt_BL: jax.Array  # padded on the left, so that every row's next token has the same place
    segments_BL: jax.Array
    source_BS: jax.Array | None  # padded on the right; None without an encoder
    source_segments_BS: jax.Array | None
    limit_B: jax.Array  # most new tokens of each row


def model_step(model: Model, params: Params, prefixed: bool = False) -> Step:
    """Returns (tokens [B, L], segments [B, L] or None, carry) -> (logits [B, V] after the last token, carry).

    Tokens with segments are a prompt; `prefixed` says that it is read both ways.
    """

    def step(tokens_BL: jax.Array, segments_BL: jax.Array | None, carry: Any) -> tuple[jax.Array, Any]:
        last_B1 = jnp.full((tokens_BL.shape[0], 1), tokens_BL.shape[1] - 1)
        inputs: dict[str, Any] = {"prefix_BL": segments_BL} if prefixed and segments_BL is not None else {}
        logits_B1V, carry = model.apply(
            {"params": params}, tokens_BL, segments_BL=segments_BL, gather_BP=last_B1, carry=carry, **inputs
        )
        return logits_B1V[:, 0], carry

    return step


def first_carry(model: Model, params: Params, given: Given, room: int) -> Any:
    """Returns the carry before the prompt, with room for `room` tokens; an encoder has then read the sources."""
    if given.source_BS is None:
        return model.initial_carry(given.prompt_BL.shape[0], room)
    return model.apply({"params": params}, given.source_BS, given.source_segments_BS, room, method="start")


def read_prompts(
    config: ModelConfig, prompts: Ids | None, sources: Ids | None, new: int | Sequence[int], start: int, pad: int
) -> Given:
    """Returns prompts and sources as arrays, after looking whether the model can go on from them.

    Args:
      config: the model's.
      prompts: ids, at least one each; None with sources: [start] each.
      sources: what an encoder reads, at least one id each; None for a model without one.
      new: most new tokens, of all rows or of each.
      start: the id that begins a target without a prompt.
      pad: any id; it is never attended to.

    Raises:
      UserError: an empty prompt or source, another number of prompts than of sources or limits, a limit below 1, a
        model that cannot generate, or more tokens than it has positions for.
    """
    if prompts is None:
        prompts = [[start]] * len(sources or [])
    if not prompts or not all(map(len, prompts)):
        raise UserError("each prompt needs at least one token")
    if sources is not None and (len(sources) != len(prompts) or not all(map(len, sources))):
        raise UserError(f"{len(prompts)} prompts need as many sources, of at least one token each")
    limits = list(new) if isinstance(new, Sequence) else [new] * len(prompts)
    if len(limits) != len(prompts):
        raise UserError(f"{len(limits)} limits of new tokens do not fit {len(prompts)} prompts")
    if min(limits) < 1:
        raise UserError(f"max-new {min(limits)} must be at least 1")
    prompt_BL, segments_BL = padded(prompts, pad, left=True)
    _check(config, prompts, limits, sources)
    source_BS, source_segments_BS = (None, None) if sources is None else padded(sources, pad, left=False)
    return Given(prompt_BL, segments_BL, source_BS, source_segments_BS, jnp.array(limits, jnp.int32))


def padded(rows: Ids, pad: int, left: bool) -> tuple[jax.Array, jax.Array]:
    """Returns int32 ids [B, L] and segments [B, L] of rows of different lengths."""
    width = max(map(len, rows))
    tokens_BL = np.full((len(rows), width), pad, np.int32)
    segments_BL = np.zeros((len(rows), width), np.int32)
    for i, row in enumerate(rows):
        place = slice(width - len(row), None) if left else slice(len(row))
        tokens_BL[i, place] = row
        segments_BL[i, place] = 1
    return jnp.asarray(tokens_BL), jnp.asarray(segments_BL)


def _check(config: ModelConfig, prompts: Ids, limits: list[int], sources: Ids | None) -> None:
    if not getattr(config, "causal", False):
        raise UserError("this model reads both ways and cannot generate; give the run of a causal language model")
    if isinstance(config, TransformerConfig | Seq2SeqConfig):
        if config.decoder_layers and sources is None:
            raise UserError("an encoder-decoder model needs sources")
        if sources is not None and not config.decoder_layers:
            raise UserError("this model has no encoder to read sources")
    if not isinstance(config, TransformerConfig) or config.positions != "learned":
        return
    for prompt, new in zip(prompts, limits, strict=True):
        if len(prompt) + new - 1 > config.max_length:  # nobody reads the last one
            raise UserError(
                f"the prompt ({len(prompt)} tokens) and {new} new ones exceed the model's {config.max_length} positions"
            )
    longest = max(map(len, sources)) if sources is not None else 0
    if longest > config.max_length:
        raise UserError(f"a source of {longest} tokens exceeds the model's {config.max_length} positions")

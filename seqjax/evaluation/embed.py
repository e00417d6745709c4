# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""What a notebook asks of a trained model: sentences as vectors, how likely a text is, what fits a blank."""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from seqjax.data.tokenizers import Tokenizer
from seqjax.errors import UserError
from seqjax.models.heads import pooled
from seqjax.models.model import Model
from seqjax.models.transformer_config import TransformerConfig
from seqjax.objectives.pooling import POOLS, check_pool
from seqjax.types import Params

SHORTEST = 16  # rows are padded to this or its double, and so on: few widths, few compilations


class Guess(NamedTuple):
    """What may stand in a blank."""

    text: str
    token: int
    probability: float


def sentence_embeddings(
    model: Model,
    params: Params,
    tokenizer: Tokenizer,
    texts: Sequence[str],
    *,
    pool: str = "mean",
    normalise: bool = False,
    batch: int = 32,
    length: int = 0,
) -> np.ndarray:
    """Returns float32 [texts, D]: the trunk's last states pooled, of [CLS] text [SEP] where the tokenizer has these.

    Args:
      model: its head is not used.
      params: of the trunk at least.
      tokenizer: of the model.
      texts: one or more.
      pool: "mean" over all tokens (Reimers & Gurevych 2019, section 3), "first" or "last".
      normalise: to length 1.
      batch: rows that go through the model together.
      length: tokens of a text that are read at most, begin and end included; 0: what the model takes.

    Raises:
      UserError: an unknown pool, or the first state of a model that reads one way.
    """
    if pool not in POOLS:
        raise UserError(f"pool '{pool}' is not one of {', '.join(POOLS)}")
    check_pool(pool, model.trunk.config, "pool='last' or 'mean'")
    rows = [_framed(ids, tokenizer, _limit(model, length)) for ids in tokenizer.encode_batch(list(texts))]
    config = model.trunk.config
    out = np.zeros((len(rows), getattr(config, "output_width", config.width)), np.float32)
    for places, tokens_BL, segments_BL in _batches(rows, batch):
        found = _vectors(model, pool)(params, tokens_BL, segments_BL)
        out[places] = np.asarray(found)[: len(places)]
    return out / np.linalg.norm(out, axis=1, keepdims=True) if normalise else out


def log_probabilities(model: Model, params: Params, tokenizer: Tokenizer, text: str) -> list[tuple[str, float]]:
    """Returns (piece, log-probability in nats given all before it) for each token of a text.

    A text begins with the tokenizer's begin token; without one the first token has no probability and is left out.

    Raises:
      UserError: a model that reads both ways, or a text longer than it takes.
    """
    config: Any = model.trunk.config
    if isinstance(config, TransformerConfig) and (not config.causal or config.decoder_layers):
        raise UserError("the probability of a text needs a causal language model")
    ids = ([tokenizer.bos] if tokenizer.bos >= 0 else []) + tokenizer.encode(text)
    if len(ids) > _limit(model, 0):
        raise UserError(f"the text has {len(ids)} tokens; the model takes {_limit(model, 0)}")
    if len(ids) < 2:
        return []
    ((_, tokens_BL, segments_BL),) = _batches([ids], 1)
    chances_LV = _chances(model)(params, tokens_BL, segments_BL)[0]
    found = np.asarray(chances_LV)[np.arange(len(ids) - 1), ids[1:]]
    return [(tokenizer.id_to_piece(token), float(value)) for token, value in zip(ids[1:], found, strict=True)]


def fill_mask(
    model: Model, params: Params, tokenizer: Tokenizer, text: str, *, blank: str = "[MASK]", best: int = 5
) -> list[list[Guess]]:
    """Returns the `best` likeliest tokens for each blank of a text under a masked language model, likeliest first.

    Args:
      model: a masked language model.
      params: with its head.
      tokenizer: with a mask token.
      text: with at least one blank. What stands beside a blank is encoded by itself.
      blank: how a blank is written in the text.
      best: how many guesses.

    Raises:
      UserError: no blank, no mask token, or a text longer than the model takes.
    """
    if tokenizer.mask < 0:
        raise UserError("this tokenizer has no mask token; fill_mask needs a masked language model's")
    if blank not in text:
        raise UserError(f"the text has no blank; write {blank} where a token is to be guessed")
    ids: list[int] = []
    for number, part in enumerate(text.split(blank)):
        ids += ([tokenizer.mask] if number else []) + tokenizer.encode(part)
    limit = _limit(model, 0)
    row = _framed(ids, tokenizer, len(ids) + 2)
    if len(row) > limit:
        raise UserError(f"the text has {len(row)} tokens; the model takes {limit}")
    ((_, tokens_BL, segments_BL),) = _batches([row], 1)
    chances_LV = np.asarray(_chances(model)(params, tokens_BL, segments_BL)[0])[:, : tokenizer.size]
    places = [place for place, token in enumerate(row) if token == tokenizer.mask]
    return [
        [
            Guess(tokenizer.decode([token]), int(token), float(np.exp(chances_LV[place, token])))
            for token in np.argsort(-chances_LV[place], kind="stable")[:best]
        ]
        for place in places
    ]


def _framed(ids: Sequence[int], tokenizer: Tokenizer, limit: int) -> list[int]:
    """Begin token, as much of the text as fits, end token."""
    begin, end = ([token] if token >= 0 else [] for token in (tokenizer.bos, tokenizer.eos))
    return [*begin, *ids[: limit - len(begin) - len(end)], *end]


def _limit(model: Model, length: int) -> int:
    config: Any = model.trunk.config
    longest = config.max_length if getattr(config, "positions", "") == "learned" else 1 << 30
    return min(length or longest, longest)


def _batches(rows: Sequence[Sequence[int]], batch: int) -> Iterator[tuple[list[int], np.ndarray, np.ndarray]]:
    """Yields (places of the rows, tokens, segments), rows of similar length together, padded on the right."""
    order = sorted(range(len(rows)), key=lambda place: len(rows[place]))
    for start in range(0, len(order), batch):
        places = order[start : start + batch]
        width = SHORTEST
        while width < len(rows[places[-1]]):
            width *= 2
        size = min(batch, len(rows))
        tokens_BL, segments_BL = np.zeros((size, width), np.int32), np.zeros((size, width), np.int32)
        for i, place in enumerate(places):
            tokens_BL[i, : len(rows[place])] = rows[place]
            segments_BL[i, : len(rows[place])] = 1
        yield places, tokens_BL, segments_BL


@functools.lru_cache(maxsize=16)
def _vectors(model: Model, pool: str) -> Callable[..., jax.Array]:
    @jax.jit
    def vectors(params: Params, tokens_BL: jax.Array, segments_BL: jax.Array) -> jax.Array:
        x_BLD, _ = model.apply({"params": params}, tokens_BL, segments_BL=segments_BL, method="hidden")
        return pooled(x_BLD, segments_BL, pool)

    return vectors


@functools.lru_cache(maxsize=16)
def _chances(model: Model) -> Callable[..., jax.Array]:
    @jax.jit
    def chances(params: Params, tokens_BL: jax.Array, segments_BL: jax.Array) -> jax.Array:
        logits_BLV, _ = model.apply({"params": params}, tokens_BL, segments_BL=segments_BL)
        return jax.nn.log_softmax(logits_BLV, axis=-1)

    return chances

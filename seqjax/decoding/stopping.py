# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Stop strings: generation ends where the text contains one, whatever tokens it is made of."""

from collections.abc import Callable, Sequence

from seqjax.data.tokenizers import Tokenizer
from seqjax.errors import UserError

Stop = Callable[[list[int]], bool]


def contains(tokenizer: Tokenizer, strings: Sequence[str]) -> Stop:
    """Returns new ids -> whether their text, without the prompt's, contains one of the strings.

    Raises:
      UserError: an empty string, which every text contains.
    """
    if not all(strings):
        raise UserError("a stop string needs at least one character")

    def stop(ids: list[int]) -> bool:
        text = tokenizer.decode(ids)
        return any(string in text for string in strings)

    return stop


def before(text: str, strings: Sequence[str]) -> str:
    """Returns the text up to the first of the strings, or all of it."""
    found = [text.find(string) for string in strings]
    return text[: min((place for place in found if place >= 0), default=len(text))]


def shortest(ids: list[int], stop: Stop, known: int) -> int | None:
    """Returns how many first ids make `stop` true, or None; fewer than `known` + 1 are known not to."""
    return next((length for length in range(known + 1, len(ids) + 1) if stop(ids[:length])), None)

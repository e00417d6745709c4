# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""How an evaluation is broken off that reads a split batch by batch."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
Stop = Callable[[], bool]


class BrokenOff(Exception):
    """Somebody asked to stop before an evaluation had an end."""


def never() -> bool:
    """Returns False."""
    return False


def until(stop: Stop, batches: Iterable[T]) -> Iterator[T]:
    """Yields batches, and asks before each whether to stop.

    Raises:
      BrokenOff: `stop` says so.
    """
    for batch in batches:
        if stop():
            raise BrokenOff
        yield batch

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Long sequences cut into windows, and short ones packed into rows: arithmetic over lengths alone."""

from collections.abc import Sequence

import numpy as np


def cut(lengths: np.ndarray, room: int | np.ndarray, overlap: int | np.ndarray = 0) -> np.ndarray:
    """Cuts sequences into windows of at most `room` places, neighbours sharing `overlap` places.

    Args:
      lengths: int [documents].
      room: places of a window, of all documents or of each.
      overlap: places that a window shares with the one before it, likewise. No window holds shared places only.

    Returns:
      int64 [windows, 3]: document, start, stop. Empty sequences give no window.
    """
    room, overlap = np.broadcast_to(room, lengths.shape), np.broadcast_to(overlap, lengths.shape)
    stride = room - overlap
    counts = np.where(lengths > 0, np.maximum(1, -(-(lengths - overlap) // stride)), 0)
    document = np.repeat(np.arange(len(lengths)), counts)
    number = np.arange(len(document)) - np.repeat(np.cumsum(counts) - counts, counts)
    start = number * stride[document]
    return np.stack([document, start, np.minimum(start + room[document], lengths[document])], axis=1).astype(np.int64)


def first_fit(sizes: Sequence[int] | np.ndarray, room: int, open_rows: int = 64) -> np.ndarray:
    """Packs items in order, each into the first of the last `open_rows` rows that has room.

    Returns:
      int64 [items]: the row of each item. Rows are numbered in the order in which they were begun.
    """
    row_of = np.zeros(len(sizes), np.int64)
    numbers: list[int] = []
    space: list[int] = []
    begun = 0
    for item, size in enumerate(np.asarray(sizes).tolist()):
        place = next((place for place, left in enumerate(space) if left >= size), None)
        if place is None:
            if len(space) == open_rows:
                fullest = space.index(min(space))
                del numbers[fullest], space[fullest]
            place = len(space)
            numbers.append(begun)
            space.append(room)
            begun += 1
        row_of[item] = numbers[place]
        space[place] -= size
    return row_of

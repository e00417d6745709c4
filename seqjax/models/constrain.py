# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Where the axes of an activation lie, said by their letters; nothing happens unless a mesh is active.

Models name no mesh. At block borders they say `constrain(x_BLD, "BLD")`, and `seqjax.training.parallel` knows which
letters its mesh divides. Without these the compiler may keep whole activations on every device.
"""

import contextlib
import contextvars
from collections.abc import Callable, Iterator

import jax

Place = Callable[[jax.Array, str], jax.Array]

_place: contextvars.ContextVar[Place | None] = contextvars.ContextVar("place", default=None)


def constrain(x: jax.Array, letters: str) -> jax.Array:
    """Returns x, its axes divided as the active mesh divides these letters.

    Args:
      x: any array.
      letters: of its axes, see `seqjax`; axes beyond them are whole on every device. "B" is also rows times places.
    """
    place = _place.get()
    return x if place is None else place(x, letters)


def divided() -> bool:
    """Returns whether a mesh is active: two axes that it divides must then not be merged into one."""
    return _place.get() is not None


@contextlib.contextmanager
def placing(place: Place) -> Iterator[None]:
    """Makes `constrain` call this while a function is traced."""
    token = _place.set(place)
    try:
        yield
    finally:
        _place.reset(token)

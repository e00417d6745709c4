# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Where the axes of an activation lie, said by their letters; nothing happens unless a mesh is active.

Models name no mesh. At block borders they say `constrain(x_BLD, "BLD")`, and `seqjax.training.parallel` knows which
letters its mesh divides. Without these the compiler may keep whole activations on every device.
"""

import contextlib
import contextvars
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

import jax


@dataclasses.dataclass(frozen=True)
class Places:
    """What the devices of a program do to activations.

    Attributes:
      platform: of the devices, "cpu", "gpu" or "tpu".
      put: (array, letters of its axes) -> the array, divided.
      parts: into how many a mesh divides each letter; one that is not there stays whole.
      each: (function of arrays, letters of their axes, letters of its result's) -> the same function, which each device
        applies to its own parts.
    """

    platform: str
    put: Callable[[jax.Array, str], jax.Array] = lambda x, letters: x
    parts: Mapping[str, int] = dataclasses.field(default_factory=dict)
    each: Callable[[Callable[..., jax.Array], Sequence[str], str], Callable[..., jax.Array]] = lambda f, *letters: f


_active: contextvars.ContextVar[Places | None] = contextvars.ContextVar("places", default=None)


def constrain(x: jax.Array, letters: str) -> jax.Array:
    """Returns x, its axes divided as the active mesh divides these letters.

    Args:
      x: any array.
      letters: of its axes, see `seqjax`; axes beyond them are whole on every device. "B" is also rows times places.
    """
    places = _active.get()
    return x if places is None else places.put(x, letters)


def parts(letter: str) -> int:
    """Returns into how many the active mesh divides this axis."""
    places = _active.get()
    return 1 if places is None else places.parts.get(letter, 1)


def divided(letter: str) -> bool:
    """Returns whether a mesh is active that divides this axis, which then must not be merged into another."""
    return parts(letter) > 1


def portion(x: jax.Array, first: jax.Array | int, count: int, axis: int, among: int = 1) -> jax.Array:
    """Returns `count` places from place `first` on of each of `among` equal parts of an axis, side by side.

    A mesh that divides the axis into these parts has each device take its own.
    """
    before, after = x.shape[:axis], x.shape[axis + 1 :]
    parted = x.reshape(*before, among, x.shape[axis] // among, *after)
    taken = jax.lax.dynamic_slice_in_dim(parted, first, count, axis + 1)
    return taken.reshape(*before, among * count, *after)


def active() -> Places | None:
    """Returns what is known of the devices that the function being traced is for; None in a notebook's own `jit`."""
    return _active.get()


@contextlib.contextmanager
def placing(places: Places) -> Iterator[None]:
    """Makes `constrain` do what a mesh asks for, while a function is traced."""
    token = _active.set(places)
    try:
        yield
    finally:
        _active.reset(token)

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Overrides, JSON both ways, differences."""

import dataclasses
from typing import ClassVar

import pytest

from seqjax.config import differences, from_json, override, to_json
from seqjax.errors import UserError


@dataclasses.dataclass(frozen=True)
class Inner:
    shorthand: ClassVar[str] = "path"
    path: str = "here"
    sizes: tuple[int, ...] = (1, 2)
    rules: tuple[tuple[str, float], ...] = (("bias$", 0.0),)


@dataclasses.dataclass(frozen=True)
class CircleConfig:
    radius: float = 1.0


@dataclasses.dataclass(frozen=True)
class SquareConfig:
    side: int = 2


@dataclasses.dataclass(frozen=True)
class Outer:
    steps: int = 10
    rate: float = 0.5
    on: bool = False
    note: str | None = None
    inner: Inner = Inner()
    shape: CircleConfig | SquareConfig = CircleConfig()


@pytest.mark.parametrize(
    ("assignment", "read", "value"),
    [
        ("steps=20", lambda c: c.steps, 20),
        ("steps=1e3", lambda c: c.steps, 1000),
        ("steps=1_000", lambda c: c.steps, 1000),
        ("rate=3", lambda c: c.rate, 3.0),
        ("rate=1e-4", lambda c: c.rate, 1e-4),
        ("on=true", lambda c: c.on, True),
        ("note=12", lambda c: c.note, "12"),
        ("note=none", lambda c: c.note, None),
        ("inner.path=a=b", lambda c: c.inner.path, "a=b"),
        ("inner=there", lambda c: c.inner.path, "there"),
        ("inner.sizes=3,4,5", lambda c: c.inner.sizes, (3, 4, 5)),
        ("inner.sizes=[7]", lambda c: c.inner.sizes, (7,)),
        ("inner.sizes=7", lambda c: c.inner.sizes, (7,)),
        ('inner.rules=[["a",1],["b",0.5]]', lambda c: c.inner.rules, (("a", 1.0), ("b", 0.5))),
        ("shape=square", lambda c: c.shape, SquareConfig()),
        ("shape.radius=2", lambda c: c.shape, CircleConfig(2.0)),
    ],
)
def test_overrides(assignment, read, value):
    found = read(override(Outer(), [assignment]))
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("stps=20", "did you mean 'steps'"),
        ("inner.pth=x", "did you mean 'path'"),
        ("zzz=1", "known: steps, rate"),
        ("steps", "key=value"),
        ("=3", "key=value"),
        ("steps=many", "steps: expected a whole number, found 'many'"),
        ("steps=1.5", "steps: expected a whole number"),
        ("steps=true", "steps: expected a whole number"),
        ("rate=fast", "rate: expected a number"),
        ("on=1", "on: expected true or false"),
        ("steps.more=1", "single value"),
        ("inner.sizes=a,b", "inner.sizes: expected a whole number"),
        ("shape=triangle", "unknown kind 'triangle'"),
        ("shape.side=2", "unknown key 'side'"),
    ],
)
def test_bad_overrides_are_one_line(assignment, message):
    with pytest.raises(UserError) as caught:
        override(Outer(), [assignment])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_json_round_trip_keeps_kinds_and_types():
    config = override(Outer(), ["shape=square", "shape.side=9", "inner.sizes=4", "note=x"])
    tree = to_json(config)
    assert tree["shape"] == {"kind": "square", "side": 9}
    assert tree["inner"]["sizes"] == [4]
    assert from_json(Outer, tree) == config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stepz": 1}, "unknown key 'stepz'; did you mean 'steps'"),
        ({"steps": "x"}, "config.steps: expected a whole number"),
        ({"shape": {"kind": "triangle"}}, "unknown kind 'triangle'"),
        ({"inner": 3}, "config.inner"),
    ],
)
def test_bad_json_names_the_place(change, message):
    with pytest.raises(UserError, match=message):
        from_json(Outer, to_json(Outer()) | change)


def test_a_missing_key_is_named():
    tree = to_json(Outer())
    del tree["rate"]
    with pytest.raises(UserError, match="'rate' is missing"):
        from_json(Outer, tree)


def test_differences_by_leaf():
    a, b = to_json(Outer()), to_json(override(Outer(), ["steps=3", "shape=square", "inner=there"]))
    assert differences(a, b) == {
        "steps": (10, 3),
        "inner.path": ("here", "there"),
        "shape.kind": ("circle", "square"),
        "shape.radius": (1.0, None),
        "shape.side": (None, 2),
    }
    assert differences(a, a) == {}

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Frozen dataclasses as configuration: typed overrides, JSON both ways, and differences.

A configuration is a tree of frozen dataclasses. Its leaves are int, float, bool, str, None, or tuples of these. A field
may be a union of dataclasses (`model: TransformerConfig | RNNConfig`); in JSON such a node says which one under "kind"
("transformer", "rnn": the class name in lower case without "Config").
"""

import copy
import dataclasses
import difflib
import json
import math
import sys
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar, Union

from seqjax.errors import UserError

T = TypeVar("T")
KIND = "kind"


def override(config: T, assignments: Iterable[str]) -> T:
    """Returns `config` with each "dotted.key=value" applied, in order; whether values fit together is seen at the end.

    A value given to a node that is itself a dataclass sets that node's shorthand field (its class attribute
    `shorthand`, as in `data=text:/corpus/*.txt`); given to a union of dataclasses it names the class to use, with that
    class's defaults (`model=rnn`).

    Raises:
      UserError: no "=", an unknown key (the nearest one is named), or a value of the wrong type.
    """
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key:
            raise UserError(f"'{assignment}' is not an override; write key=value, for example run.steps=100")
        config = _assign(config, key.strip().split("."), text.strip(), key.strip())
    return _checked(config)


def derive(config: T, **changes: Any) -> T:
    """Returns `config` with fields replaced; a dict given for a field that is a dataclass replaces some of its fields.

    derive(experiment, name="small", model={"layers": 2}) is dataclasses.replace at any depth.
    """
    values = {}
    for name, value in changes.items():
        inner = getattr(config, name)
        values[name] = derive(inner, **value) if isinstance(value, dict) and dataclasses.is_dataclass(inner) else value
    return dataclasses.replace(typing.cast(Any, config), **values)


def to_json(config: Any) -> dict[str, Any]:
    """Returns the configuration as plain JSON values; `from_json` is its inverse."""
    hints = typing.get_type_hints(type(config))
    out: dict[str, Any] = {}
    for field in dataclasses.fields(config):
        out[field.name] = _plain(getattr(config, field.name), hints[field.name])
    return json.loads(json.dumps(out))


def _plain(value: Any, hint: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return ({KIND: _kind(type(value))} if len(_classes(hint)) > 1 else {}) | to_json(value)
    if isinstance(value, tuple) and (args := typing.get_args(hint)):
        kinds = [args[0]] * len(value) if args[-1] is Ellipsis else args
        return [_plain(item, kind) for item, kind in zip(value, kinds, strict=True)]
    return value


def from_json(cls: type[T], values: Any, where: str = "config") -> T:
    """Builds `cls` from what `to_json` gave.

    Raises:
      UserError: an unknown or a missing key, or a value of the wrong type; the message names the place.
    """
    if not isinstance(values, dict):
        raise UserError(f"{where}: expected an object with the fields of {cls.__name__}, found {values!r}")
    hints = typing.get_type_hints(cls)
    names = [field.name for field in dataclasses.fields(typing.cast(Any, cls))]
    for key in values:
        if key not in names and key != KIND:
            raise UserError(f"{where}: {unknown('key', key, names)}")
    if missing := [name for name in names if name not in values]:
        raise UserError(f"{where}: key '{missing[0]}' is missing")
    return cls(**{name: _coerce(hints[name], values[name], f"{where}.{name}") for name in names})


def differences(a: Any, b: Any, prefix: str = "") -> dict[str, tuple[Any, Any]]:
    """Returns {dotted key: (value in a, value in b)} for every leaf in which two JSON trees differ.

    A leaf present on one side only has None on the other.
    """
    if not (isinstance(a, dict) and isinstance(b, dict)):
        return {} if a == b else {prefix: (a, b)}
    found: dict[str, tuple[Any, Any]] = {}
    for key in list(a) + [key for key in b if key not in a]:
        found |= differences(a.get(key), b.get(key), f"{prefix}.{key}" if prefix else key)
    return found


def require(config: Any, prefix: str, names: Sequence[str], least: float, below: float = math.inf) -> None:
    """Raises UserError where a number among the fields `names` is not at least `least` and less than `below`."""
    for name in names:
        if not least <= getattr(config, name) < below:
            limit = "" if below == math.inf else f" and less than {below:,}".replace(",", "_")
            raise UserError(f"{prefix}.{name}={getattr(config, name)} must be at least {least:g}{limit}")


def require_choice(config: Any, prefix: str, choices: Mapping[str, Iterable[str]]) -> None:
    """Raises UserError where a field is not one of the values that `choices` has for its name."""
    for name, allowed in choices.items():
        if getattr(config, name) not in allowed:
            raise UserError(f"{prefix}.{name}: '{getattr(config, name)}' is not one of {', '.join(allowed)}")


def unknown(what: str, name: str, known: Sequence[str]) -> str:
    """Returns "unknown WHAT 'NAME'; ..." with the nearest known name, or all of them where none is near."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known)}"
    return f"unknown {what} '{name}'; {hint}"


def _assign(node: Any, path: list[str], text: str, full: str) -> Any:
    hints = typing.get_type_hints(type(node))
    names = [field.name for field in dataclasses.fields(node)]
    head, rest = path[0], path[1:]
    if head not in names:
        raise UserError(f"{full}: {unknown('key', head, names)}")
    value, hint = getattr(node, head), hints[head]
    classes = _classes(hint)
    if rest:
        if not dataclasses.is_dataclass(value):
            raise UserError(f"{full}: '{head}' is a single value and has no key '{rest[0]}'")
        new = _assign(value, rest, text, full)
    elif len(classes) > 1:
        by_name = {_kind(cls): cls for cls in classes}
        if text.lower() not in by_name:
            raise UserError(f"{full}: {unknown('kind', text, list(by_name))}")
        new = by_name[text.lower()]()
    elif classes and text.lower() != "none":
        shorthand = getattr(classes[0], "shorthand", None)
        if shorthand is None:
            keys = ", ".join(f"{full}.{field.name}" for field in dataclasses.fields(classes[0])[:3])
            raise UserError(f"{full} is a group of settings; set one of its keys ({keys}, ...)")
        new = _assign(value if value is not None else classes[0](), [shorthand], text, f"{full}.{shorthand}")
    else:
        new = _coerce(hint, _parse(text, hint), full)
    changed = copy.copy(node)  # not `replace`: what is assigned next may be what makes this value fit
    object.__setattr__(changed, head, new)
    return changed


def _checked(node: Any) -> Any:
    """Returns the tree made anew, so that every node sees to its values."""
    fields = {field.name: getattr(node, field.name) for field in dataclasses.fields(node)}
    inner = {name: _checked(value) for name, value in fields.items() if dataclasses.is_dataclass(value)}
    return dataclasses.replace(node, **inner)


def _parse(text: str, hint: Any) -> Any:
    """Reads the text of an override as a JSON value where the field wants other than a string."""
    is_tuple = typing.get_origin(hint) is tuple
    if hint is str or (not is_tuple and str in typing.get_args(hint) and text.lower() != "none"):
        return text
    if is_tuple and not text.startswith("["):
        return [_parse(part.strip(), typing.get_args(hint)[0]) for part in text.split(",") if part.strip()]
    if text.lower() in ("true", "false", "none", "null"):
        return {"true": True, "false": False}.get(text.lower())
    try:
        return json.loads(text)
    except ValueError:
        if is_tuple:
            return [text]  # a regex may begin with a bracket too
        try:
            return int(text) if "_" in text else float(text)
        except ValueError:
            return text


def _coerce(hint: Any, value: Any, where: str) -> Any:
    """Returns `value` as the type `hint` asks for; raises UserError where it is not one."""
    origin = typing.get_origin(hint)
    classes = _classes(hint)
    if classes and isinstance(value, dict):
        if len(classes) == 1:
            return from_json(classes[0], value, where)
        by_name = {_kind(cls): cls for cls in classes}
        if value.get(KIND) not in by_name:
            raise UserError(f"{where}: {unknown('kind', str(value.get(KIND)), list(by_name))}")
        return from_json(by_name[value[KIND]], value, where)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in typing.get_args(hint):
            return None
        for option in typing.get_args(hint):
            if option is not type(None):
                return _coerce(option, value, where)
    if origin is tuple:
        items = value if isinstance(value, (list, tuple)) else [value]
        args = typing.get_args(hint)
        if args[-1] is not Ellipsis and len(args) != len(items):
            raise UserError(f"{where}: expected {len(args)} values, found {value!r}")
        kinds = [args[0]] * len(items) if args[-1] is Ellipsis else args
        return tuple(_coerce(kind, item, where) for kind, item in zip(kinds, items, strict=True))
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        if not abs(value) <= sys.float_info.max:
            raise UserError(f"{where}: expected a finite number, found {value!r:.40}")
        return float(value)
    if hint is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, hint) and not (hint is not bool and isinstance(value, bool)):
        return value
    wanted = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}.get(hint, hint.__name__)
    raise UserError(f"{where}: expected {wanted}, found {value!r}")


def _classes(hint: Any) -> list[type]:
    """Returns the dataclasses that a field of this type may hold."""
    options = typing.get_args(hint) if typing.get_origin(hint) in (Union, types.UnionType) else (hint,)
    return [option for option in options if dataclasses.is_dataclass(option) and isinstance(option, type)]


def _kind(cls: type) -> str:
    return cls.__name__.removesuffix("Config").lower()

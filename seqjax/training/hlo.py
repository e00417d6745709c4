# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""What a compiled program sends between devices, read from its text (HLO); and the products that a traced one has."""

import collections
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from jax.extend.core import ClosedJaxpr, Jaxpr

_COMPUTATION = re.compile(r"^(ENTRY )?%?([\w.-]+) \(.*\{$")
_COLLECTIVE = re.compile(
    r" = (.+?) (all-gather|all-reduce|reduce-scatter|all-to-all|ragged-all-to-all|collective-permute)(-start)?\("
)
_CALLED = re.compile(r"(?:body|to_apply|calls|branch_computations)=\{?(%?[\w.-]+(?:, ?%?[\w.-]+)*)")
_ARRAY = re.compile(r"\b([a-z]+)(\d+)[a-z0-9]*\[([\d,]*)\]")  # f32[8,128]; predicates are pred[...]


def collectives(text: str, devices: int) -> dict[str, dict[str, float]]:
    """Returns {kind: {"count", "bytes"}} of an update: how often, and what each device sends to others.

    Bodies of loops count as often as they run. Bytes are those of the ring algorithms: of an array of b bytes among n
    devices an all-gather, a reduce-scatter and an all-to-all send b (n - 1) / n, an all-reduce twice that, a permute b
    (Thakur, Rabenseifner & Gropp 2005, section 4).

    Args:
      text: `compiled.as_text()`.
      devices: of the program.

    Raises:
      ValueError: a loop that holds collectives does not say how often it runs.
    """
    bodies, entry = _computations(text)
    times = collections.defaultdict(float, {entry: 1.0})
    found: dict[str, dict[str, float]] = {}
    for name in _callers_first(bodies, entry):
        for line in bodies[name]:
            runs = times[name]
            for callee in _callees(line):
                times[callee] += runs * (_trips(line, bodies) if callee == _body(line) else 1)
            if match := _COLLECTIVE.search(line):
                shape, kind, started = match.groups()
                sizes = [_bytes(*array) for array in _ARRAY.findall(shape)]
                size = max(sizes) if started and kind != "all-reduce" else sum(sizes)
                group = _group(line, devices)
                if kind == "reduce-scatter":
                    size *= group
                scatters = kind == "all-reduce" and "reduce-scatter" in name  # a fusion that keeps its own part only
                kind = "reduce-scatter" if scatters else kind
                share = 1.0 if kind == "collective-permute" else (group - 1) / group * (1 + (kind == "all-reduce"))
                entry_of = found.setdefault(kind, {"count": 0, "bytes": 0.0})
                entry_of["count"] += int(runs)
                entry_of["bytes"] += runs * size * share
    return found


def product_flops(jaxpr: Jaxpr | ClosedJaxpr) -> float:
    """Returns the FLOPs of all matrix products of a traced function, over all devices; loops count as they run.

    Of a kernel's blocks half count: a causal mask has it leave out up to so many, and what needs less time at least is
    a bound.
    """
    total = 0.0
    for equation in (jaxpr.jaxpr if isinstance(jaxpr, ClosedJaxpr) else jaxpr).eqns:
        if equation.primitive.name == "dot_general":
            (contracted, _), _ = equation.params["dimension_numbers"]
            left: Any = equation.invars[0].aval
            out: Any = equation.outvars[0].aval
            total += 2.0 * math.prod(out.shape) * math.prod(left.shape[axis] for axis in contracted)
        inner = sum(product_flops(each) for each in _jaxprs(equation.params.values()))
        total += inner * _repeats(equation.primitive.name, equation.params)
    return total


def _repeats(primitive: str, params: Mapping[str, Any]) -> float:
    """Returns how often an equation runs what is inside: a loop, a program of each device, a kernel of many blocks."""
    if primitive == "scan":
        return float(params["length"])
    if primitive == "shard_map":
        return float(params["mesh"].size)
    return math.prod(params["grid_mapping"].grid) / 2 if primitive == "pallas_call" else 1.0


def _jaxprs(values: Iterable[Any]) -> list[Jaxpr | ClosedJaxpr]:
    flat = [item for value in values for item in (value if isinstance(value, tuple | list) else (value,))]
    return [item for item in flat if isinstance(item, Jaxpr | ClosedJaxpr)]


def _computations(text: str) -> tuple[dict[str, list[str]], str]:
    """Returns the lines of each computation by its name, and the name of the first that runs."""
    bodies: dict[str, list[str]] = {}
    entry = name = ""
    for line in text.splitlines():
        if match := _COMPUTATION.match(line):
            name = match[2]
            bodies[name] = []
            entry = name if match[1] else entry
        elif name:
            bodies[name].append(line)
    return bodies, entry


def _callers_first(bodies: dict[str, list[str]], entry: str) -> list[str]:
    """Returns the computations that run, each after all that call it."""
    order: list[str] = []
    seen: set[str] = set()

    def visit(name: str) -> None:
        if name not in seen and name in bodies:
            seen.add(name)
            for line in bodies[name]:
                for callee in _callees(line):
                    visit(callee)
            order.append(name)

    visit(entry)
    return order[::-1]


def _callees(line: str) -> list[str]:
    return [name.strip().lstrip("%") for found in _CALLED.findall(line) for name in found.split(",")]


def _body(line: str) -> str | None:
    match = re.search(r"\bwhile\(.*body=%?([\w.-]+)", line)
    return match and match[1]


def _trips(line: str, bodies: dict[str, list[str]]) -> float:
    """How often a loop runs: its condition compares a counter, which begins at 0, with a constant."""
    if known := re.search(r'known_trip_count":\{"n":"(\d+)"', line):
        return int(known[1])
    condition = re.search(r"condition=%?([\w.-]+)", line)
    lines = bodies[condition[1]] if condition else []
    limits = [int(limit) for each in lines for limit in re.findall(r" [su]32\[\]\S* constant\((\d+)\)", each)]
    if len(limits) == 1:
        return limits[0]
    body = _body(line)
    if body and any(_COLLECTIVE.search(each) for each in bodies[body]):
        raise ValueError(f"a loop does not say how often it runs: {line.strip()[:200]}")
    return 1


def _group(line: str, devices: int) -> int:
    """Returns how many devices take part in one collective."""
    if match := re.search(r"replica_groups=\{\{([\d,]+)\}", line):
        return match[1].count(",") + 1
    if match := re.search(r"replica_groups=\[\d+,(\d+)\]", line):
        return int(match[1])
    if match := re.search(r"replica_groups=mesh\[([^\]]*)\].*?\{([^}]*)\}", line):
        sizes = {axis: int(size) for axis, size in re.findall(r"'([^']+)'=(\d+)", match[1])}
        return math.prod(sizes[axis] for axis in re.findall(r"'([^']+)'", match[2]))
    return devices


def _bytes(kind: str, bits: str, shape: str) -> float:
    return int(bits) / 8 * math.prod(int(size) for size in shape.split(",") if size)

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Rows with columns of any name made into records with the keys that all the rest reads."""

import json
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqjax.config import unknown
from seqjax.data.records import Record
from seqjax.errors import UserError

if TYPE_CHECKING:
    from seqjax.data.sources import Source

CANONICAL = ("text", "pair", "label", "words", "tags")


def each_pair(source: "Source", path: Path, number: int, row: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns a row once for each text of its pair, where that is of several columns or a list of texts."""
    name = source.pair or "pair"
    columns = name.split(",")
    if len(columns) > 1:
        texts = [row[column] for column in columns if row.get(column) is not None]
        row = {column: value for column, value in row.items() if column not in columns}
    elif isinstance(row.get(name), list):
        texts = row[name]
    else:
        return [row]
    if not texts:
        raise UserError(
            f"{path}:{number}: expected a text for the pair in {' or '.join(columns)}, found none (it has "
            f"{', '.join(row)}); choose with data.source.pair="
        )
    return [row | {name: text} for text in texts]


def canonical(source: "Source", path: Path, number: int, row: dict[str, Any]) -> Record:
    """Returns a row of named columns as a record; raises UserError where a column is missing or of another type."""
    keys = [key for key in CANONICAL if key not in source.joined]
    chosen = {key: getattr(source, key) or key for key in keys}
    needed = [key for key in keys if getattr(source, key) != default(source, key)]
    if "text" in keys and "text" not in needed and chosen["words"] not in row:
        needed.insert(0, "text")
    for key in needed:
        if chosen[key] not in row:
            near = unknown("column", chosen[key], list(row))
            raise UserError(
                f"{path}:{number}: expected column '{chosen[key]}' for the {key}, found {', '.join(row)}; {near}; "
                f"choose with data.source.{key}="
            )
    record = {name: value for name, value in row.items() if name not in chosen and name not in chosen.values()}
    for key, column in chosen.items():
        if row.get(column) is not None:
            record[key] = _value(key, row[column], f"{path}:{number}")
    if len(record.get("words", ())) != len(record.get("tags", record.get("words", ()))):
        raise UserError(
            f"{path}:{number}: expected one tag for each of the {len(record['words'])} words, "
            f"found {len(record['tags'])}"
        )
    return record


def _value(key: str, value: Any, where: str) -> Any:
    if key in ("words", "tags"):
        items = value.split() if isinstance(value, str) else value  # a column of a tsv or csv file
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise UserError(f"{where}: expected a list of texts for the {key}, found {json.dumps(value)[:60]}")
        return items
    if isinstance(value, str):
        return value
    # A label may be a number or a truth value, whose name is what JSON writes; a text may not.
    if key == "label" and not isinstance(value, (list, dict)):
        return json.dumps(value)
    raise UserError(f"{where}: expected text for the {key}, found {json.dumps(value)[:60]}")


def default(source: "Source", key: str) -> str:
    """Returns what a setting of a source is where nobody sets it."""
    return {field.name: field.default for field in fields(source)}[key]  # type: ignore[return-value]

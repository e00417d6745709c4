# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""What every source of data gives: a random-access, picklable sequence of records."""

import hashlib
import json
import math
import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from seqjax.errors import UserError
from seqjax.tags import convert

Record = dict[str, Any]
TEXTS = ("text", "pair", "label", "words", "tags")  # keys of a record whose values are texts, or lists of them


class Rows(Protocol):
    """What `Records` reads from: a list of dicts, or something that reads each one when it is asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class Records:
    """A random-access sequence of records; it goes to worker processes by pickle.

    A record is a dict. Its canonical keys, where the source has them: `text` and `pair` (str), `label` (str, also for a
    regression target), `choices` (list of str), `words` and `tags` (list of str, equally long). In a text two entities
    may be marked, see `seqjax.data.marked`. Other columns keep their names and values.

    Attributes:
      rows: where the records come from.
      fingerprint: a hexadecimal name of the content; it changes when the content does.
      labels: the label names (for a tagged source: the tag names) that the source declares; empty where it declares
        none, as files do.
    """

    rows: Rows
    fingerprint: str
    labels: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Record:
        index = operator.index(index)
        if not -len(self) <= index < len(self):
            raise IndexError(f"record {index} of {len(self)}")
        return dict(self.rows[index % len(self)])

    def __iter__(self) -> Iterator[Record]:
        return (self[index] for index in range(len(self)))


@dataclass(frozen=True)
class Joined:
    """Records with a key made of several columns: `choices` the list of them, any other their texts between spaces.

    Attributes:
      records: with these columns.
      columns: of each key; a single one for the choices holds the list itself.
    """

    records: Records
    columns: dict[str, tuple[str, ...]]

    @property
    def fingerprint(self) -> str:
        """Changes with the records and with the columns."""
        return fingerprint([self.records.fingerprint, self.columns])

    @property
    def labels(self) -> tuple[str, ...]:
        """Those of the records."""
        return self.records.labels

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> Record:
        record = self.records[index]
        return record | {key: self._value(record, index, key) for key in self.columns}

    def _value(self, record: Record, index: int, key: str) -> Any:
        columns = self.columns[key]
        if missing := next((column for column in columns if column not in record), None):
            raise UserError(
                f"record {index + 1} has no column '{missing}' (it has {', '.join(record)}); choose with "
                f"data.source.{key}="
            )
        values = [record[column] for column in columns]
        texts = list(values[0]) if key == "choices" and len(values) == 1 and not isinstance(values[0], str) else values
        if strange := next((text for text in texts if not isinstance(text, str)), None):
            raise UserError(f"record {index + 1}: expected texts for the {key}, found {strange!r:.60}")
        return texts if key == "choices" else " ".join(texts)


def coarser(label: str, coarse: str) -> str:
    """Returns a label up to the text `coarse`, or as it is where that is empty."""
    return label.split(coarse)[0] if coarse else label


@dataclass(frozen=True)
class Converted:
    """Records whose label is cut before `coarse` and whose tags are of another `scheme`, where these are not empty."""

    records: Records
    coarse: str
    scheme: str

    @property
    def fingerprint(self) -> str:
        """Changes with the records and with the settings."""
        return fingerprint([self.records.fingerprint, self.coarse, self.scheme])

    @property
    def labels(self) -> tuple[str, ...]:
        """Those of the records; of tags in another scheme none are declared."""
        names = self.records.labels
        return () if self.scheme else tuple(dict.fromkeys(coarser(name, self.coarse) for name in names))

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> Record:
        record = self.records[index]
        if "label" in record:
            record["label"] = coarser(record["label"], self.coarse)
        if self.scheme and "tags" in record:
            try:
                record["tags"] = convert(record["tags"], self.scheme)
            except UserError as error:
                raise UserError(f"record {index + 1}: {error}; leave out data.source.scheme") from None
        return record

    def __iter__(self) -> Iterator[Record]:
        return (self[index] for index in range(len(self)))


def from_records(records: Sequence[Mapping[str, Any]], labels: Sequence[str] = ()) -> Records:
    """Returns records that are already in memory, as a notebook has them, with the keys that `Records` names.

    Where `pair` is a list of texts, references for one, there is a record of each. Labels and tags may be numbers or
    truth values, which become texts as JSON writes them: 3, 0.5, true.

    Raises:
      UserError: there are none, or one is not a dict with text keys, or a value is of another type than `Records` says,
        or its words and tags differ in number.
    """
    rows: list[Record] = []
    for number, record in enumerate(records):
        if not isinstance(record, Mapping) or not all(isinstance(key, str) for key in record):
            raise UserError(f"record {number}: expected a dict with text keys, found {record!r:.80}")
        own = {key: _checked(key, record[key], f"record {number}") for key in TEXTS if key in record}
        if "words" in own and "tags" in own and len(own["words"]) != len(own["tags"]):
            raise UserError(
                f"record {number}: expected one tag for each of the {len(own['words'])} words, found {len(own['tags'])}"
            )
        several = isinstance(own.get("pair"), list)  # references for one text: a record of each
        rows += [{**record, **own, "pair": text} for text in own["pair"]] if several else [{**record, **own}]
    if not rows:
        raise UserError("expected at least one record, found none")
    return Records(rows, fingerprint(rows), tuple(_text("label", name, "labels") for name in labels))


def _checked(key: str, value: Any, where: str) -> Any:
    """Returns what a record holds by one of TEXTS; raises UserError where it is of another type."""
    if key in ("words", "tags") and isinstance(value, (list, tuple, np.ndarray)):
        return [_text(key, item, where) for item in value]
    if key == "pair" and isinstance(value, list) and value:
        return [_text(key, item, where) for item in value]
    if key in ("words", "tags"):
        raise UserError(f"{where}: expected a list of texts for the {key}, found {value!r:.60}")
    return _text(key, value, where)


def _text(key: str, value: Any, where: str) -> str:
    """Returns a text, or the name of a label or a tag that is a number or a truth value."""
    if isinstance(value, str):
        return value
    if isinstance(value, np.generic):  # a 32-bit 0.3 is 0.3, not what that is in 64 bits
        value = float(str(value)) if isinstance(value, np.floating) else value.item()
    if key in ("label", "tags") and isinstance(value, (bool, int, float)) and math.isfinite(value):
        return json.dumps(value)
    cure = f"; leave out '{key}' where there is none" if value is None and key not in ("words", "tags") else ""
    raise UserError(f"{where}: expected text for the {key}, found {value!r:.60}{cure}")


def fingerprint(content: Any) -> str:
    """Returns 32 hexadecimal digits that depend on `content` (anything JSON can write; other values by their repr)."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=True, default=repr)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:32]


def texts_of(records: Any, names: Sequence[str] = ("text", "pair")) -> Iterator[str]:
    """Yields what a tokenizer learns from: the fields `names` of each record, its choices and its words."""
    for i in range(len(records)):
        record = records[i]
        for name in names:
            if name in record:
                yield record[name]
        yield from record.get("choices", ())
        if "words" in record:
            yield " ".join(record["words"])


@dataclass(frozen=True)
class Subset:
    """Some of the records, in a given order."""

    records: Any
    places: tuple[int, ...]

    @property
    def fingerprint(self) -> str:
        """Changes with the records and with the choice."""
        return f"{self.records.fingerprint} {hashlib.sha256(np.asarray(self.places).tobytes()).hexdigest()}"

    @property
    def labels(self) -> tuple[str, ...]:
        """Those of all the records."""
        return self.records.labels

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.records[self.places[index]]


def sample(records: Any, count: int) -> Subset:
    """Returns `count` of the records, chosen at random but always the same ones; fewer are part of more."""
    return Subset(records, tuple(np.random.default_rng(0).permutation(len(records))[:count].tolist()))

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Records in text files: plain text, JSON lines, TSV and CSV, each also gzipped; for columns of words see `conll`.

Whatever is wrong with a line is said in one line, "FILE:LINE: expected ..., found ...".
"""

import codecs
import contextlib
import csv
import glob
import gzip
import io
import json
import os
import re
import sys
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqjax.errors import UserError

LONGEST = 2**31 - 1  # characters of a field
SEEN = 1000  # first characters of a file that are looked at
MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # which begins as that of UTF-16 does
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF8, "utf-8"),
)
Row = tuple[int, dict[str, Any]]  # line number (from 1) and the columns as the file names them


def expand(patterns: str) -> list[Path]:
    """Returns the files that comma-separated globs match: each glob's in sorted order, none twice.

    Raises:
      UserError: a glob that matches no file.
    """
    found: dict[Path, None] = {}
    # A file whose very name has a comma or a bracket in it is taken at its word.
    whole = [patterns] if Path(patterns).expanduser().is_file() else patterns.split(",")
    for pattern in (part.strip() for part in whole):
        path = os.path.expanduser(pattern)
        if not pattern:
            raise UserError(f"expected a file or a glob between the commas, found nothing in '{patterns}'")
        matches = [path] if os.path.isfile(path) else sorted(glob.glob(path, recursive=True))
        names = [Path(match) for match in matches if os.path.isfile(match)]
        if not names:
            folder = f"; it is a folder, write '{pattern}/*'" if os.path.isdir(path) else ""
            raise UserError(f"no file matches '{pattern}'{folder}")
        found |= dict.fromkeys(names)
    return list(found)


def identity(paths: list[Path]) -> list[tuple[str, int, int]]:
    """Returns (name, size in bytes, time of modification in ns) of each file."""
    stats = [path.stat() for path in paths]
    return [(path.name, stat.st_size, stat.st_mtime_ns) for path, stat in zip(paths, stats, strict=True)]


def read_text(path: Path, encoding: str) -> str:
    """Returns the text of a file (gunzipped if its name ends in .gz), with plain line ends and no byte-order mark.

    Raises:
      UserError: the file cannot be read or is not in this encoding.
    """
    with _readable(path, encoding):
        data = path.read_bytes()
        if path.suffix == ".gz":
            data = gzip.decompress(data)
        encoding, skipped = _marked(data[:4], encoding)
        try:
            text = data[skipped:].decode(encoding)
        except UnicodeDecodeError as error:
            place = skipped + error.start
            line = data.count(b"\n", 0, place) + 1
            raise _strange(path, line, encoding, data[place], f"at byte {place}") from None
    _check_zeros(path, text[:SEEN])
    return text.removeprefix("\ufeff").replace("\r\n", "\n")


def lines(path: Path, encoding: str) -> Iterator[str]:
    """Yields the lines of a file, without their ends, as they are asked for; otherwise and with errors as `read_text`.

    A file may be what another program writes (a pipe), which is read once.
    """
    with _readable(path, encoding), open(path, "rb") as raw:
        data: Any = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
        buffered = io.BufferedReader(data)
        encoding, skipped = _marked(buffered.peek(4)[:4], encoding)
        buffered.read(skipped)
        # A byte that is no text becomes a lone surrogate, which then names its line.
        stream = io.TextIOWrapper(buffered, encoding, errors="surrogateescape", newline="\n")
        number = 0
        try:
            for number, line in enumerate(stream, 1):
                if found := re.search("[\udc80-\udcff]", line):
                    raise _strange(path, number, encoding, ord(found[0]) - 0xDC00, f"after {found.start()} characters")
                if number == 1:
                    _check_zeros(path, line[:SEEN])
                yield line.removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError as error:  # where no byte stands for itself, as in UTF-16
            raise _strange(path, number + 1, encoding, error.object[error.start], "or soon after") from None


@contextlib.contextmanager
def _readable(path: Path, encoding: str) -> Iterator[None]:
    """Says in one line why a file cannot be read."""
    try:
        codecs.lookup(encoding)
        yield
    except LookupError:
        raise UserError(f"unknown encoding '{encoding}'; try utf-8 or latin-1") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"{path}:1: expected gzip data, found {error}") from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None


def _marked(head: bytes, encoding: str) -> tuple[str, int]:
    """Returns the encoding of a file that begins with these bytes, and how many are a byte-order mark to be skipped.

    A mark of UTF-16 or UTF-32 says what the file is; that of UTF-8 stands, by mistake, before other encodings too.
    """
    for mark, name in MARKS:
        if head.startswith(mark):
            return (encoding if name == "utf-8" else name), len(mark)
    return encoding, 0


def _check_zeros(path: Path, text: str) -> None:
    """Raises UserError where every other character is a zero: UTF-16 without its mark, read as something else."""
    if text.count("\0") * 3 > len(text):
        name = "utf-16-be" if text.startswith("\0") else "utf-16-le"
        raise UserError(f"{path}:1: expected text, found zero bytes; if it is UTF-16 set data.source.encoding={name}")


def _strange(path: Path, line: int, encoding: str, byte: int, where: str) -> UserError:
    return UserError(
        f"{path}:{line}: expected {encoding} text, found byte 0x{byte:02x} {where}; "
        "if the file is in another encoding say so, for example data.source.encoding=latin-1 (predict: --encoding)"
    )


@dataclass(frozen=True)
class TextFiles:
    """One record a file; a file is read when its record is asked for, so a corpus need not fit in memory."""

    paths: list[Path]
    encoding: str

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> dict[str, str]:
        path = self.paths[index]
        text = read_text(path, self.encoding)
        if not text.strip():
            raise UserError(f"{path}:1: expected text, found an empty file")
        return {"text": text}


def text_rows(path: Path, text: str, unit: str) -> Iterator[Row]:
    """Yields each line that is not blank, or each paragraph (paragraphs stand between blank lines)."""
    # str.splitlines would also break at U+2028 and the like, which belong to the text.
    if unit == "line":
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                yield number, {"text": line}
        return
    number = 1
    for part in re.split(r"(\n[^\S\n]*(?:\n[^\S\n]*)+)", text):
        if part.strip():
            yield number + (len(part) - len(part.lstrip("\n"))), {"text": part.strip("\n")}
        number += part.count("\n")


def labelled_rows(path: Path, text: str) -> Iterator[Row]:
    """Yields each line that is not blank as a label and, after a space or a tab, a text."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            label, *rest = re.split(r"[ \t]", line, maxsplit=1)
            if not label or not rest or not rest[0].strip():
                raise UserError(f"{path}:{number}: expected a label, a space and a text, found {line!r:.60}")
            yield number, {"label": label, "text": rest[0]}


def semeval_rows(path: Path, text: str) -> Iterator[Row]:
    """Yields the sentences of SemEval-2010 task 8: a number, a tab and a quoted text, then its relation, a comment.

    The two nominals stay between <e1> and </e1>, <e2> and </e2>; see `seqjax.data.marked`.

    Raises:
      UserError: a line that is none of these, or a sentence whose relation is missing.
    """
    lines = enumerate(text.split("\n"), 1)
    for number, line in lines:
        if not line.strip() or line.startswith("Comment:"):
            continue
        if not (match := re.fullmatch(r'\d+\t"(.*)"\s*', line)):
            raise UserError(f"{path}:{number}: expected a number, a tab and a text in quotes, found {line!r:.60}")
        if not all(mark in line for mark in ("<e1>", "</e1>", "<e2>", "</e2>")):
            raise UserError(f"{path}:{number}: expected nominals between <e1> </e1> and <e2> </e2>, found {line!r:.60}")
        after, label = next(lines, (number + 1, ""))
        if not label.strip() or label.startswith("Comment:") or re.match(r'\d+\s+"', label):
            raise UserError(
                f"{path}:{after}: expected a relation, missing after its sentence, found {label.strip()!r:.60}; "
                "write it on a line of its own"
            )
        yield number, {"text": match[1], "label": label.strip()}


def parallel_rows(first: Path, second: Path, encoding: str) -> list[dict[str, str]]:
    """Returns the lines of two files side by side; one that is blank in both is left out."""
    texts, pairs = (read_text(path, encoding).removesuffix("\n").split("\n") for path in (first, second))
    if len(texts) != len(pairs):
        raise UserError(f"{second}:1: expected as many lines as {first} has, {len(texts)}, found {len(pairs)}")
    for number, (text, pair) in enumerate(zip(texts, pairs, strict=True), 1):
        if bool(text.strip()) != bool(pair.strip()):
            blank = first if pair.strip() else second
            raise UserError(f"{blank}:{number}: expected text, for the other file has some there, found a blank line")
    return [{"text": text, "pair": pair} for text, pair in zip(texts, pairs, strict=True) if text.strip()]


def json_rows(path: Path, lines: Iterable[str], blank: bool = False) -> Iterator[tuple[int, Any]]:
    """Yields the object on each line; a line that is blank is None with `blank`, else left out."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            if blank:
                yield number, None
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            reason = f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
            raise UserError(f"{path}:{number}: expected one JSON object, found {line!r:.60} ({reason})") from None
        except RecursionError:
            raise UserError(f"{path}:{number}: expected one JSON object, found one nested too deep") from None
        if not isinstance(value, dict):
            raise UserError(f"{path}:{number}: expected one JSON object, found {line!r:.60}")
        yield number, value


def tsv_rows(
    path: Path, lines: Iterable[str], header: bool, ragged: str = "refuse", blank: bool = False
) -> Iterator[tuple[int, Any]]:
    """Yields the tab-separated columns of each line that is not empty. A quote is a character like any other.

    A line with other columns than the first is ragged: "refuse" raises UserError, "skip" leaves it out and says on
    stderr how many there were. With `blank` one that is empty, or whose columns are, is not left out, but None.
    """
    rows = ((number, line.split("\t")) for number, line in enumerate(lines, 1) if line or blank)
    yield from _columns(path, rows, header, ragged, blank)


def csv_rows(
    path: Path, lines: Iterable[str], header: bool, ragged: str = "refuse", blank: bool = False
) -> Iterator[tuple[int, Any]]:
    """Yields the comma-separated columns of each row; a quoted field may hold commas, quotes and line ends.

    Here lines have their ends; `ragged` and `blank` are as for `tsv_rows`.
    """
    reader = csv.reader(lines, strict=True)

    def rows() -> Iterator[tuple[int, list[str]]]:
        while True:
            number = reader.line_num + 1
            limit = csv.field_size_limit(LONGEST)  # the default would refuse a text of 128 kB
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise UserError(f"{path}:{number}: expected comma-separated fields, found {error}") from None
            finally:
                csv.field_size_limit(limit)
            if row or blank:
                yield number, row

    yield from _columns(path, rows(), header, ragged, blank)


def _columns(
    path: Path, lines: Iterator[tuple[int, list[str]]], header: bool, ragged: str, blank: bool
) -> Iterator[tuple[int, Any]]:
    names: list[str] = []
    skipped: list[int] = []
    for number, fields in lines:
        if blank and not any(field.strip() for field in fields):
            yield number, None
            continue
        if not names:
            names = [name.strip() for name in fields] if header else [str(i) for i in range(len(fields))]
            if twice := next((name for name in names if names.count(name) > 1), None):
                raise UserError(
                    f"{path}:{number}: expected a different name for each column, found '{twice}' more than once; "
                    "if the first line is data, set data.source.header=false"
                )
            if header:
                continue
        if len(fields) == len(names):
            yield number, dict(zip(names, fields, strict=True))
        elif ragged == "skip":
            skipped.append(number)
        else:
            cure = "give it as many" if blank else "data.source.ragged=skip leaves such lines out"
            raise UserError(
                f"{path}:{number}: expected {len(names)} columns ({', '.join(names)}), found {len(fields)}; {cure}"
            )
    if skipped:
        what = f"{len(skipped):,} without {len(names)} columns, the first at line {skipped[0]}"
        print(f"{path}: lines left out: {what}", file=sys.stderr)

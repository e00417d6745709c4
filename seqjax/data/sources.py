# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Where records come from: one short spec for each source, one function that opens a split of it.

    stdlib/docs                      the standard library of the running Python; also code, package, roles, summary
    tfds:NAME, tfds:NAME/CONFIG      TensorFlow Datasets
    text:GLOB                        plain text; `unit` says what one record is
    jsonl:GLOB, tsv:GLOB, csv:GLOB   one record a line; `text`, `pair`, `choices`, `label`, ... name columns
    labelled:GLOB                    a label, a space and a text on each line
    squad:GLOB                       questions with a context and answers, SQuAD's JSON 1.1 or 2.0
    semeval:GLOB                     relations between two marked nominals, as SemEval-2010 task 8 has them
    conll:GLOB                       a word and its tag on each line, a blank line after each sentence
    dialogues:GLOB                   turns of dialogues, each after all before it, as in DailyDialog's JSON
    parallel:FILE,FILE               line i of the first is a text, line i of the second its pair
    glue:DIR                         the files of one task of GLUE as it distributes them; see seqjax.data.glue
    made:TASK/SIZE                   pairs made by a rule: addition, reversal, copy; see seqjax.data.made

A GLOB may be several, between commas; files may be gzipped. After a source with named splits, "@SPLIT" chooses one, in
TFDS slice syntax: `tfds:imdb_reviews@train[90%:]`. A notebook passes what it has in memory to `from_records`.
"""

import io
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar

from seqjax.config import unknown
from seqjax.data import conll, files, glue, questions
from seqjax.data.canonical import CANONICAL, canonical, default, each_pair
from seqjax.data.dialogues import dialogue_rows
from seqjax.data.heldout import hold_out
from seqjax.data.noise import Noisy
from seqjax.data.phrased import Phrased, Phrasing
from seqjax.data.records import Converted, Joined, Record, Records, fingerprint, from_records
from seqjax.errors import UserError
from seqjax.tags import SCHEMES

__all__ = ["KINDS", "SPLITS", "Record", "Records", "Source", "from_records", "open_split"]

SPLITS = ("train", "validation", "test")
FILE_KINDS = ("text", "jsonl", "tsv", "csv", "labelled", "squad", "semeval", "conll", "dialogues", "parallel")
KINDS = ("stdlib", "tfds", "made", "glue", *FILE_KINDS)
RAGGED = ("refuse", "skip")
UNITS = ("file", "paragraph", "line")
BEFORE = {"validation": ("train",), "test": ("train", "validation")}  # what a split may have leaked from


@dataclass(frozen=True)
class Source:
    """Where the three splits come from, and how their files are read.

    Attributes:
      train: the spec of the training split (see above).
      validation: its spec; "" is the source's own split or, for files, held out of train.
      test: its spec; "" is the source's own split. Files have none of their own.
      holdout: files only: the last fraction of the records (of the characters, where there is one) that is validation;
        a class that only one part has is warned of.
      unit: text only: one record is a "file", a "paragraph" (blank lines between) or a "line".
      header: tsv and csv: the first line names the columns; else they are called "0", "1", ...
      encoding: of the files.
      ragged: tsv, csv and glue: a line with more or fewer columns is an error ("refuse"), or is left out and counted on
        stderr ("skip"); in a file that is predicted of it is always an error.
      text, pair, label, words, tags: the columns that hold these. A column that is not named otherwise may be missing,
        except for the text of tsv, csv and jsonl records without words; those of glue are known. For conll, words and
        tags may be numbers of columns; by default the first and the last. A text may be of several columns, between
        commas here: they are joined by spaces. A pair of several columns, or one that holds a list of texts, makes a
        record of each that is there (jsonl, tsv and csv): references for one text, see `objective.references`.
      choices: the columns that hold the texts to choose from, between commas; or one that holds a list of them.
      coarse: a label ends before this text: ":" makes "DESC" of "DESC:manner".
      noise: above 0 a text becomes the `pair` of a noisy version of itself, in which this share of the characters is
        changed: data to learn correction from.
      unseen: leave out of validation what stands word for word in train, and of test what does in either: leaks.
      task: said in words: makes a text that asks and a `pair` that answers of a record with a label.
      placed: conll only: a word ends with a digit, the character's place in its word, which is dropped (Weibo NER).
      scheme: tags are converted to this one, "iob1", "iob2" or "iobes"; "" leaves them as they are.
    """

    shorthand: ClassVar[str] = "train"
    train: str = "stdlib/docs"
    validation: str = ""
    test: str = ""
    holdout: float = 0.05
    unit: str = "file"
    header: bool = True
    encoding: str = "utf-8"
    ragged: str = "refuse"
    text: str = "text"
    pair: str = ""
    label: str = "label"
    choices: str = ""
    words: str = "words"
    tags: str = "tags"
    noise: float = 0.0
    coarse: str = ""
    scheme: str = ""
    unseen: bool = False
    placed: bool = False
    task: Phrasing = Phrasing()

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise UserError(f"data.source.unit: {unknown('unit', self.unit, UNITS)}")
        if self.ragged not in RAGGED:
            raise UserError(f"data.source.ragged: {unknown('way', self.ragged, RAGGED)}")
        if self.scheme and self.scheme not in SCHEMES:
            raise UserError(f"data.source.scheme: {unknown('scheme', self.scheme, SCHEMES)}")
        if not 0 <= self.noise < 1:
            raise UserError(f"data.source.noise: expected a share of at least 0 and less than 1, found {self.noise}")
        if self.noise and self.pair:
            raise UserError("data.source.noise makes the pair of a text itself; leave out data.source.pair")
        if self.task.template and self.noise:
            raise UserError("data.source.noise and data.source.task both make the pair of a text; leave one out")
        if not 0 <= self.holdout < 1:
            raise UserError(
                f"data.source.holdout: expected a fraction of at least 0 and less than 1, found {self.holdout}"
            )

    @property
    def joined(self) -> dict[str, tuple[str, ...]]:
        """The columns of each key that is made of several."""
        found = {"text": self.text, "choices": self.choices}
        return {
            key: tuple(value.split(",")) for key, value in found.items() if value and ("," in value or key == "choices")
        }


def open_split(source: Source, split: str) -> Records | Converted | Noisy | Joined | Phrased:
    """Returns the records of "train", "validation" or "test" (for a source with named splits, also "train[:10%]").

    Raises:
      UserError: an unknown spec or split, files that are missing, empty, malformed or in another encoding, or columns
        that do not exist. The message is one line and names the file and the line.
    """
    records: Any = _open(source, split)
    if source.coarse or source.scheme:
        records = Converted(records, source.coarse, source.scheme)
    if source.joined:
        records = Joined(records, source.joined)
    if source.unseen and split in BEFORE:
        plain = replace(source, unseen=False, noise=0.0, task=Phrasing())
        earlier: list[Any] = [open_split(plain, other) for other in BEFORE[split]]
        seen = {_said(record) for each in earlier for record in each}
        rows = [record for record in records if _said(record) not in seen]
        if not rows:
            where = " or ".join(BEFORE[split])
            raise UserError(f"every record of split '{split}' stands in {where}; set data.source.unseen=false")
        records = Records(rows, fingerprint([records.fingerprint, sorted(seen)]), records.labels)
    if source.task.template:
        return Phrased(records, source.task)
    return Noisy(records, source.noise) if source.noise else records


def _said(record: Record) -> tuple[str, ...]:
    """Returns what a record says, without its label."""
    if "words" in record:
        return tuple(record["words"])
    return record.get("text", ""), record.get("pair", ""), *record.get("choices", ())


def _open(source: Source, split: str) -> Records:
    name = split.split("[")[0]
    own = {"validation": source.validation, "test": source.test}.get(name, "")
    spec = own or source.train
    kind, rest = _parse(spec)
    if source.placed and kind != "conll":
        raise UserError(f"data.source.placed is for conll files, not for {spec}; leave it out")
    if kind in FILE_KINDS:
        return _open_files(source, kind, rest, name if split in SPLITS else split, held_out=not own)
    rest, _, chosen = rest.partition("@")
    if kind == "glue":
        return _open_glue(source, rest, chosen or split)
    taken = [key for key in CANONICAL if key not in source.joined]
    columns = {getattr(source, key): key for key in taken if getattr(source, key) not in ("", default(source, key))}
    if kind == "stdlib":
        from seqjax.data import stdlib

        return stdlib.open_stdlib(rest, chosen or split, columns)
    if kind == "made":
        from seqjax.data import made

        return made.open_made(rest, chosen or split)
    from seqjax.data import published

    return published.open_published(rest, chosen or split, columns)


def _parse(spec: str) -> tuple[str, str]:
    """Returns the kind of a spec and the rest of it."""
    if spec.startswith("stdlib/"):
        return "stdlib", spec.removeprefix("stdlib/")
    kind, colon, rest = spec.partition(":")
    if colon and kind in KINDS and kind != "stdlib" and rest:
        return kind, rest
    examples = "write stdlib/docs, tfds:NAME, glue:DIR or KIND:GLOB with KIND one of " + ", ".join(FILE_KINDS)
    if not colon or kind in KINDS:
        raise UserError(f"'{spec}' is not a data source; {examples}")
    raise UserError(f"'{spec}' is not a data source: {unknown('kind', kind, KINDS)}; {examples}")


def _open_files(source: Source, kind: str, patterns: str, split: str, held_out: bool) -> Records:
    if split not in SPLITS:
        raise UserError(f"files have no split '{split}'; a slice such as train[:10%] is for tfds and stdlib sources")
    if split == "test" and held_out:
        raise UserError(
            "there is no test split: files have none of their own; name its files with data.source.test=..."
        )
    # Validation is held out of train only where it has no files of its own.
    part = split if split != "test" and not source.validation and source.holdout > 0 else ""
    if split == "validation" and held_out and not part:
        raise UserError("there is no validation split: data.source.holdout is 0 and data.source.validation is not set")
    paths = files.expand(patterns)
    identity = _identity(source, kind, paths, part)
    rows: Any
    if kind == "text" and source.unit == "file":
        rows = files.TextFiles(paths, source.encoding)
        if any(path.stat().st_size == 0 for path in paths):
            empty = next(path for path in paths if path.stat().st_size == 0)
            raise UserError(f"{empty}:1: expected text, found an empty file")
        if len(paths) == 1 and part:
            text = rows[0]["text"]
            cut = len(text) - max(1, round(len(text) * source.holdout))
            rows = [{"text": text[:cut] if part == "train" else text[cut:]}]
            if not rows[0]["text"]:
                raise UserError(
                    f"{paths[0]}:1: expected enough text to hold {source.holdout:g} of it out, found 1 character"
                )
            return Records(rows, identity)
    elif kind == "parallel":
        if len(paths) != 2:
            raise UserError(f"parallel:{patterns}: expected two files between a comma, found {len(paths)}")
        rows = files.parallel_rows(paths[0], paths[1], source.encoding)
    else:
        rows = [row for path in paths for row in _rows(source, kind, path)]
    if not len(rows):
        raise UserError(f"{paths[0]}:1: expected at least one record, found none")
    if part:
        rows = hold_out(rows, part, source.holdout, source.coarse, source.encoding, paths)
    return Records(rows, identity)


def _open_glue(source: Source, folder: str, split: str) -> Records:
    paths, found, both = glue.read(folder, split, source.encoding, source.ragged)
    if not found:
        raise UserError(f"{paths[0]}:1: expected at least one record, found none")
    known = glue.columns(list(found[0][1]))
    assert known is not None, "`read` refuses other files"
    text, pair, label = known
    if label not in found[0][1]:
        raise UserError(f"{paths[0]} has no labels, which GLUE keeps to itself; score the validation split, or predict")
    own = replace(
        source,
        text=text if source.text == default(source, "text") else source.text,
        pair=source.pair or pair,
        label=label if source.label == default(source, "label") else source.label,
    )
    rows = [canonical(own, paths[0], number, row) for number, row in found]
    if both:
        rows = hold_out(rows, split, source.holdout, source.coarse, source.encoding, paths)
    return Records(rows, _identity(source, "glue", paths, split))


def _identity(source: Source, kind: str, paths: list[Path], part: str) -> str:
    settings = {field.name: getattr(source, field.name) for field in fields(source) if field.name not in SPLITS}
    return fingerprint([kind, files.identity(paths), settings, part])


def _rows(source: Source, kind: str, path: Path) -> Iterable[Record]:
    """Returns the records of one file."""
    text = files.read_text(path, source.encoding)
    if kind == "text":
        found = files.text_rows(path, text, source.unit)
    elif kind == "jsonl":
        found = files.json_rows(path, text.split("\n"))
    elif kind == "tsv":
        found = files.tsv_rows(path, text.split("\n"), source.header, source.ragged)
    elif kind == "csv":
        found = files.csv_rows(path, io.StringIO(text, newline=""), source.header, source.ragged)
    elif kind == "labelled":
        found = files.labelled_rows(path, text)
    elif kind == "squad":
        found = questions.squad_rows(path, text)
    elif kind == "dialogues":
        found = dialogue_rows(path, text)
    elif kind == "semeval":
        found = files.semeval_rows(path, text)
    else:
        words, tags = _conll_column(source, "words", 0), _conll_column(source, "tags", -1)
        sentences = conll.conll_rows(path, text.split("\n"), words, tags)
        if source.placed:
            return [row | {"words": conll.unplaced(path, number, row["words"])} for number, row in sentences]
        return [row for _, row in sentences]
    if kind == "text":
        return [row for _, row in found]
    return [
        canonical(source, path, number, each) for number, row in found for each in each_pair(source, path, number, row)
    ]


def _conll_column(source: Source, key: str, position: int) -> int:
    value = getattr(source, key)
    if value == default(source, key):
        return position
    if not value.isdigit():
        raise UserError(f"data.source.{key}: expected the number of a column (from 0) for conll files, found '{value}'")
    return int(value)

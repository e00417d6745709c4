# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Data that is always there: the source of the running Python's standard library, as seven TFDS datasets.

    docs       text, file                 its documentation, one record a file, and the topics of `help()`
    code       text, file                 its source, one record a file
    package    text, label, file          a passage of source -> the package that it is from
    roles      words, tags, file          the words of some statements -> what each one is, in BIO tags
    summary    text, summary, file        a function without its docstring -> the docstring's first sentence
    questions  text, pair, answers, file  a question and a function -> where in there the answer stands
    questions_v2                          the same, and questions that the function does not answer

A file is in the same split of all seven, so nothing that a model was pretrained on is in a test set. Each package with
5 files or more is split by itself, about 80/10/10; the rest are split together. Every prepared dataset stands in the
cache folder under the version of Python, a hash of the library's files, and the version of this builder.
"""

import ast
import functools
import hashlib
import json
import os
import re
import shutil
import sys
import sysconfig
import tempfile
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from seqjax.config import unknown
from seqjax.data.cache import cache_dir
from seqjax.data.records import Record, Records
from seqjax.data.stdlib_syntax import SourceFile, documentation, passages, questions, roles, summaries
from seqjax.errors import UserError

VERSION = "1.0.0"  # raise it when the records change
CONFIGS = {
    "docs": "docstrings of each file, and help topics",
    "code": "the source of each file",
    "package": "a passage of source and the package that it is from",
    "roles": "the words of some statements and what each one is",
    "summary": "a function and the first sentence of its docstring",
    "questions": "a question and a function that holds the answer",
    "questions_v2": "a question and a function that holds the answer, or does not",
}
SPLITS = ("train", "validation", "test")
# At most so many records of one file, and of one package, so that a few giants do not swamp the rest.
FILE_CAP = {"package": 12, "roles": 12, "summary": 30, "questions": 12, "questions_v2": 12}
SHORT = 1500  # characters
PACKAGE_CAP = {"train": 120, "validation": 24, "test": 24}

_EXCLUDED = {"site-packages", "dist-packages", "__pycache__", "test", "tests", "idle_test", "turtledemo"} | {
    "lib-dynload", "pydoc_data", "html/entities.py", "stringprep.py"
}  # fmt: skip
_GENERATED = re.compile(r"auto-?generated|automatically generated|generated from|do not edit", re.IGNORECASE)
_CODEC = re.compile(r"^(decoding|encoding)_(table|map)\s*=|^codec = _codecs_\w+\.getcodec", re.MULTILINE)
T = TypeVar("T")


def open_stdlib(config: str, split: str, columns: Mapping[str, str]) -> Records:
    """Returns a split of one of `CONFIGS`, prepared first if it is not; `split` may be a TFDS slice.

    Args:
      config: one of the seven names.
      split: "train", "validation", "test", or a slice of them such as "train[:10%]".
      columns: the name of a feature -> the canonical key that it becomes.

    Raises:
      UserError: an unknown config, split or column, no source to read, or a cache folder that cannot be written.
    """
    import tensorflow_datasets as tfds

    from seqjax.data.published import open_builder

    return open_builder(tfds.builder_from_directory(prepare(config)), split, columns, f"stdlib/{config}")


def prepare(config: str) -> Path:
    """Returns the folder of a prepared config, which it writes first if it is not there.

    Two processes may do so at once: each writes a folder of its own, the first to finish moves its own into place.

    Raises:
      UserError: an unknown config, no source to read, or a cache folder that cannot be written.
    """
    if config not in CONFIGS:
        raise UserError(f"stdlib/{config}: {unknown('dataset', config, list(CONFIGS))}")
    version = ".".join(str(part) for part in sys.version_info[:3])
    target = cache_dir() / f"stdlib-{version}-{_listing_hash()}-v{VERSION}" / config
    if (target / "dataset_info.json").is_file():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{config}-", dir=target.parent))
    except OSError as error:
        raise UserError(f"cannot write to the cache {cache_dir()}: {error.strerror}; set SEQJAX_CACHE") from None
    try:
        from seqjax.data.published import quiet_tfds
        from seqjax.data.stdlib_builder import PythonStandardLibrary

        with quiet_tfds():
            builder = PythonStandardLibrary(config=config, data_dir=scratch, file_format="array_record")
            builder.download_and_prepare()
        try:
            os.rename(builder.data_path, target)
        except OSError:
            if not (target / "dataset_info.json").is_file():  # another process was first, or the disk is at fault
                raise UserError(f"cannot write the prepared data to {target}; set SEQJAX_CACHE") from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target


def describe(config: str) -> dict[str, Any]:
    """Returns what a config holds: for each split its records, files, characters or words, and labels with counts."""
    out: dict[str, Any] = {"config": config, "description": CONFIGS.get(config, ""), "splits": {}}
    for split in SPLITS:
        rows = open_stdlib(config, split, {})
        labels: Counter[str] = Counter()
        sizes: Counter[str] = Counter()
        seen = set()
        for row in rows:
            seen.add(row["file"])
            labels.update([row["label"]] if "label" in row else row.get("tags", []))
            for key in ("text", "summary", "words"):
                if key in row:
                    sizes["words" if key == "words" else f"{key}_characters"] += len(row[key])
        counts = {name: labels[name] for name in rows.labels}
        out["splits"][split] = {
            "records": len(rows),
            "files": len(seen),
            **sizes,
            **({"labels": counts} if counts else {}),
        }
    return out


@functools.lru_cache(maxsize=1)
def corpus() -> tuple[SourceFile, ...]:
    """Returns the files of the corpus, each with its split, in the order of their paths.

    Tests, generated files and character tables are left out.

    Raises:
      UserError: there is no source to read, as where the library is a zip file.
    """
    root = _root()
    texts: dict[str, str] = {}
    for path in _paths(root):
        try:
            text = (root / path).read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        if not (_GENERATED.search(text[:400]) or _CODEC.search(text)):
            texts[path] = text
    if len(texts) < 10:
        raise UserError(
            f"found {len(texts)} source files of the standard library in {root}, which is too few to be a corpus; "
            "choose other data, for example data=text:/corpus/*.txt"
        )
    package = {path: path.split("/")[0].removesuffix(".py") for path in texts}
    # A short file would be a poor sample of its package: it is always a training file.
    long = {path: package[path] for path, text in texts.items() if len(text) >= SHORT}
    split_of = dict.fromkeys(texts, "train") | split(long)
    return tuple(SourceFile(path, package[path], texts[path], split_of[path]) for path in sorted(texts))


def split(groups: Mapping[str, str]) -> dict[str, str]:
    """Returns the split of each name, given the group (package) that each one is in.

    Names are taken in the order of their hash, so the result depends on nothing but the names. Of each group with 5 or
    more, a tenth (at least one) is validation and a tenth is test; the names of smaller groups are one group.
    """
    size = Counter(groups.values())
    members: dict[str, list[str]] = defaultdict(list)
    for name, group in groups.items():
        members[group if size[group] >= 5 else ""].append(name)
    out: dict[str, str] = {}
    for names in members.values():
        names.sort(key=_hash)
        part = max(1, round(len(names) / 10))
        for place, name in enumerate(names):
            out[name] = "validation" if place < part else "test" if place < 2 * part else "train"
    return out


def labelled_packages() -> list[str]:
    """Returns the packages that have 3 training files and one in each other split, sorted."""
    count = Counter((file.package, file.split) for file in corpus())
    names = sorted({file.package for file in corpus()})
    return [
        name for name in names if count[name, "train"] >= 3 and count[name, "validation"] >= 1 <= count[name, "test"]
    ]


def examples(config: str) -> dict[str, list[Record]]:
    """Returns the records of every split, in the order of their files."""
    out: dict[str, list[Record]] = {name: [] for name in SPLITS}
    found: list[tuple[SourceFile, Record, str]] = []  # the last is what makes a record the same as another
    packages = set(labelled_packages()) if config == "package" else set()
    for file in corpus():
        tree = _parse(file.text)
        if tree is None:
            continue
        rows: list[tuple[Record, str]] = []
        if config == "docs" and len(text := documentation(tree)) >= 80:
            rows = [({"text": text}, text)]
        elif config == "code":
            rows = [({"text": file.text}, file.text)]
        elif config == "package" and file.package in packages:
            rows = [({"text": text, "label": file.package}, text) for text in passages(file, tree)]
        elif config == "roles":
            rows = [
                ({"words": words, "tags": tags}, "\n".join(words))
                for words, tags in roles(file, tree, FILE_CAP["roles"])
            ]
        elif config == "summary":
            rows = [({"text": text, "summary": summary}, text) for text, summary in summaries(file, tree)]
        elif config in ("questions", "questions_v2"):
            rows = [
                (
                    {"text": question, "pair": context, "answers": [_answer(*each) for each in answers]},
                    f"{question} {context}",
                )
                for question, context, answers in questions(file, tree)
                if answers or config == "questions_v2"
            ]
        found += [
            (file, row | {"file": file.path}, same) for row, same in _spread(rows, FILE_CAP.get(config, len(rows)))
        ]
    if config == "docs":
        found += [(file, {"text": file.text, "file": file.path}, file.text) for file in topics()]
    # Text that several files share (licences, copies) would stand in two splits.
    files_with: dict[str, set[str]] = defaultdict(set)
    for file, _, same in found:
        files_with[same].add(file.path)
    kept = {same for same, paths in files_with.items() if len(paths) == 1}
    for file, row, same in found:
        if same in kept:
            out[file.split].append(row)
            kept.discard(same)  # and once only, where one file repeats it
    if config == "package":
        return {name: _cap_packages(rows, PACKAGE_CAP[name]) for name, rows in out.items()}
    return out


def _answer(text: str, start: int) -> dict[str, Any]:
    return {"text": text, "answer_start": start}


def topics() -> list[SourceFile]:
    """Returns the topics of `help()`, each a file in the package "pydoc_data"; none where they are absent."""
    try:
        from pydoc_data.topics import topics as found
    except ImportError:
        return []
    texts = {text.strip(): f"pydoc_data/topics.py#{name}" for name, text in sorted(found.items(), reverse=True)}
    split_of = split(dict.fromkeys(texts.values(), "pydoc_data"))
    return [
        SourceFile(name, "pydoc_data", text, split_of[name]) for text, name in sorted(texts.items()) if len(text) >= 80
    ]


def _parse(text: str) -> ast.Module | None:
    """Returns the syntax tree of a file, None where it does not parse. What the compiler warns of is not our affair."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError):
            return None


def _cap_packages(rows: list[Record], cap: int) -> list[Record]:
    by_label: dict[str, list[Record]] = defaultdict(list)
    for row in rows:
        by_label[row["label"]].append(row)
    return [row for some in by_label.values() for row in _spread(some, cap)]


def _spread(items: list[T], cap: int) -> list[T]:
    """Returns at most `cap` items, evenly spread over all."""
    return items if len(items) <= cap else [items[place * len(items) // cap] for place in range(cap)]


def _root() -> Path:
    return Path(sysconfig.get_paths()["stdlib"])


def _paths(root: Path) -> list[str]:
    """Returns the relative paths of the Python files that may be in the corpus, sorted."""
    out = []
    for folder, inner, names in os.walk(root):
        inner[:] = [name for name in inner if name not in _EXCLUDED and not name.startswith("config-")]
        relative = Path(folder).relative_to(root)
        out += [(relative / name).as_posix() for name in names if name.endswith(".py") and name[:11] != "_sysconfigd"]
    return sorted(path for path in out if path not in _EXCLUDED)


def _listing_hash() -> str:
    """Returns 8 digits that tell apart two libraries of the same Python version: a patched one, one without docs."""
    root = _root()
    listing: Iterable[Any] = [(path, (root / path).stat().st_size) for path in _paths(root)]
    return _hash(json.dumps([listing, len(topics())]))[:8]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()

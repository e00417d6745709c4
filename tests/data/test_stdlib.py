# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The corpus that is always there: no leaks between its splits, sound labels, and preparation that is safe and quiet."""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from seqjax.data import stdlib
from seqjax.data.questions import answers
from seqjax.data.sources import Source, open_split
from seqjax.data.stdlib_syntax import TAGS, SourceFile, documentation, passages, questions, roles, summaries
from seqjax.errors import UserError


def snippet(text: str, package: str = "demo") -> tuple[SourceFile, ast.Module]:
    return SourceFile(f"{package}/x.py", package, text, "train"), ast.parse(text)


# The whole corpus.


def test_no_file_and_no_text_is_in_two_splits_of_any_config():
    split_of: dict[str, str] = {}
    for config in stdlib.CONFIGS:
        texts: dict[str, str] = {}
        for split in stdlib.SPLITS:
            records = open_split(Source(train=f"stdlib/{config}"), split)
            assert len(records) >= 40
            for row in records:
                assert split_of.setdefault(row["file"], split) == split, (config, row["file"])
                text = row["text"] + row.get("pair", "") if "text" in row else "\n".join(row["words"])
                assert isinstance(text, str)
                assert text not in texts, (config, row["file"], texts[text])
                texts[text] = row["file"]
    share = Counter(split_of.values())
    assert 0.75 < share["train"] / share.total() < 0.88
    assert not [path for path in split_of if re.search(r"(^|/)(tests?|idle_test|site-packages|turtledemo)/", path)]
    assert not {"pydoc_data/topics.py", "html/entities.py", "token.py", "encodings/cp1252.py"} & set(split_of)


def test_package_labels_are_balanced_and_never_named():
    for split in stdlib.SPLITS:
        records = open_split(Source(train="stdlib/package"), split)
        count = Counter(row["label"] for row in records)
        assert set(count) == set(records.labels)
        assert len(count) >= 10
        assert max(count.values()) <= stdlib.PACKAGE_CAP[split]
        assert max(count.values()) / count.total() < 0.2
        assert max(Counter(row["file"] for row in records).values()) <= stdlib.FILE_CAP["package"]
        for row in records:
            assert row["file"].split("/")[0] == row["label"]
            assert len(row["text"]) <= 800
            assert not re.search(rf"(?<![a-z]){row['label']}(?![a-z])", row["text"], re.IGNORECASE)


def test_roles_are_valid_bio_of_words_without_blanks():
    records = open_split(Source(train="stdlib/roles"), "train")
    assert records.labels == TAGS
    seen: Counter[str] = Counter()
    for row in records:
        words, tags = row["words"], row["tags"]
        assert 8 <= len(words) == len(tags) <= 64
        assert not [word for word in words if not word or re.search(r"\s", word)]
        for before, tag in zip(["O", *tags], tags, strict=False):
            assert tag[0] != "I" or before[2:] == tag[2:], (words, tags)
        seen.update(tags)
    assert min(seen[tag] for tag in TAGS) > 100


def test_docs_hold_prose_and_help_topics():
    files = {row["file"]: row["text"] for row in open_split(Source(train="stdlib/docs"), "train")}
    assert sum(name.startswith("pydoc_data/topics.py#") for name in files) > 40
    assert sum(map(len, files.values())) > 1_000_000
    assert min(map(len, files.values())) >= 80


def test_describe_counts_what_is_there():
    found = stdlib.describe("package")["splits"]["test"]
    records = list(open_split(Source(train="stdlib/package"), "test"))
    assert found["records"] == len(records)
    assert found["files"] == len({row["file"] for row in records})
    assert found["text_characters"] == sum(len(row["text"]) for row in records)
    assert found["labels"] == Counter(row["label"] for row in records)


def test_slices_and_columns_of_the_corpus():
    whole = open_split(Source(train="stdlib/summary"), "validation")
    part = open_split(Source(train="stdlib/summary", pair="summary"), "validation[:10%]")
    assert len(part) == round(len(whole) / 10)
    chosen = open_split(Source(train="stdlib/summary@validation[:10%]"), "train")
    assert [row["file"] for row in chosen] == [row["file"] for row in part]
    assert [row["pair"] for row in part] == [whole[place]["summary"] for place in range(len(part))]


# Splitting.


def test_split_depends_on_names_alone_and_reaches_every_large_group():
    groups = {f"big/{number}": "big" for number in range(30)} | {f"five/{number}": "five" for number in range(5)}
    groups |= {f"single{number}": f"single{number}" for number in range(20)}
    found = stdlib.split(groups)
    assert found == stdlib.split(dict(reversed(groups.items())))
    by_group = Counter((name.split("/")[0].rstrip("0123456789"), split) for name, split in found.items())
    assert [by_group["big", split] for split in stdlib.SPLITS] == [24, 3, 3]
    assert [by_group["five", split] for split in stdlib.SPLITS] == [3, 1, 1]
    assert [by_group["single", split] for split in stdlib.SPLITS] == [16, 2, 2]


def test_short_files_are_training_files():
    short = [file for file in stdlib.corpus() if len(file.text) < stdlib.SHORT]
    assert len(short) > 20
    assert {file.split for file in short} == {"train"}


# Extraction from snippets written by hand.

ROLE_SNIPPETS = [
    (
        "import os.path as p, sys\n",
        "import/O os/B-IMPORT ./I-IMPORT path/I-IMPORT as/O p/B-IMPORT ,/O sys/B-IMPORT",
    ),
    (
        "from ..a.b import (c as d, e)\n",
        (
            "from/O ./B-IMPORT ./I-IMPORT a/I-IMPORT ./I-IMPORT b/I-IMPORT import/O (/O c/B-IMPORT as/O d/B-IMPORT ,/O "
            "e/B-IMPORT )/O"
        ),
    ),
    (
        "class Big(base.Root, metaclass=Meta):\n    pass\n",
        "class/O Big/B-CLASS (/O base/O ./O Root/B-ATTRIBUTE ,/O metaclass/B-KEYWORD =/O Meta/O )/O :/O pass/O",
    ),
    (
        "async def go(self, *args, n: int = 3):\n    return self.run(n, key=len(args))[0].size\n",
        (
            "async/O def/O go/B-FUNCTION (/O self/B-ARGUMENT ,/O */O args/B-ARGUMENT ,/O n/B-ARGUMENT :/O int/O =/O 3/O "
            ")/O :/O return/O self/O ./O run/B-CALL (/O n/O ,/O key/B-KEYWORD =/O len/B-CALL (/O args/O )/O )/O [/O 0/O "
            "]/O ./O size/B-ATTRIBUTE"
        ),
    ),
    (
        "try:\n    é = 'ü'; f(é.x)  # note\nexcept m.Error as err:\n    'a string that has blanks in it'.strip()\n",
        (
            "try/O :/O é/O =/O 'ü'/O ;/O f/B-CALL (/O é/O ./O x/B-ATTRIBUTE )/O except/O m/O ./O Error/B-ATTRIBUTE as/O "
            "err/O :/O '...'/O ./O strip/B-CALL (/O )/O"
        ),
    ),
    (
        "@wrap.me(a=1)\ndef f(x):\n    '''Docs are no words.'''\n    return f'{x.y}' if x else lambda z: z\n",
        "def/O f/B-FUNCTION (/O x/B-ARGUMENT )/O :/O return/O",
    ),
]


@pytest.mark.parametrize(("text", "expected"), ROLE_SNIPPETS)
def test_roles_of_snippets(text: str, expected: str):
    ((words, tags),) = roles(*snippet(text), count=1)
    found = " ".join(f"{word}/{tag}" for word, tag in zip(words, tags, strict=True))
    assert found.startswith(expected)
    if "f'" not in text:  # from 3.12 on an f-string is several tokens
        assert found == expected


def test_role_passages_start_at_statements_and_do_not_overlap():
    text = "".join(f"def name{number}(argument):\n    return argument + {number} * other\n\n\n" for number in range(40))
    found = roles(*snippet(text), count=100)
    names = [word for words, _ in found for word in words if word.startswith("name")]
    assert len(names) == len(set(names)) == 40
    assert all(words[0] in ("def", "return") for words, _ in found)
    assert len(roles(*snippet(text), count=5)) == 5


def test_a_decorator_in_the_middle_of_a_passage_has_its_roles():
    text = "first = 1\n\n\n@tool.wrap(key=2)\ndef late(x):\n    return x\n"
    ((words, tags),) = roles(*snippet(text), count=1)
    pairs = dict(zip(words, tags, strict=True))
    assert (pairs["wrap"], pairs["key"], pairs["late"]) == ("B-CALL", "B-KEYWORD", "B-FUNCTION")


def test_passages_hide_imports_and_the_package_name():
    lines = [f"value_{number} = compute_something({number}, other)" for number in range(20)]
    lines[3:3] = [
        "import demo.thing",
        "from other import (",
        "    name,",
        ")",
        "x = 'see Demo for more'",
        "demonstrate(1)",
    ]
    first, second = passages(*snippet("\n\n".join(lines)))
    together = first + "\n" + second
    assert "demonstrate(1)" in together
    assert "import" not in together
    assert "name," not in together
    assert "Demo " not in together
    assert len(first.split("\n")) == 16
    assert together.count("value_") == 20


def test_documentation_is_in_order_and_without_stubs():
    text = (
        '"""The module says something here."""\n\n\nclass A:\n    """The class:\n\n        indented, and long enough.\n    End."""\n\n'
        '    def f(self):\n        """Too short."""\n\n    def g(self):\n        """The method says something too."""\n'
    )
    found = documentation(ast.parse(text)).split("\n\n")
    assert found == [
        "The module says something here.",
        "The class:",
        "    indented, and long enough.\nEnd.",
        "The method says something too.",
    ]


@pytest.mark.parametrize(
    ("docstring", "expected"),
    [
        ("Return the sum of both. Never fails.", "Return the sum of both."),
        ("Return the\n    sum, i.e. a + b\n\n    More.", "Return the sum, i.e. a + b"),
        ("Sum both", None),
        (">>> add(1, 2) is three", None),
    ],
)
def test_summaries(docstring: str, expected: str | None):
    text = f'class A:\n    def add(self, a, b):\n        """{docstring}"""\n        # plain\n        return a + b\n'
    found = list(summaries(*snippet(text)))
    body = "def add(self, a, b):\n    # plain\n    return a + b"
    assert found == ([] if expected is None else [(body, expected)])


def test_a_function_on_one_line_has_no_summary():
    assert not list(summaries(*snippet('def f(): "Return nothing at all."; return\n')))


def test_questions_of_a_function():
    text = (
        "# né\nclass A:\n    def né(self, a, é='né', *, b, c=(1,\n  2)):\n        return (a +\n            é)\n"
        "    def many(self):\n        if self:\n            return 1\n        return 2\n"
        "    def outer(self):\n        def inner(): return 1\n"
        "    async def nothing(self): pass\n"
    )
    found = list(questions(*snippet(text)))
    assert {question: [answer for answer, _ in answers] for question, _, answers in found} == {
        "What does né return?": ["a +\n            é"],
        "What is the default of a in né?": [],
        "What is the default of é in né?": ["'né'"],
        "What is the default of b in né?": [],
        "What is the default of c in né?": ["(1,\n  2)"],
        "What does inner return?": ["1"],
        "What does nothing return?": [],
    }
    for _, context, spans in found:
        assert context in text
        assert context.startswith(("def", "async def"))
        for answer, start in spans:
            assert context[start:].startswith(answer)


def test_answers_of_the_corpus_stand_where_it_says():
    for config, answered in (("questions", {True}), ("questions_v2", {True, False})):
        seen = set()
        for record in open_split(Source(train=f"stdlib/{config}"), "validation"):
            found = answers(record, "here")
            assert all(record["pair"].startswith(text, start) and text for text, start in found)
            seen.add(bool(found))
        assert seen == answered


# Preparation.


def write_library(folder: Path) -> None:
    """Writes 40 good modules, as many tests, and 5 files that no corpus should hold."""
    (folder / "tests").mkdir(parents=True)
    for number in range(40):
        body = "".join(f"value_{number}_{line} = {line}\n" for line in range(120))
        (folder / f"m{number}.py").write_text(f'"""The module of number {number}."""\n{body}')
        (folder / "tests" / f"t{number}.py").write_text(body)
    for name in ("copy", "other"):  # a text that two files share could stand in two splits
        (folder / f"{name}.py").write_text("shared = 1\n" * 300)
    (folder / "broken.py").write_text("def (:\n")
    (folder / "latin.py").write_bytes(b"x = '\xe9'\n")
    (folder / "table.py").write_text("# Auto-generated by a script\nx = 1\n")


def test_preparing_is_quiet_needs_no_network_and_may_happen_twice_at_once(tmp_path: Path):
    write_library(tmp_path / "lib")
    program = (
        "import socket, sys\n"
        "def refuse(*_): raise OSError('no network')\n"
        "socket.socket.connect = refuse\n"
        "from seqjax.data import stdlib\n"
        "assert 'tensorflow_datasets' not in sys.modules\n"
        f"stdlib._root = lambda: stdlib.Path({str(tmp_path / 'lib')!r})\n"
        "assert len(stdlib.open_stdlib('code', 'test', {})) == 4\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    environment = {**os.environ, "SEQJAX_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(Path(__file__).parents[2])}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    pair = [subprocess.Popen([sys.executable, "-c", program], env=environment, **pipes) for _ in range(2)]
    assert [process.communicate(timeout=120)[0] for process in pair] == ["", ""]
    assert [process.returncode for process in pair] == [0, 0]
    (folder,) = (tmp_path / "cache").glob("stdlib-*")
    assert folder.name.startswith("stdlib-" + ".".join(map(str, sys.version_info[:3])))
    assert [path.name for path in folder.iterdir()] == ["code"]  # nothing half done is left


def test_one_that_comes_second_takes_what_the_first_has_prepared(
    tmp_path: Path, other_library: Path, monkeypatch: pytest.MonkeyPatch
):
    write_library(other_library)
    monkeypatch.setenv("SEQJAX_CACHE", str(tmp_path / "cache"))
    rename = os.rename

    def late(source: str, target: str) -> None:
        if Path(target).name == "code":  # as if another process had been there just before
            shutil.copytree(source, target)
        rename(source, target)

    monkeypatch.setattr(stdlib.os, "rename", late)
    folder = stdlib.prepare("code")
    assert len(stdlib.open_stdlib("code", "train", {})) == 32
    assert [path.name for path in folder.parent.iterdir()] == ["code"]


def test_a_prepared_config_is_not_prepared_again(monkeypatch: pytest.MonkeyPatch):
    folder = stdlib.prepare("docs")
    monkeypatch.setattr(stdlib, "examples", lambda config: pytest.fail("prepared again"))
    assert stdlib.prepare("docs") == folder


@pytest.fixture
def other_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A folder to be taken for the standard library, with nothing remembered of the true one before and after."""
    stdlib.corpus.cache_clear()
    folder = tmp_path / "other"
    folder.mkdir()
    monkeypatch.setattr(stdlib.sysconfig, "get_paths", lambda: {"stdlib": str(folder)})
    yield folder
    stdlib.corpus.cache_clear()


def test_without_sources_the_error_says_so(other_library: Path):
    (other_library / "one.py").write_text("x = 1\n")
    with pytest.raises(UserError, match=r"found 1 source files .*choose other data"):
        open_split(Source(train="stdlib/code"), "train")


def test_a_small_library_without_help_topics_and_with_broken_files(
    other_library: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    write_library(other_library)
    found = stdlib.examples("code")
    assert {name: len(rows) for name, rows in found.items()} == {"train": 32, "validation": 4, "test": 4}
    assert not stdlib.examples("docs")["test"]  # docstrings of 28 characters are not prose, and there are no topics
    assert stdlib.labelled_packages() == []


def test_a_cache_that_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SEQJAX_CACHE", str(tmp_path / "file"))
    with pytest.raises(UserError, match=r"cannot write to the cache .*set SEQJAX_CACHE"):
        stdlib.prepare("docs")

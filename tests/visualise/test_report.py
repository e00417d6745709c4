# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The report is well-formed HTML that needs nothing else, says what it was given, and runs nothing it was given."""

import base64
import html
import json
import re
from html.parser import HTMLParser

import pytest

from seqjax.errors import UserError
from seqjax.evaluation.metrics import classification_report, confusion, tagging_report
from seqjax.visualise.confusion import figure as confusion_figure
from seqjax.visualise.confusion import plot_confusion
from seqjax.visualise.report import KEYS, write_report

HOSTILE = '<script>alert("1")</script>&\''
VOID = {"meta", "img", "br", "link"}
GOLD, PREDICTED, LABELS = ["pos", "pos", "neg"], ["pos", "neg", "neg"], ["neg", "pos", HOSTILE]
CONTEXT = {
    "name": "bert_tiny",
    "summary": "masked language modelling",
    "status": "complete",
    "step": 1200,
    "steps": 1500,
    "figures": {"parameters": 4385920, "best loss": 0.12345678, "device": "cpu"},
    "before": {"accuracy": 0.25, "only before": 1.5},
    "after": {"accuracy": 0.875, "only after": 1e-7},
    "report": classification_report(GOLD, PREDICTED, LABELS)
    | {"labels": LABELS, "confusion": confusion(GOLD, PREDICTED, LABELS)},
    "samples": [{"prompt": "Once upon", "text": " a time\n  there was"}],
    "config": {"model": {"layers": 2}, "data": {"path": HOSTILE}},
    "changes": {"run.steps": (1000, 150000), "optimizer.clip": (None, 1.0)},
    "environment": {"versions": {"jax": "0.9.9"}, "git": {"commit": "abc123", "changed": True}, "hardware": {"devices": 8}},
    "hashes": {"data": {"train": "d1d1", "validation": "e2e2"}, "tokenizer": "f3f3"},
    "seeds": {"run": 123456},
    "commands": {"resume": "python launch.py train x --run 'a b'", "reproduce": "python launch.py reproduce runs/x"},
}  # fmt: skip


class Page(HTMLParser):
    """Checks that elements nest; collects text, tables and addresses."""

    def __init__(self, source):
        super().__init__()
        self.open, self.tags, self.text, self.tables, self.addresses = [], set(), [], [], []
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.addresses += [value for name, value in attributes if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)
        if self.open and self.open[-1] in ("td", "th"):
            self.tables[-1][-1][-1] += data


def page(folder, context):
    write_report(folder, context)
    source = (folder / "report.html").read_text(encoding="utf-8")
    assert source.lstrip().startswith("<!DOCTYPE html>")
    return Page(source), source


def table(page, *header):
    (found,) = [rows for rows in page.tables if rows[0][: len(header)] == list(header)]
    return found


def test_tables_hold_what_was_given(tmp_path):
    shown, _ = page(tmp_path, CONTEXT)
    assert table(shown, "score") == [
        ["score", "before", "after"],
        ["accuracy", "0.2500", "0.8750"],
        ["only before", "1.5000", ""],
        ["only after", "", "1e-07"],
    ]
    classes = {row[0]: row[1:] for row in table(shown, "class")}
    assert classes["pos"] == ["1.0000", "0.5000", "0.6667", "2"] and classes[HOSTILE] == ["0.0000"] * 3 + ["0"]
    assert list(classes) == ["class", "neg", "pos", HOSTILE, "micro average", "macro average", "weighted average"]
    assert table(shown, "") == [["", *LABELS], ["neg", "1", "0", "0"], ["pos", "1", "1", "0"], [HOSTILE, "0", "0", "0"]]
    # Settings and seeds are to be copied, so there they stand as they are written, without a comma in them.
    assert table(shown, "setting")[1:] == [["run.steps", "1000", "150000"], ["optimizer.clip", "null", "1.0"]]
    assert table(shown, "run") == [["run", "123456"]]
    assert table(shown, "data train") == [["data train", "d1d1"], ["data validation", "e2e2"], ["tokenizer", "f3f3"]]
    assert table(shown, "commit") == [["commit", "abc123"], ["changed", "true"]]


def test_text_holds_what_was_given(tmp_path):
    shown, _ = page(tmp_path, CONTEXT)
    text = " ".join("".join(shown.text).split())
    for part in ("bert_tiny", "masked language modelling", "complete", "1,200 of 1,500 updates", "parameters4,385,920",
                 "best loss0.1235", "accuracy: 0.6667", "--run 'a b'", "Once upon a time there was"):  # fmt: skip
        assert part in text, part
    assert " a time\n  there was" in shown.text  # the sample's own line breaks


def test_configuration_is_collapsible_json(tmp_path):
    shown, source = page(tmp_path, CONTEXT)
    assert {"details", "summary"} <= shown.tags
    folded = re.search(r"<details>.*?<code>(.*?)</code>", source, re.DOTALL)[1]
    assert json.loads(html.unescape(folded)) == CONTEXT["config"]


def hostile(value):
    """The same structure with every text and every key of the reader's replaced."""
    if isinstance(value, dict):
        return {HOSTILE + str(key): hostile(inner) for key, inner in value.items()}
    return HOSTILE


def test_hostile_text_is_escaped_everywhere(tmp_path):
    context = CONTEXT | dict.fromkeys(("name", "summary", "status"), HOSTILE)
    context |= {key: hostile(CONTEXT[key]) for key in ("figures", "before", "after", "config", "environment")}
    context |= {key: hostile(CONTEXT[key]) for key in ("hashes", "seeds", "commands")}
    context |= {"samples": [{"prompt": HOSTILE, "text": HOSTILE}], "changes": {HOSTILE: (HOSTILE, HOSTILE)}}
    shown, source = page(tmp_path, context)
    assert "script" not in shown.tags and "<script" not in source
    assert source.count("&lt;script&gt;") > 30  # shown, not lost


def test_curves_are_inside_and_nothing_is_outside(tmp_path):
    assert "img" not in page(tmp_path, CONTEXT)[0].tags
    image = bytes(range(256)) * 4
    (tmp_path / "curves.png").write_bytes(image)
    shown, source = page(tmp_path, CONTEXT)
    (address,) = shown.addresses
    assert address.startswith("data:image/png;base64,") and base64.b64decode(address.split(",")[1]) == image
    assert not {"script", "link", "iframe"} & shown.tags and "url(" not in source and "@import" not in source
    assert "prefers-color-scheme: dark" in source
    assert not list(tmp_path.glob("*.partial"))


def test_errors_and_parts_by_length_are_shown(tmp_path):
    errors = [{"text": HOSTILE, "gold": "pos", "predicted": "neg", "sure": 0.75, "value": 1.5},
              {"text": "a", "gold": 2.5, "predicted": 1.0, "value": 7}]  # fmt: skip
    parts = [{"longest": 9, "count": 2, "accuracy": 0.5}, {"longest": 20, "count": 1, "accuracy": 1.0}]
    more = CONTEXT["report"] | {"worst": {"measure": "loss in nats", "errors": errors}, "by_length": parts}
    plot_confusion(more["confusion"], LABELS, tmp_path / "confusion.png")
    shown, source = page(tmp_path, CONTEXT | {"report": more})
    assert table(shown, "text", "expected") == [
        ["text", "expected", "said", "how sure", "loss in nats"],
        [HOSTILE, "pos", "neg", "0.7500", "1.5000"],
        ["a", "2.5000", "1.0000", "", "7"],
    ]
    assert table(shown, "tokens up to")[1:] == [["9", "2", "0.5000"], ["20", "1", "1.0000"]]
    assert "script" not in shown.tags and "<script" not in source
    (address,) = shown.addresses
    assert base64.b64decode(address.split(",")[1]) == (tmp_path / "confusion.png").read_bytes()
    axes = confusion_figure(more["confusion"], LABELS).axes[0]
    assert [text.get_text() for text in axes.texts] == [str(count) for row in more["confusion"] for count in row]
    assert [label.get_text() for label in axes.get_yticklabels()] == LABELS


def test_every_part_but_the_name_may_be_absent(tmp_path):
    empty, _ = page(tmp_path, {"name": "bare"})
    assert "".join(empty.text).split() == ["bare", "bare"]  # in the title and the heading
    assert empty.tables == []
    status, _ = page(tmp_path, {"name": "bare", "status": "complete"})
    assert "".join(status.text).split() == ["bare", "bare", "complete"]
    for key in KEYS:
        without = {other: value for other, value in CONTEXT.items() if other != key}
        if key != "name":
            alone, rest = page(tmp_path, {"name": "bare", key: CONTEXT[key]}), page(tmp_path, without)
            # "steps" says something only beside "step".
            assert len(alone[1]) > len(page(tmp_path, {"name": "bare"})[1]) or key == "steps", key
            assert len(rest[1]) < len(page(tmp_path, CONTEXT)[1]), key


def test_report_of_tags_has_no_confusion_matrix(tmp_path):
    tags = tagging_report([["B-PER", "O"]], [["B-PER", "O"]])
    shown, source = page(tmp_path, {"name": "ner", "report": tags})
    assert table(shown, "class")[1] == ["PER", "1.0000", "1.0000", "1.0000", "1"]
    assert "token f1 macro with O: 1.0000" in source and "Confusion" not in source


@pytest.mark.parametrize("context, message", [({}, "name"), ({"name": "x", "sample": []}, "did you mean 'samples'")])
def test_wrong_context_is_one_line(tmp_path, context, message):
    with pytest.raises(UserError, match=message):
        write_report(tmp_path, context)
    assert list(tmp_path.iterdir()) == []

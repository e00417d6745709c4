# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""`launch.py generate`: sampling, stop strings, beams, and one line for each mistake."""

import json

import pytest

import launch


@pytest.fixture(scope="module")
def language(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("run") / "clm")
    assert launch.main(["train", "quickstart_clm", "--tiny", "--quiet", "parallel.devices=1", "--run", folder]) == 0
    return folder


def call(capsys, folder, *options):
    capsys.readouterr()
    arguments = ["generate", folder, "--prompt", "def f(", "--max-new", "12", *map(str, options), "--json"]
    assert launch.main(arguments) == 0
    told = capsys.readouterr()
    return json.loads(told.out), told.err


def test_cuts_and_penalties_reach_the_sampler(capsys, language):
    greedy, _ = call(capsys, language, "--temperature", 0)
    assert call(capsys, language, "--min-p", 1)[0] == greedy
    assert call(capsys, language, "--top-k", 1)[0] == greedy
    assert call(capsys, language, "--temperature", 0, "--repetition-penalty", 3)[0] != greedy
    assert call(capsys, language)[0] == call(capsys, language, "--temperature", 0.8, "--seed", 0)[0]


def test_text_ends_before_a_stop_string(capsys, language):
    drawn, _ = call(capsys, language, "--seed", 4)
    stop = drawn["text"][3:5]
    found, told = call(capsys, language, "--seed", 4, "--stop", "never to be seen", "--stop", stop)
    assert found["text"] == drawn["text"][: drawn["text"].index(stop)]
    assert told == f"def f({found['text']}\n"


def test_beams_and_their_n_best(capsys, language):
    one, told = call(capsys, language, "--beams", 3)
    assert told == f"def f({one['text']}\n"
    several, told = call(capsys, language, "--beams", 3, "--n-best", 2, "--length-penalty", 1)
    assert len(several["n_best"]) == 2
    assert several["n_best"][0] == {name: one[name] for name in ("text", "tokens", "score")}
    assert several["n_best"][0]["score"] >= several["n_best"][1]["score"]
    assert told.startswith(f"{one['score']:.4f}  def f({one['text']}\n")
    assert call(capsys, language, "--beams", 3, "--length-penalty", 0)[0]["score"] < one["score"]
    assert call(capsys, language, "--beams", 1)[0]["text"] == call(capsys, language, "--temperature", 0)[0]["text"]


MISTAKES = {
    "beams": (["--beams", 0], "beams 0 must be at least 1"),
    "beams, a word": (["--beams", "x"], "--beams"),
    "n-best": (["--beams", 2, "--n-best", 3], "n-best 3 must be"),
    "no best": (["--beams", 2, "--n-best", 0], "n-best 0 must be"),
    "n-best without beams": (["--n-best", 2], "need --beams"),
    "length penalty without beams": (["--length-penalty", 1], "need --beams"),
    "length penalty": (["--beams", 2, "--length-penalty", "nan"], "length-penalty nan"),
    "temperature and beams": (["--beams", 2, "--temperature", 1], "does not sample"),
    "top-k and beams": (["--beams", 2, "--top-k", 0], "does not sample"),
    "min-p and beams": (["--beams", 2, "--min-p", 0], "does not sample"),
    "penalty and beams": (["--beams", 2, "--repetition-penalty", 1], "does not sample"),
    "stop and beams": (["--beams", 2, "--stop", "x"], "does not sample"),
    "seed and beams": (["--beams", 2, "--seed", 0], "does not sample"),
    "min-p": (["--min-p", 1.5], "min-p 1.5"),
    "penalty": (["--repetition-penalty", 0], "repetition-penalty 0.0"),
    "penalty, infinite": (["--repetition-penalty", "inf"], "repetition-penalty inf"),
    "stop": (["--stop", ""], "a stop string needs"),
}


@pytest.mark.parametrize(("options", "message"), MISTAKES.values(), ids=MISTAKES)
def test_one_clear_line_and_status_2(capsys, language, options, message):
    capsys.readouterr()
    try:
        status = launch.main(["generate", language, "--prompt", "a", *map(str, options)])
    except SystemExit as exit_:  # argparse
        status = exit_.code
    (line,) = capsys.readouterr().err.splitlines()
    assert status == 2
    assert line.startswith("error: ")
    assert message in line


def test_words_around_a_text_are_named_but_not_put_around_a_prompt(capsys, tmp_path):
    command = ["train", "sst2_t5", "--tiny", "--quiet", "parallel.devices=1", "run.steps=1"]
    assert launch.main([*command, "--run", str(tmp_path / "run")]) == 0
    _, told = call(capsys, str(tmp_path / "run"))
    assert "training and `predict` put 'package source: {text}' around" in told

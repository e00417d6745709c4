# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The command line as a user meets it, on tiny runs."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import launch
from seqjax import experiment as experiments
from seqjax.commands import COMMANDS
from seqjax.training.watch import Watch

ROOT = Path(__file__).parents[2]


def call(capsys, *arguments):
    """Runs a command with --json and returns its result: the last line of stdout."""
    status = launch.main([*map(str, arguments), "--json"])
    out = capsys.readouterr().out
    assert status == 0
    return json.loads(out.splitlines()[-1])


@pytest.fixture(scope="module")
def language(tmp_path_factory):
    folder = tmp_path_factory.mktemp("language")
    assert launch.main(short_run(folder)) == 0
    return folder


def short_run(folder):
    """Returns the command line of a run on a few functions: what is scored whole should be short."""
    text = folder.parent / "functions.py"
    text.write_text("".join(f"def f{i}(x):\n    return x + {i}\n\n" for i in range(120)))
    arguments = ["train", "quickstart_clm", "--tiny", "--run", str(folder), "parallel.devices=1", "--quiet"]
    return [*arguments, f"data=text:{text}", f"data.source.test=text:{text}"]


def test_a_run_that_is_interrupted_says_so_by_its_status(tmp_path, monkeypatch, capsys):
    """So that whoever watches it starts it again."""
    dispatched = Watch.dispatched
    monkeypatch.setattr(Watch, "dispatched", lambda *words: (signal.raise_signal(signal.SIGTERM), dispatched(*words)))
    assert launch.main(short_run(tmp_path / "run")) == 75
    assert "saved; the same command goes on from step 1" in capsys.readouterr().out
    monkeypatch.undo()
    assert launch.main(short_run(tmp_path / "run")) == 0


def test_help_everywhere():
    """From a fresh interpreter, and without jax: help must be quick."""
    for arguments in [[], ["--help"], *([name, "--help"] for name in COMMANDS)]:
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "launch.py", *arguments], cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 0
        assert "usage: launch.py" in done.stdout
        assert "jax" not in {line.split("|")[-1].strip() for line in done.stderr.splitlines()}


def test_list_names_every_experiment(capsys):
    found = call(capsys, "list")
    assert [entry["name"] for entry in found] == experiments.names()
    assert {entry["name"]: entry["parameters"] for entry in found}["gpt2_small"] == 124_439_808
    assert all(entry["summary"] and entry["hardware"] for entry in found)


def test_show_resolves_overrides_and_diff_names_the_base(capsys):
    shown = call(capsys, "show", "quickstart_clm", "run.steps=7", "optimizer.schedule=cosine")
    assert (shown["run"]["steps"], shown["optimizer"]["schedule"]) == (7, "cosine")
    changed = call(capsys, "show", "quickstart_clm", "run.steps=7", "--diff")
    assert changed["run.steps"] == [260, 7]
    assert changed["objective.kind"] == ["mlm", "clm"]
    assert "optimizer.peak_lr" not in changed
    tiny = call(capsys, "show", "quickstart_clm", "--tiny")
    assert tiny["model"]["width"] == 32


def test_check_trains_nothing_and_says_what_a_run_needs(capsys, tmp_path, monkeypatch):
    found = call(capsys, "check", "quickstart_package", "--tiny", "parallel.devices=1")
    assert found["data"]["batch"]["tokens"] == [32, 32]
    assert found["data"]["train"]["rows"] == 40
    assert found["parameters"] == sum(found["parameters_by_part"].values())
    state = found["memory"]["state"]  # parameters and the two moments of Adam, float32
    assert state == pytest.approx(12 * found["parameters"], rel=0.01)
    assert found["memory"]["temporaries"] > 0
    labels = found["data"]["source"]["splits"]["train"]["labels"]
    assert len(labels) > 5
    assert found["devices"]["used"] == 1


def test_check_says_what_each_device_holds_of_each_group(capsys):
    axes = ["parallel=mesh", "parallel.fsdp=4", "parallel.tensor=2", "model.vocab_size=512"]
    found = call(capsys, "check", "quickstart_clm", "--tiny", *axes)
    groups = found["bytes_by_group"]
    assert (
        {"embedding", "attention", "mlp", "norm", "head", "moments"} >= groups.keys() >= {"embedding", "mlp", "moments"}
    )
    assert groups["mlp"]["total"] == pytest.approx(8 * groups["mlp"]["per_device"], rel=0.1)
    assert groups["mlp"]["of_ideal"] > 0.9
    held = sum(group["per_device"] for group in groups.values())
    assert found["memory"]["state"] == pytest.approx(held, abs=64)  # and a few counters
    assert held < 12 * found["parameters"] / 5


def test_eval_repeats_what_the_run_measured(capsys, language):
    last = [json.loads(line) for line in (language / "metrics.jsonl").read_text().splitlines()][-1]
    scores = call(capsys, "eval", language)["scores"]
    assert scores["loss"] > 0
    assert scores["bits_per_byte"] > 0
    test = call(capsys, "eval", language, "--split", "test", "--step", "newest")["scores"]
    assert test["loss"] != scores["loss"]
    assert last["step"] == 6


def test_generate_repeats_with_a_seed(capsys, language):
    options = ["generate", language, "--prompt", "def f(", "--max-new", 12, "--temperature", 1.0]
    first, again = (call(capsys, *options, "--seed", 1) for _ in range(2))
    assert first == again
    assert first["prompt"] == "def f("
    assert call(capsys, *options, "--seed", 2) != first


def test_reproduce_gives_identical_bits_and_diff_finds_what_was_changed(capsys, language, tmp_path):
    found = call(capsys, "reproduce", language, "--run", tmp_path / "again", "--quiet")
    assert found["verdict"] == "identical bits"
    assert found["values_compared"] > 10
    assert call(capsys, "diff", language, tmp_path / "again")["ingredients"] == {}

    other = language.parent / "other"
    assert launch.main([*short_run(other), "optimizer.b1=0.8"]) == 0
    capsys.readouterr()
    found = call(capsys, "diff", language, other)
    assert found["first_ingredient"] == "config"
    assert found["ingredients"] == {"config": {"optimizer.b1": [0.9, 0.8]}}
    assert (found["first_step"], found["metric"]) != (None, None)


def test_reproduce_notices_a_tampered_run(capsys, language, tmp_path):
    """The first differing step and ingredient are named; a difference within the tolerance is called that."""
    copy = tmp_path / "copy"
    shutil.copytree(language, copy)
    facts = json.loads((copy / "run.json").read_text())
    facts["versions"]["jax"] = "0.0.1"
    (copy / "run.json").write_text(json.dumps(facts))
    lines = [json.loads(line) for line in (copy / "metrics.jsonl").read_text().splitlines()]
    step = next(line["step"] for line in lines if line["step"] > 2 and "train/loss" in line)
    for line in lines:
        if line["step"] == step and "train/loss" in line:
            line["train/loss"] *= 1 + 1e-3
    (copy / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = call(capsys, "reproduce", copy, "--run", tmp_path / "a", "--quiet")
    assert (found["verdict"], found["first_step"], found["metric"]) == ("different", step, "train/loss")
    assert found["first_ingredient"] == "versions"
    found = call(capsys, "reproduce", copy, "--run", tmp_path / "b", "--quiet", "--tolerance", "0.01")
    assert found["verdict"] == "within tolerance"
    for line in lines:
        if line["step"] == step and "train/grad_norm" in line:
            line["train/grad_norm"] = float("nan")  # of an update that was skipped
    (copy / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = call(capsys, "reproduce", copy, "--run", tmp_path / "c", "--quiet", "--tolerance", "0.01")
    assert found["verdict"] == "different"


def test_an_interrupted_reproduction_goes_on(capsys, language, tmp_path, monkeypatch):
    shutil.copytree(language, tmp_path / "run")
    whole = sys.modules["seqjax.commands.compare"].run.train

    def broken(experiment, folder, quiet, until):
        return whole(experiment, folder, quiet, until=3)

    with monkeypatch.context() as patched:
        patched.setattr(sys.modules["seqjax.commands.compare"].run, "train", broken)
        assert launch.main(["reproduce", str(tmp_path / "run"), "--quiet"]) == 75
    assert "saved after 3 of" in capsys.readouterr().out
    found = call(capsys, "reproduce", tmp_path / "run", "--quiet")
    assert (found["verdict"], found["folder"]) == ("identical bits", str(tmp_path / "run-reproduced"))
    assert launch.main(["reproduce", str(tmp_path / "run"), "--run", str(tmp_path / "run-reproduced")]) == 2
    assert "holds a run already" in capsys.readouterr().err


def test_fine_tuning_takes_over_what_was_learnt(capsys, language, tmp_path):
    """init_from on the command line: the trunk, the tokenizer and the model's shape come from the run."""
    options = ["parallel.devices=1", f"init_from={language}", "--quiet"]
    arguments = ["train", "quickstart_package", "--tiny", "--run", tmp_path / "tuned"]
    found = call(capsys, *arguments, *options, "optimizer.freeze=^trunk/")
    merged = json.loads((tmp_path / "tuned" / "merge.json").read_text())
    assert merged["reused"]
    assert all(path.startswith("trunk/") for path in merged["reused"])
    assert all(path.startswith("head/") for path in merged["new"])
    assert found["before"] is not None

    import numpy as np

    from seqjax import trees
    from seqjax.training import checkpoint

    before, after = (trees.flatten(checkpoint.load(run, "newest")[1]) for run in (language, tmp_path / "tuned"))
    for path in merged["reused"]:
        np.testing.assert_array_equal(before[path], after[path])  # frozen, to the bit

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""A sweep that was interrupted ends as one that was not; a grid is complete; what is found is written."""

import json
import math
import sys

import jax
import pytest

import launch
from seqjax.commands.sweep import Searched, apart, parse, sweep
from seqjax.errors import Diverged, UserError
from seqjax.experiment import Experiment, resolve

MODULE = sys.modules["seqjax.commands.sweep"]
SPACE = ["optimizer.peak_lr=log:1e-4:1e-1", "data.batch=range:4:16", "optimizer.name=list:adamw,lamb", "run.steps=7"]


@pytest.fixture
def trained(monkeypatch):
    """Trials that take no time: the best rate is 1e-2. Returns (folder, experiment) of each that was run."""
    seen = []

    def train(experiment, folder, quiet):
        seen.append((folder.name, experiment))
        return {"status": "complete", "best": -abs(math.log10(experiment.optimizer.peak_lr) + 2.0)}

    monkeypatch.setattr(MODULE.run, "train", train)
    monkeypatch.setattr(MODULE, "finish", lambda outcome: outcome)
    return seen


def rows(folder):
    found = json.loads((folder / "trials.json").read_text())["trials"]
    return sorted(found, key=lambda row: row["trial"])


def search(folder, words=SPACE, trials=14, seed=0):
    words = [*words, "run.metric=accuracy", "run.direction=max"]
    return sweep("quickstart_package", words, True, str(folder), True, trials, seed)


def test_an_interrupted_sweep_is_the_one_that_was_not(trained, tmp_path, monkeypatch):
    """Stopped between trials, killed within one, and politely interrupted within another."""
    search(tmp_path / "whole")
    search(tmp_path / "broken", trials=3)
    plain = MODULE.run.train

    def killed(experiment, folder, quiet):
        if folder.name == "trial-11":
            raise KeyboardInterrupt
        return plain(experiment, folder, quiet)

    monkeypatch.setattr(MODULE.run, "train", killed)
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path / "broken")
    monkeypatch.setattr(MODULE.run, "train", lambda *_: {"status": "interrupted", "best": None})
    assert "goes on with trial 11" in search(tmp_path / "broken")[1]
    monkeypatch.setattr(MODULE.run, "train", plain)
    search(tmp_path / "broken")
    assert rows(tmp_path / "broken") == rows(tmp_path / "whole")
    assert len(rows(tmp_path / "whole")) == 14
    again = len(trained)
    search(tmp_path / "broken")
    assert len(trained) == again  # nothing is left to do


def test_ranges_and_what_is_fixed(trained, tmp_path):
    result, text = search(tmp_path, trials=30)
    settings = [experiment for _, experiment in trained]
    assert [name for name, _ in trained] == [f"trial-{i}" for i in range(30)]
    assert all(1e-4 <= each.optimizer.peak_lr <= 1e-1 and each.run.steps == 7 for each in settings)
    assert len({each.optimizer.peak_lr for each in settings}) == 30
    assert {each.optimizer.name for each in settings} == {"adamw", "lamb"}
    assert {each.data.batch for each in settings} <= set(range(4, 17)) and len({e.data.batch for e in settings}) > 4
    scores = [row["score"] for row in result["trials"]]
    assert scores == sorted(scores, reverse=True)
    late = [abs(math.log10(each.optimizer.peak_lr) + 2.0) for each in settings[15:]]
    assert sum(late) / 15 < 0.6  # it has learnt where to look; at random it would be 0.83
    assert text.splitlines()[2].startswith(f"| {result['trials'][0]['trial']} | ")
    for name in ("trials.md", "trials.png", "sweep.journal"):
        assert (tmp_path / name).stat().st_size > 0


def test_a_grid_is_tried_once_each(trained, tmp_path):
    result, _ = search(tmp_path, ["data.batch=4,8,16", "optimizer.name=list:adamw,lamb"], trials=50)
    found = [(experiment.data.batch, experiment.optimizer.name) for _, experiment in trained]
    assert sorted(found) == sorted((batch, name) for batch in (4, 8, 16) for name in ("adamw", "lamb"))
    assert len(result["trials"]) == 6


def test_a_trial_that_diverges_is_in_the_table(trained, tmp_path, monkeypatch):
    plain = MODULE.run.train

    def train(experiment, folder, quiet):
        if folder.name == "trial-1":
            raise Diverged("loss")
        return plain(experiment, folder, quiet)

    monkeypatch.setattr(MODULE.run, "train", train)
    result, text = search(tmp_path, trials=3)
    assert result["trials"][-1]["status"] == "diverged"
    assert "| 1 | diverged |" in text


def failing(monkeypatch, **errors):
    """Has trials raise instead of training, by the names of their folders with "_" for "-"."""
    plain = MODULE.run.train

    def train(experiment, folder, quiet):
        if error := errors.get(folder.name.replace("-", "_")):
            raise error
        return plain(experiment, folder, quiet)

    monkeypatch.setattr(MODULE.run, "train", train)


def test_trials_that_fail_on_data_or_memory_are_in_the_table_and_the_search_goes_on(
    trained, tmp_path, monkeypatch, capsys
):
    full = jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 7 bytes.\nmore of it")
    failing(monkeypatch, trial_0=UserError("60 rows | no batch"), trial_2=full, trial_3=MemoryError())
    result, text = search(tmp_path, trials=5)
    assert "loss" not in text and "accuracy failed: 60 rows | no batch (1 of 5)" in capsys.readouterr().err
    found = {row["trial"]: (row["status"], row.get("reason")) for row in result["trials"]}
    memory = "out of memory (RESOURCE_EXHAUSTED: Out of memory allocating 7 bytes.)"
    assert found == {
        0: ("failed", "60 rows | no batch"),
        1: ("complete", None),
        2: ("failed", memory),
        3: ("failed", "out of memory (MemoryError)"),
        4: ("complete", None),
    }
    assert r"| 0 | failed: 60 rows \| no batch | " in (tmp_path / "trials.md").read_text()
    assert [name for name, _ in trained] == ["trial-1", "trial-4"]
    search(tmp_path, trials=5)
    assert len(trained) == 2  # and is not tried again


def test_another_error_of_the_machine_is_none_of_the_trial(trained, tmp_path, monkeypatch):
    plain = MODULE.run.train
    failing(monkeypatch, trial_1=jax.errors.JaxRuntimeError("INTERNAL: the device is gone"))
    with pytest.raises(jax.errors.JaxRuntimeError, match="INTERNAL"):
        search(tmp_path, trials=3)
    monkeypatch.setattr(MODULE.run, "train", plain)
    search(tmp_path, trials=3)
    assert [name for name, _ in trained] == ["trial-0", "trial-1", "trial-2"]


def test_a_combination_that_does_not_fit_together_is_a_trial_that_failed(trained, tmp_path):
    words = ["model.width=range:8:64", "model.heads=2"]
    result, _ = search(tmp_path, words, trials=8)
    reasons = [row["reason"] for row in result["trials"] if row["status"] == "failed"]
    assert reasons and all("width" in reason for reason in reasons)
    assert len(trained) == 8 - len(reasons) > 0


def test_where_all_trials_fail_it_says_why_and_the_same_command_tries_again(trained, tmp_path, monkeypatch):
    plain = MODULE.run.train
    failing(monkeypatch, trial_0=UserError("no such file"), trial_1=UserError("b"), trial_2=Diverged("loss"))
    with pytest.raises(UserError, match=r"no trial has a score; trial 0 failed: no such file"):
        search(tmp_path, trials=3)
    assert "| 1 | failed: b |" in (tmp_path / "trials.md").read_text()
    monkeypatch.setattr(MODULE.run, "train", plain)
    search(tmp_path, trials=3)
    assert [row["status"] for row in rows(tmp_path)] == ["complete"] * 3


def test_where_all_trials_diverge_the_sweep_did(trained, tmp_path, monkeypatch):
    failing(monkeypatch, trial_0=Diverged("loss"), trial_1=Diverged("loss"))
    with pytest.raises(Diverged, match="all trials diverged; try a lower"):
        search(tmp_path, trials=2)
    assert [row["status"] for row in rows(tmp_path)] == ["diverged"] * 2


def test_a_grid_is_tried_whole_and_stderr_says_what_is_left_out(trained, tmp_path, capsys):
    words = ["data.batch=1,2,3,4,5,6", "optimizer.warmup=1,2,3,4"]
    assert len(search(tmp_path / "whole", words, trials=None)[0]["trials"]) == 24
    assert "leaves out" not in capsys.readouterr().err
    assert len(search(tmp_path / "part", words, trials=20)[0]["trials"]) == 20
    said = "--trials 20 leaves out 4 of the 24 combinations; without --trials all are tried\n"
    assert capsys.readouterr().err.count(said) == 1
    assert len(search(tmp_path / "part", words, trials=None)[0]["trials"]) == 24
    assert len(search(tmp_path / "range", trials=None)[0]["trials"]) == 20

    options = ("quickstart_package", words, True)
    capsys.readouterr()
    assert len(apart(*options, str(tmp_path / "jobs"), None, 0)) == 24
    assert capsys.readouterr().err == ""
    assert len(apart(*options, str(tmp_path / "jobs"), 20, 0)) == 20
    assert capsys.readouterr().err == said


def test_help_says_how_many_trials_there_are(capsys):
    with pytest.raises(SystemExit):
        launch.main(["sweep", "--help"])
    assert "each combination of lists; 20 with a range" in " ".join(capsys.readouterr().out.split())


def test_overrides_apply_in_the_order_in_which_they_are_written(trained, tmp_path):
    """A group that is chosen anew has its defaults: what is fixed in it stays only if it comes later."""
    words = ["objective=list:classification,regression", "objective.pool=mean"]
    search(tmp_path / "later", words)
    found = [(type(each.objective).__name__, each.objective.pool) for _, each in trained]
    assert found == [("Classification", "mean"), ("Regression", "mean")]
    search(tmp_path / "sooner", words[::-1])
    assert [each.objective.pool for _, each in trained[2:]] == ["first", "first"]
    (settings, _), *_ = apart("quickstart_package", words, True, str(tmp_path / "jobs"), None, 0)
    assert settings == ["objective=classification", "objective.pool=mean"]
    with pytest.raises(UserError, match=r"holds a sweep with other settings \(order\)"):
        apart("quickstart_package", words[::-1], True, str(tmp_path / "jobs"), None, 0)


def test_words_of_the_command_line():
    experiment = resolve("sst2_bert")
    words = ["data.batch=16,32", "data.buckets=8,16", "optimizer.peak_lr=range:0:1e-3", "run.steps=log:10:100"]
    space, fixed = parse(experiment, words)
    assert space == [
        Searched("data.batch", ("16", "32")),
        Searched("optimizer.peak_lr", (), 0.0, 1e-3),
        Searched("run.steps", (), 10, 100, True, True),
    ]
    assert fixed == ["data.buckets=8,16"]  # one value: a tuple
    for word, message in {
        "optimizer.peak_lr=log:0:1": "begins above 0",
        "optimizer.peak_lr=log:1": "expected log:LOW:HIGH",
        "optimizer.peak_lr=range:2:1": "the lower first",
        "run.steps=range:1:2.5": "two whole numbers",
    }.items():
        with pytest.raises(UserError, match=message):
            parse(experiment, [word])
    with pytest.raises(UserError, match=r"run\.steps is searched twice"):
        parse(Experiment(), ["run.steps=1,2", "run.steps=3,4"])


def test_trials_are_runs(tmp_path, capsys):
    words = ["sweep", "quickstart_mlm", "--tiny", "--quiet", "parallel.devices=1", "--run", str(tmp_path / "sweep")]
    assert launch.main([*words, "optimizer.peak_lr=1e-3,1e-2", "--json"]) == 0
    said = capsys.readouterr()
    result = json.loads(said.out)
    assert "trial 1: optimizer.peak_lr=1e-2: loss" in said.err
    assert (tmp_path / "sweep" / "trial-1" / "report.html").exists()
    assert {row["settings"]["optimizer.peak_lr"] for row in result["trials"]} == {"1e-3", "1e-2"}
    assert launch.main([*words, "optimizer.peak_lr=1e-3,1e-1"]) == 2
    assert "holds a sweep with other settings (searched)" in capsys.readouterr().err


def test_a_mistake_is_found_before_the_first_trial_and_is_no_obstacle_to_its_correction(tmp_path, capsys):
    words = ["sweep", "quickstart_mlm", "--tiny", "--quiet", "parallel.devices=1", "--run", str(tmp_path / "sweep")]
    assert launch.main([*words, "optimizer.name=list:adamw,adamm"]) == 2
    assert "adamm" in capsys.readouterr().err
    assert not (tmp_path / "sweep").exists()
    assert launch.main([*words, "run.steps=2,3", f"data=text:{tmp_path / 'nowhere.txt'}"]) == 2
    assert "nowhere.txt" in capsys.readouterr().err
    assert launch.main([*words, "run.steps=2,3", "run.eval_every=1"]) == 0
    assert {each.name for each in (tmp_path / "sweep").glob("trial-*")} == {"trial-0", "trial-1"}


def test_data_too_small_for_a_batch_fail_that_trial_alone(tmp_path, capsys):
    """Found by training, once the run is described; where no trial can be trained a corrected command can."""
    data = tmp_path / "rows.tsv"
    data.write_text("text\tlabel\n" + "".join(f"word {i}\t{'ab'[i % 2]}\n" for i in range(60)))
    words = ["sweep", "quickstart_package", "--tiny", "--quiet", "parallel.devices=1", f"data=tsv:{data}"]
    words += ["data.layout=bucket", "data.buckets=8", "data.length=8", "run.steps=1", "optimizer.warmup=0"]
    words += ["--run", str(tmp_path / "sweep"), "--json"]
    assert launch.main([*words, "data.batch=4096,5000"]) == 2
    assert "no trial has a score; trial 0 failed: data.layout=bucket: " in capsys.readouterr().err
    assert launch.main([*words, "data.batch=4096,4"]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [(row["trial"], row["status"]) for row in result["trials"]] == [(1, "complete"), (0, "failed")]
    assert "rows are no batch of 4096" in result["trials"][1]["reason"]

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Several seeds in one command: a run for each, and the mean and standard deviation of what they score."""

import json
import statistics

import launch

COMMAND = [
    "train",
    "quickstart_package",
    "--tiny",
    "--quiet",
    "run.steps=1",
    "optimizer.warmup=0",
    "parallel.devices=1",
]


def test_each_seed_is_a_run_and_both_are_scored(tmp_path, capsys):
    folder = tmp_path / "runs"
    assert launch.main([*COMMAND, "run.seed=5", "--run", str(folder), "--seeds", "2", "--json"]) == 0
    trained = json.loads(capsys.readouterr().out.splitlines()[-1])
    results = [json.loads((folder / f"seed-{seed}" / "result.json").read_text()) for seed in (5, 6)]
    losses = [result["eval/loss"] for result in results]
    assert losses[0] != losses[1]
    expected = {"mean": statistics.fmean(losses), "sd": statistics.stdev(losses), "values": losses}
    assert trained["scores"]["eval/loss"] == expected
    own = [result["report"]["macro"]["f1"] for result in results]
    expected = {"mean": statistics.fmean(own), "sd": statistics.stdev(own), "values": own}
    assert trained["scores"]["report/macro_f1"] == expected
    assert trained["scores"]["report/mcc"]["values"] == [result["report"]["mcc"] for result in results]
    written = json.loads((folder / "seeds.json").read_text())
    assert written == {name: value for name, value in trained.items() if name in written} and len(written) == 2
    assert json.loads((folder / "seed-6" / "config.json").read_text())["run"]["seed"] == 6

    assert launch.main(["eval", str(folder), "--json"]) == 0
    together = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert together["seeds"] == 2
    assert launch.main(["eval", str(folder / "seed-6"), "--json"]) == 0
    alone = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert together["scores"]["accuracy"]["values"][1] == alone["scores"]["accuracy"]
    assert together["scores"]["macro f1"]["values"][1] == alone["report"]["macro"]["f1"]

    assert launch.main([*COMMAND, "--run", str(folder / "seed-5"), "--seeds", "2"]) == 2
    assert "holds a run already" in capsys.readouterr().err
    assert launch.main([*COMMAND, "--seeds", "0"]) == 2

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Fine-tuning from a checkpoint: what is frozen stays, what begins afresh does, what waits begins when it should."""

import dataclasses

import numpy as np
import pytest

from seqjax import trees
from seqjax.experiment import resolve
from seqjax.objectives.regression import Regression
from seqjax.objectives.supervised import Classification
from seqjax.training import checkpoint, record
from seqjax.training.finish import finish
from seqjax.training.logging import read_metrics
from seqjax.training.optimizers import Optimizer
from seqjax.training.prepare import prepare, reopen
from seqjax.training.run import train
from tests.training.settings import experiment, text


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pretrained")
    config = experiment(text(folder), "mlm", steps=3, eval_every=3)
    train(dataclasses.replace(config, model=dataclasses.replace(config.model, layers=3)), folder / "run", quiet=True)
    return folder / "run"


def tuned(pretrained, folder, steps, optimizer, objective=None, **changes):
    """Returns {path: array} of a classifier's parameters after so many updates from the pretrained run."""
    labelled = folder / "labelled.txt"
    labelled.write_text("".join(f"{'ab'[i % 2]} {'long' if i % 2 else 'short'} text {i}\n" for i in range(40)))
    config = experiment(f"labelled:{labelled}", "mlm", steps=steps, eval_every=steps)
    config = dataclasses.replace(
        config, objective=objective or Classification(), optimizer=optimizer, init_from=str(pretrained), **changes
    )
    train(config, folder / f"run-{steps}", quiet=True)
    return trees.flatten(checkpoint.load(folder / f"run-{steps}", "newest")[1])


def test_a_linear_probe_trains_one_layer_and_leaves_the_trunk_to_the_bit(pretrained, tmp_path):
    before = trees.flatten(checkpoint.load(pretrained, "best")[1])
    optimizer = Optimizer(peak_lr=0.1, weight_decay=0.1, freeze=("^trunk/",))
    found = tuned(pretrained, tmp_path, 5, optimizer, Classification(pooler=False))
    trunk = [path for path in found if path.startswith("trunk/")]
    assert len(trunk) > 10
    assert all(np.array_equal(found[path], before[path]) for path in trunk)
    assert set(found) - set(trunk) == {"head/output/bias", "head/output/kernel"}
    assert np.abs(found["head/output/kernel"]).max() > 0.1
    line = next(line for line in read_metrics(tmp_path / "run-5") if "perf/tokens_per_s" in line)
    assert "perf/mfu" not in line  # a third of the work of training all


def test_a_kernel_is_asked_for_here_and_not_where_a_run_is_reopened(pretrained, tmp_path):
    """Fine-tuning has its own, and a run that had a TPU's is scored where there is none."""
    config = experiment("made:similarity/3", "mlm")
    config = dataclasses.replace(config, objective=Regression(), init_from=str(pretrained))
    for kernel in ("plain", "splash"):
        asked = dataclasses.replace(config, model=dataclasses.replace(config.model, attention_kernel=kernel))
        prepared = prepare(asked)
        assert prepared.experiment.model.attention_kernel == kernel
        prepared.dataset.tokenizer.save(tmp_path / kernel / "tokenizer")
        found = reopen(prepared.experiment, tmp_path / kernel).experiment.model.attention_kernel
        assert found == {"plain": "plain", "splash": "auto"}[kernel]


def test_top_layers_begin_afresh(pretrained, tmp_path):
    """At a learning rate of nearly nothing, parameters are what training began with."""
    before = trees.flatten(checkpoint.load(pretrained, "best")[1])
    still = Optimizer(name="sgd", peak_lr=1e-30, weight_decay=0.0)
    found = tuned(pretrained, tmp_path, 1, still, reinit_layers=2)
    for path in found:
        if path.startswith("trunk/") and path.endswith("kernel"):
            fresh = "layer_1/" in path or "layer_2/" in path
            assert np.array_equal(found[path], before[path]) != fresh, path
    assert any("layer_2/" in path for path in found)
    assert np.array_equal(found["trunk/tokens/embedding"], before["trunk/tokens/embedding"])


def test_the_report_has_the_scores_before_beside_those_after(pretrained, tmp_path):
    tuned(pretrained, tmp_path, 20, Optimizer(peak_lr=0.05, warmup=0))
    outcome = finish(train(record.read(tmp_path / "run-20").experiment, tmp_path / "run-20", quiet=True))
    before, after = (outcome["scores"][when] for when in ("before", "after"))
    assert before.keys() == after.keys() >= {"loss", "accuracy", "mcc", "macro_f1"}
    lines = {line["step"]: line for line in record.read(tmp_path / "run-20").metrics if "eval/loss" in line}
    for step, scores in ((0, before), (20, after)):
        np.testing.assert_allclose(scores["accuracy"], lines[step]["eval/accuracy"], rtol=1e-6)
        assert scores["loss"] == lines[step]["eval/loss"]
    assert after["macro_f1"] == 1.0 > before["macro_f1"]
    assert (tmp_path / "run-20" / "confusion.png").stat().st_size > 0
    html = (tmp_path / "run-20" / "report.html").read_text()
    assert f"{before['macro_f1']:.4f}" in html and html.count("data:image/png") == 2


def test_layers_wait_for_their_turn(pretrained, tmp_path):
    before = trees.flatten(checkpoint.load(pretrained, "best")[1])
    found = tuned(pretrained, tmp_path, 4, Optimizer(peak_lr=0.01, schedule="constant", unfreeze=2))
    changed = {path for path in found if path in before and not np.array_equal(found[path], before[path])}
    assert any("layer_2/" in path for path in changed)
    assert not [
        path for path in changed if "layer_2/" not in path and not path.startswith(("head/", "trunk/final_norm"))
    ]


def test_the_same_command_on_a_complete_run_scores_it_again_also_elsewhere(tmp_path):
    """The last values are still there; the layout that it began with need not fit the devices that are here."""
    config = resolve("quickstart_package", ["parallel.devices=1", "run.steps=2", "optimizer.warmup=0"], True)
    first = finish(train(config, tmp_path, quiet=True))
    assert {"train/loss", "eval/loss"} <= first.keys()
    assert finish(train(config, tmp_path, quiet=True)) == first
    path = tmp_path / "config.json"
    path.write_text(path.read_text().replace('"devices": 1', '"devices": 64'))
    assert finish(train(config, tmp_path, quiet=True))["report"]["confusion"] == first["report"]["confusion"]

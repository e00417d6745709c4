# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Runs of replaced token detection from beginning to end: evaluated, exported, fine-tuned; kills are in test_resume."""

import dataclasses

import jax
import numpy as np
import pytest

from seqjax import experiment as experiments
from seqjax import trees
from seqjax.commands import experiments as about
from seqjax.commands.interop import export_run
from seqjax.config import derive
from seqjax.evaluation.evaluate import scorer
from seqjax.models.model import shapes
from seqjax.training import checkpoint
from seqjax.training.parallel import Devices, Parallel
from seqjax.training.prepare import EVALUATED, reopen
from seqjax.training.run import train
from tests.training.settings import measured


def tiny(name):
    """Six updates in float32, on one device."""
    config = derive(experiments.resolve(name, tiny=True), model={"dtype": "float32"}, optimizer={"peak_lr": 1e-2})
    return dataclasses.replace(config, parallel=Parallel("jit", 1))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run with disentangled embeddings."""
    folder = tmp_path_factory.mktemp("deberta_v3_small") / "whole"
    train(tiny("deberta_v3_small"), folder, quiet=True)
    return folder


def test_a_checkpoint_is_the_composite_and_scores_as_during_the_run(folder):
    experiment, params = checkpoint.load(folder, "newest")
    like = shapes(experiment.objective.build(experiment.model))
    assert jax.tree.structure(like) == jax.tree.structure(params)
    last = [line for line in measured(folder) if "eval/loss" in line][-1]
    np.testing.assert_allclose(last["eval/loss"], last["eval/mlm"] + 50 * last["eval/rtd"], rtol=1e-6)
    prepared = reopen(experiment, folder)
    score = scorer(prepared.model, prepared.dataset, Devices(experiment.parallel), experiment.run.seed)
    scores = score(params, EVALUATED, experiment.run.eval_rows)
    for name, value in scores.items():  # precision is NaN where nothing was said to be replaced
        np.testing.assert_equal(float(last[f"eval/{name}"]), value, err_msg=name)


def test_fine_tuning_begins_with_what_the_discriminator_reads(folder, tmp_path):
    """init_from: its trunk with the sum of the two tables."""
    pretrained, params = checkpoint.load(folder)
    handed = pretrained.objective.reusable(params)["trunk"]
    tuned = derive(
        experiments.resolve("quickstart_package", tiny=True), data={"length": 32}, init_from=str(folder),
        optimizer={"peak_lr": 1e-12, "warmup": 0, "weight_decay": 0.0}, run={"steps": 1, "eval_every": 1},
    )  # fmt: skip
    train(dataclasses.replace(tuned, parallel=Parallel("jit", 1)), tmp_path / "tuned", quiet=True)
    _, after = checkpoint.load(tmp_path / "tuned", "newest")
    assert set(after) == {"trunk", "head"}
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-9), after["trunk"], dict(handed))
    assert np.abs(params["trunk"]["tokens"]["embedding"]).max() > 1e-4


def test_exported_are_the_discriminators_trunk_and_program(folder, tmp_path):
    found, _ = export_run(str(folder), str(tmp_path / "published"), "safetensors")
    assert found["architecture"] == "DebertaV2Model"
    found, _ = export_run(str(folder), str(tmp_path / "program"), "stablehlo")
    assert found["signature"]["outputs"][0]["shape"] == ["batch", "length"]


def test_both_models_are_counted():
    listed = {entry["name"]: entry["parameters"] for entry in about.list_experiments()[0]}
    full = experiments.resolve("electra_small")
    tree = shapes(full.objective.build(full.model))
    assert set(tree) == {"generator", "trunk", "head"}
    assert listed["electra_small"] == trees.count(tree)

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""What the compiler is given and what it makes of it: no second copy of the state, no program that grows with depth."""

import dataclasses

import jax
import pytest

from seqjax import experiment as experiments
from seqjax.training.ahead import program, standing_in
from seqjax.training.parallel import Devices, Parallel

LAYOUTS = [Parallel("jit", 8), Parallel("mesh", 8, fsdp=4, tensor=2), Parallel("pmap", 8)]


@pytest.mark.parametrize("parallel", LAYOUTS, ids=lambda parallel: parallel.backend)
def test_an_update_has_no_second_copy_of_the_state(parallel):
    """The new state takes the place of the old one: as many bytes as a device's share of it are shared by both."""
    experiment = experiments.resolve("quickstart_clm", ["optimizer.ema=0.9", "model.vocab_size=264"], tiny=True)
    devices = Devices(parallel)
    update, inputs = program(standing_in(experiment), devices)
    plan = update.lower(*inputs).compile().memory_analysis()
    state = sum(x.dtype.itemsize * share(x) for x in jax.tree.leaves(inputs[0]))
    assert plan.alias_size_in_bytes == state
    assert plan.output_size_in_bytes - state < 4096  # the metrics


def share(x):
    size = 1
    for axis in x.sharding.shard_shape(x.shape):
        size *= axis
    return size


@pytest.mark.parametrize("parallel", LAYOUTS, ids=lambda parallel: parallel.backend)
def test_nothing_is_computed_back_through_what_is_frozen(parallel):
    """A linear probe has the products of the trunk's way forth, a third of those of training it."""

    def products(*changes):
        changes = ["model.vocab_size=264", "model.layers=8", "optimizer.name=adamw", *changes]
        experiment = experiments.resolve("quickstart_clm", changes, tiny=True)
        update, inputs = program(standing_in(experiment), Devices(parallel))
        return update.lower(*inputs).as_text().count("stablehlo.dot_general")

    assert products("optimizer.freeze=^trunk/") < 0.4 * products()


@pytest.mark.parametrize("name", ["gpt2_small", pytest.param("t5_small", marks=pytest.mark.exhaustive)])
def test_a_scanned_program_is_as_long_for_48_layers_as_for_12(name):
    experiment = experiments.resolve(name, ["model.vocab_size=512"], tiny=True)
    both = {"decoder_layers"} if experiment.model.decoder_layers else set()

    def length(layers, scan=True):
        changes = dict.fromkeys({"layers"} | both, layers)
        model = dataclasses.replace(experiment.model, scan=scan, **changes)
        update, inputs = program(standing_in(dataclasses.replace(experiment, model=model)), Devices(Parallel("jit", 1)))
        return len(update.lower(*inputs).as_text())

    assert length(48) / length(12) <= 1.01
    assert length(4, scan=False) / length(2, scan=False) > 1.3  # where each layer is written out

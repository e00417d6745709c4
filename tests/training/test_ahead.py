# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""An update compiled for chips that are not here. What compiles runs where libtpu is: requirements-tpu.txt."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from seqjax import experiment as experiments
from seqjax import trees
from seqjax.errors import UserError
from seqjax.models.model import shapes
from seqjax.training.ahead import compiled_for, program, standing_in, state_shapes, widest
from seqjax.training.parallel import Devices, Parallel
from seqjax.training.prepare import prepare

ROOT = Path(__file__).parents[2]
PRETRAINING = [
    "gpt2_small", "bert_base", "roberta_base", "t5_small", "t5_base_v1_1", "electra_small", "deberta_base",
    "deberta_v3_small", "transformer_base", "char_gpt_shakespeare_full",
]  # fmt: skip
needs_libtpu = pytest.mark.skipif(not importlib.util.find_spec("libtpu"), reason="pip install -r requirements-tpu.txt")


def launch(*arguments, command="compile"):
    """In a process of its own, as a user does: libtpu and jax are set up once in a process."""
    environment = {name: value for name, value in os.environ.items() if name not in ("XLA_FLAGS", "NPROC")}
    words = [sys.executable, "launch.py", command, *arguments, "--json"]
    ended = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    return ended.returncode, json.loads(ended.stdout.splitlines()[-1]), ended.stderr


@needs_libtpu
def test_gpt2_fits_without_recomputing_all():
    """Eight rows of 1,024 places on a chip: temporaries of at most 4 GiB, where those of the plain update are 16."""
    size = ["data.batch=32", "objective.chunk=8192"]
    status, found, progress = launch("gpt2_small", "--topology", "v5e:2x2", *size)
    assert status == 0, progress
    assert "attention of 1024 queries to 1024 keys on tpu: splash" in progress
    assert found["parameters"] == 124_439_808
    assert found["memory"]["temporaries"] < 4 * 2**30


@needs_libtpu
@pytest.mark.parametrize(
    ("name", "settings", "kinds"),
    [
        ("quickstart_mlm", [], {"all-reduce"}),
        ("quickstart_mlm", ["parallel=pmap"], {"all-reduce"}),
        ("quickstart_clm", ["parallel=mesh", "parallel.fsdp=4"], {"all-gather"}),
    ],
)
def test_an_update_compiles_without_a_tpu(name, settings, kinds):
    # As wide as a chip's vectors are when divided by 4: narrower arrays are padded to that in its memory.
    size = ["model.vocab_size=512", "model.width=512", "model.heads=4", "model.mlp_width=512"]
    status, found, progress = launch(name, "--tiny", "--topology", "v5e:2x2", *size, *settings)
    assert status == 0, progress
    assert found["fits"]
    assert "compiling for 4 devices" in progress
    assert kinds <= set(found["collectives"])
    assert 0 < found["mfu_bound"] < 1
    model = experiments.resolve(name, size, tiny=True)
    assert found["parameters"] == trees.count(shapes(model.objective.build(model.model)))
    state = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(state_shapes(standing_in(model))))
    share = found["memory"]["arguments"] / state
    assert (0.25 < share < 0.3) if "parallel=mesh" in settings else (1.0 < share < 1.1), share


@needs_libtpu
def test_what_does_not_fit_is_said_in_one_line():
    large = ["model.width=8192", "model.mlp_width=32768", "model.layers=8", "model.heads=64", "data.batch=64"]
    status, found, _ = launch("quickstart_clm", "--tiny", "--topology", "v5e:2x2", "model.vocab_size=512", *large)
    assert status == 2
    assert "does not fit v5e:2x2: it needs" in found["error"]
    assert "parallel.fsdp=2" in found["error"]


def test_without_libtpu_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "libtpu", None)
    with pytest.raises(UserError, match=r"pip install -r requirements-tpu\.txt"):
        compiled_for(experiments.resolve("gpt2_small"), "v5e:4x4")


def test_memory_is_estimated_without_libtpu():
    """From above; the state is divided among the chips."""
    settings = ["quickstart_clm", "--tiny", "model.vocab_size=512", "parallel=mesh", "parallel.fsdp=4"]
    status, found, _ = launch(*settings, "--topology", "v5e:2x2", command="check")
    assert status == 0 and found["fits"] == "yes"
    state = state_shapes(standing_in(experiments.resolve("quickstart_clm", settings[2:3], tiny=True)))
    whole = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(state))
    assert 0.25 < found["memory_at_most"]["state"] / whole < 0.3
    status, found, _ = launch(
        "gpt2_small", "data.batch=512", "model.layers=1", "--topology", "v5e:2x2", command="check"
    )
    assert status == 0 and found["fits"].startswith("perhaps")
    assert found["memory_at_most"]["total"] > found["memory_at_most"]["hbm"]
    assert "parallel=mesh parallel.fsdp=2" in found["fits"]


@pytest.mark.parametrize("topology", ["v5e", "h100:8", "v5e:4by4"])
def test_a_topology_that_is_none(topology):
    with pytest.raises(UserError, match="write a generation"):
        compiled_for(experiments.resolve("gpt2_small"), topology)


@pytest.mark.parametrize("name", PRETRAINING)
def test_stand_ins_have_the_shapes_of_the_real_batches(name):
    """Of the tiny version, whose real data are at hand; and of the full one, the batch and length it names."""
    tiny = experiments.resolve(name, tiny=True)
    prepared = prepare(tiny)
    made = standing_in(prepared.experiment)
    if tiny.data.layout != "bucket":  # whose real rows may all be short
        assert widest(made.dataset) == widest(prepared.dataset)
    assert jax.tree.map(lambda x: x.shape, shapes(made.model)) == jax.tree.map(
        lambda x: x.shape, shapes(prepared.model)
    )
    full = experiments.resolve(name)
    made = standing_in(full)
    read = made.dataset.objective.read(widest(made.dataset))
    assert read == (full.data.rows_of(full.data.length), full.data.length)
    assert trees.count(state_shapes(made).params) == trees.count(shapes(full.objective.build(full.model)))


def test_fine_tuning_has_nothing_to_stand_in():
    with pytest.raises(UserError, match="takes its model or its classes from elsewhere"):
        standing_in(experiments.resolve("quickstart_package"))


@pytest.mark.parametrize("parallel", [Parallel("jit", 8), Parallel("mesh", 8, fsdp=4), Parallel("pmap", 8)])
def test_the_program_is_that_of_any_backend(parallel):
    update, inputs = program(standing_in(experiments.resolve("quickstart_mlm", tiny=True)), Devices(parallel))
    assert "main" in update.lower(*inputs).as_text()

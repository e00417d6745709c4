# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""However a mesh divides the work, the loss and the gradients are those of one device, dropout and all."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax import experiment as experiments
from seqjax import rng, trees
from seqjax.errors import UserError
from seqjax.models import kernels
from seqjax.models.deberta import DebertaConfig
from seqjax.models.model import build, initialise, shapes
from seqjax.models.rnn import RNNConfig
from seqjax.models.seq2seq import Seq2SeqConfig
from seqjax.models.transformer_config import TransformerConfig
from seqjax.objectives.clm import CLM
from seqjax.objectives.pairs import PairedMLM
from seqjax.objectives.rtd import RTD
from seqjax.objectives.span_corruption import SpanCorruption
from seqjax.training import checkpoint, optimizers
from seqjax.training.layout import bytes_by_group
from seqjax.training.optimizers import Optimizer
from seqjax.training.parallel import Devices, Parallel
from seqjax.training.prepare import prepare
from seqjax.training.run import begin, one_update, train
from seqjax.training.step import gradients, initial_state
from tests.training.settings import experiment, measured, text

SMALL = {"vocab_size": 400, "width": 32, "heads": 4, "mlp_width": 64, "dropout": 0.1}
ONE, TWO = SMALL | {"layers": 1}, SMALL | {"layers": 2}
GPT = TransformerConfig(**TWO, max_length=32, scan=True)
LLAMA = TransformerConfig(
    **ONE, positions="rotary", norm_type="rms", use_bias=False, gated=True, tied=False, head_width=16
)
BERT = TransformerConfig(
    **ONE, max_length=32, causal=False, norm="post", token_types=2, embed_norm=True, embed_width=16,
    head_transform=True, head_bias=True,
)  # fmt: skip
T5 = TransformerConfig(
    **ONE, decoder_layers=2, positions="relative", norm_type="rms", use_bias=False, scale_scores=False, scan=True
)
DEBERTA = DebertaConfig(
    **ONE, max_length=32, relative_buckets=8, relative_norm=True, share_position_keys=True, key_bias=True, conv_width=3
)
V1 = DebertaConfig(**TWO, max_length=32, mask_decoder_layers=2)
LSTM = RNNConfig(vocab_size=400, width=32, layers=1, dropout=0.1, bidirectional=False, layer_norm=True, peephole=True)
ATTENTIVE = Seq2SeqConfig(vocab_size=400, width=32, dropout=0.1)
FAMILIES = {
    "gpt": (GPT, CLM()), "llama, chunks": (LLAMA, CLM(chunk=64)), "bert": (BERT, PairedMLM()),
    "t5": (T5, SpanCorruption()), "deberta": (DEBERTA, RTD(generator_width=1.0, sharing="disentangled")),
    "deberta v1": (V1, PairedMLM()), "lstm": (LSTM, CLM()), "seq2seq": (ATTENTIVE, SpanCorruption()),
}  # fmt: skip
LAYOUTS = {
    "data 8": {}, "fsdp 8": {"fsdp": 8}, "data 2 x tensor 4": {"tensor": 4},
    "data 2 x fsdp 2 x tensor 2": {"fsdp": 2, "tensor": 2}, "data 2 x sequence 4": {"sequence": 4},
}  # fmt: skip


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    return text(tmp_path_factory.mktemp("text"))


@functools.cache
def setting(spec, family, dropout=0.1, kernel="auto"):
    """Model, parameters, batch, and what one device makes of them."""
    model, objective = FAMILIES[family]
    model = dataclasses.replace(model, dropout=dropout, **({"attention_kernel": kernel} if kernel != "auto" else {}))
    if hasattr(objective, "dropout"):
        objective = dataclasses.replace(objective, dropout=dropout)
    config = experiment(spec)
    data = dataclasses.replace(config.data, layout=next(name for name in objective.layouts if name != "strips"))
    prepared = prepare(dataclasses.replace(config, model=model, objective=objective, data=data))
    params = initialise(prepared.model, rng.key(0, "params"))
    batch = next(prepared.dataset.train(0))
    one = Devices(Parallel(devices=1))
    function = functools.partial(gradients, apply=prepared.model.apply, objective=prepared.dataset.objective)
    wanted = jax.device_get(one.spread(function)(one.replicate(params), one.put(batch), jax.random.key(2))[:2])
    return function, params, batch, wanted


# The rest, for each family, is `-m exhaustive`: rows alone are divided as by jit, and some differ in details only.
SELDOM = {(family, "data 8") for family in FAMILIES if family not in ("gpt", "lstm")}
SELDOM |= {(family, "fsdp 8") for family in ("llama, chunks", "deberta v1")}
CASES = [
    pytest.param(family, layout, marks=[pytest.mark.exhaustive] * ((family, layout) in SELDOM))
    for family in FAMILIES
    for layout in LAYOUTS
]
LAYOUTS["fsdp 2 x tensor 2 x sequence 2"] = {"fsdp": 2, "tensor": 2, "sequence": 2}
CASES.append(pytest.param("gpt", "fsdp 2 x tensor 2 x sequence 2"))


@pytest.mark.parametrize(("family", "layout"), CASES)
def test_a_mesh_changes_nothing(spec, family, layout):
    function, params, batch, (wanted, terms) = setting(spec, family)
    places = Devices(Parallel("mesh", 8, **LAYOUTS[layout]))
    places.cover(params)
    laid = places.create(lambda params: params, params)
    grads, pairs, _ = places.spread(function)(laid, places.put(batch), jax.random.key(2))
    where = jax.tree.map(lambda x, wanted: x.sharding.is_equivalent_to(wanted, x.ndim), grads, places.shardings(params))
    assert all(jax.tree.leaves(where))
    for name, (value, weight) in jax.device_get(pairs).items():
        np.testing.assert_allclose(value, terms[name][0], rtol=1e-5, err_msg=name)
        np.testing.assert_allclose(weight, terms[name][1], rtol=1e-6, err_msg=name)
    for path, found in trees.flatten(jax.device_get(grads)).items():
        np.testing.assert_allclose(found, trees.flatten(wanted)[path], atol=1e-5, err_msg=path)


@pytest.mark.parametrize("family", ["gpt", "t5", "deberta v1"])
def test_parts_of_rows_are_read_by_chunks(spec, family, monkeypatch):
    """Eight places of each device's part, four at a time, beside plain attention on one device."""
    params, batch, (wanted, _) = setting(spec, family, dropout=0.0)[1:]
    monkeypatch.setattr(kernels, "chunked", functools.partial(kernels.chunked, size=4))
    function = setting(spec, family, 0.0, "chunked")[0]
    places = Devices(Parallel("mesh", 8, sequence=4))
    laid = places.create(lambda params: params, params)
    grads = jax.device_get(places.spread(function)(laid, places.put(batch), jax.random.key(2))[0])
    for path, found in trees.flatten(grads).items():
        np.testing.assert_allclose(found, trees.flatten(wanted)[path], atol=1e-5, err_msg=path)


@pytest.mark.parametrize("family", ["bert", "t5", "deberta v1", "seq2seq"])
def test_pmap_changes_nothing(spec, family):
    """Where nothing is drawn, for each device draws its own; of other families see `tests/training/test_step.py`."""
    function, params, batch, (wanted, terms) = setting(spec, family, dropout=0.0)
    places = Devices(Parallel("pmap", 8))
    grads, pairs, _ = places.spread(function)(places.replicate(params), places.put(batch), jax.random.key(2))
    for name, (value, weight) in jax.device_get(pairs).items():
        np.testing.assert_allclose(value / weight, terms[name][0] / terms[name][1], rtol=1e-5, err_msg=name)
    for path, found in trees.flatten(jax.device_get(grads)).items():
        np.testing.assert_allclose(found, trees.flatten(wanted)[path], atol=1e-5, err_msg=path)


@pytest.mark.parametrize(
    ("family", "layout"),
    [
        ("gpt", "fsdp 8"),
        ("bert", "fsdp 8"),
        ("lstm", "fsdp 8"),
        ("gpt", "data 2 x sequence 4"),
        ("gpt", "data 2 x tensor 4"),
    ],
)
def test_no_device_ever_holds_a_whole_activation(spec, family, layout):
    """Of [B, L, D], [B, L, F] or [B, L, V] in the compiled program; the batch is 8 rows of 32 places."""
    function, params, batch, _ = setting(spec, family)
    places = Devices(Parallel("mesh", 8, **LAYOUTS[layout]))
    call = places.spread(function)
    text = call.lower(places.shaped(params), places.put_shapes(batch), jax.random.key(2)).compile().as_text()
    for width in (32, 64, 400):
        assert f"f32[8,32,{width}]" not in text
        assert f"f32[256,{width}]" not in text


@pytest.mark.parametrize("name", ["adamw", "adafactor", "muon", "schedule_free"])
def test_what_an_optimizer_keeps_lies_as_its_parameters_do(name):
    """AdamW's two moments take twice the bytes of the parameters' share; nothing else is larger than theirs."""
    schedule = "constant" if name == "schedule_free" else "linear"
    optimizer = Optimizer(name=name, schedule=schedule, freeze=("^trunk/position/",))
    model = dataclasses.replace(GPT, width=256, mlp_width=512)
    params = shapes(build(model))
    places = Devices(Parallel("mesh", 8, fsdp=4, tensor=2))
    state = jax.eval_shape(
        lambda: initial_state(
            jax.tree.map(lambda x: jnp.zeros(x.shape), params), optimizers.build(optimizer, params, 9)
        )
    )
    found = bytes_by_group(params, state.opt_state, places.sizes, divide=True)
    whole = bytes_by_group(params, state.opt_state, places.sizes, divide=False)
    for group in ("embedding", "attention", "mlp"):
        assert found[group]["total"] == whole[group]["per_device"]
        assert 0.98 < found[group]["of_ideal"] <= 1.0, group
        assert whole[group]["of_ideal"] == 1 / 8
    assert found["norm"]["of_ideal"] == 1 / 8
    if name in ("adamw", "schedule_free"):
        assert found["moments"]["of_ideal"] > 0.95


def test_a_device_holds_its_share_of_the_state(spec):
    """Of the arrays themselves: bytes of each device's own shards, after an update too."""
    config = dataclasses.replace(experiment(spec), parallel=Parallel("mesh", 8, fsdp=8))
    prepared = prepare(dataclasses.replace(config, model=dataclasses.replace(GPT, mlp_width=128)))
    places, optimizer = Devices(config.parallel), optimizers.build(config.optimizer, shapes(prepared.model), 12)
    state = places.create(lambda: begin(prepared, optimizer, initialise(prepared.model, jax.random.key(0)), 8))
    after, _ = places.spread(one_update(prepared, optimizer), donate=True)(
        state, places.put(next(prepared.dataset.train(0))), jax.random.key(0)
    )
    groups = bytes_by_group(after.params, after.opt_state, places.sizes, divide=True)
    for device in places.devices:
        held = sum(
            shard.data.nbytes
            for leaf in jax.tree.leaves((after.params, after.opt_state))
            for shard in leaf.addressable_shards
            if shard.device == device
        )
        assert held == sum(group["per_device"] for group in groups.values())
    assert held < 0.16 * sum(group["total"] for group in groups.values())
    assert all(x.is_deleted() for x in jax.tree.leaves(state.opt_state)), "the old state's memory was not reused"


def test_checkpoints_restore_on_any_layout(spec, tmp_path):
    """A mesh of 8, then one of 4, then one device by jit; SGD, for Adam amplifies rounding."""
    config = dataclasses.replace(
        experiment(spec), optimizer=Optimizer(name="sgd", b1=0.9, peak_lr=0.1, schedule="constant", ema=0.9),
        model=dataclasses.replace(GPT, dropout=0.0), parallel=Parallel("mesh", 8, fsdp=4),
    )  # fmt: skip
    train(dataclasses.replace(config, parallel=Parallel("jit", 1)), tmp_path / "whole", quiet=True)
    for parallel, until in (
        (config.parallel, 4), (Parallel("mesh", 4, fsdp=2, tensor=2), 8), (Parallel("jit", 1), 10),
        (Parallel("mesh", 8, tensor=4), None),
    ):  # fmt: skip
        train(dataclasses.replace(config, parallel=parallel), tmp_path / "broken", quiet=True, until=until)
    pairs = list(zip(measured(tmp_path / "broken"), measured(tmp_path / "whole"), strict=True))
    assert len(pairs) > 12
    for a, b in pairs:
        np.testing.assert_allclose([a[name] for name in a], [b[name] for name in a], rtol=1e-5)
    left, right = (trees.flatten(checkpoint.load(tmp_path / name, "newest")[1]) for name in ("broken", "whole"))
    for path, values in left.items():
        np.testing.assert_allclose(values, right[path], atol=1e-5, err_msg=path)


@pytest.mark.parametrize(
    ("parallel", "message"),
    [
        ({"fsdp": 3}, "mesh of data x 3 x 1 x 1 does not fill 8 devices"),
        ({"data": 2, "fsdp": 2}, "does not fill 8 devices"),
        ({"fsdp": 8, "sequence": 2}, "does not fill 8 devices"),
    ],
)
def test_axes_fill_the_devices(parallel, message):
    with pytest.raises(UserError, match=message):
        Devices(Parallel("mesh", 8, **parallel))


def test_a_run_is_scored_on_whatever_is_there():
    for parallel in (Parallel("mesh", fsdp=4), Parallel("mesh", data=2, fsdp=4), Parallel("jit", 8), Parallel("pmap")):
        assert parallel.here(8) == parallel
        Devices(parallel.here(8))
    for parallel in (Parallel("mesh", fsdp=4), Parallel("mesh", data=2), Parallel("mesh", 8), Parallel("pmap", 4)):
        assert parallel.here(1) == Parallel()


def test_micro_batches_on_a_mesh_are_whole_batches_on_one_device(spec, tmp_path):
    """SGD, for Adam amplifies rounding."""
    config = experiment(spec, steps=4)
    model = dataclasses.replace(config.model, vocab_size=264, dropout=0.0)
    sgd = Optimizer(name="sgd", b1=0.0, peak_lr=0.1, schedule="constant")
    config = dataclasses.replace(config, model=model, optimizer=sgd)
    train(config, tmp_path / "one", quiet=True)
    run = dataclasses.replace(config.run, accumulate=2)
    mesh = dataclasses.replace(config, run=run, parallel=Parallel("mesh", 8, fsdp=2, tensor=2))
    train(mesh, tmp_path / "mesh", quiet=True)
    for one, many in zip(measured(tmp_path / "one"), measured(tmp_path / "mesh"), strict=True):
        np.testing.assert_allclose([many[name] for name in one], list(one.values()), rtol=1e-5)


def test_axes_need_a_mesh():
    with pytest.raises(UserError, match="set parallel=mesh"):
        Parallel("jit", fsdp=2)


@pytest.mark.parametrize(
    ("changes", "axes", "message"),
    [
        ({"vocab_size": 401}, {"tensor": 4}, r"axis of 401, which parallel.tensor=4 does not divide; set model.vocab"),
        ({"width": 36}, {"fsdp": 8}, "axis of 36, which parallel.fsdp=8 does not divide"),
    ],
)
def test_a_parameter_that_does_not_divide_is_an_error(changes, axes, message):
    with pytest.raises(UserError, match=message):
        Devices(Parallel("mesh", 8, **axes)).cover(shapes(build(dataclasses.replace(GPT, **changes))))


def test_an_uncovered_parameter_is_an_error():
    with pytest.raises(UserError, match=r"no rule of seqjax\.training\.layout covers parameter 'trunk/gadget/weight'"):
        Devices(Parallel("mesh", 8)).cover({"trunk": {"gadget": {"weight": jnp.zeros(8)}}})


def test_activations_that_do_not_divide_are_an_error():
    places = Devices(Parallel("mesh", 8, tensor=8))
    model = build(dataclasses.replace(GPT, kv_heads=2, head_width=8, scan=False))
    call = places.spread(lambda params, batch, key: model.apply({"params": params}, batch["tokens"])[0])
    with pytest.raises(UserError, match=r"4 heads do not divide among parallel.tensor=8"):
        call(initialise(model, jax.random.key(0)), places.put({"tokens": np.ones((8, 8), np.int32)}), None)


@pytest.mark.parametrize("name", experiments.names())
def test_the_table_covers_every_experiment(name):
    experiment = experiments.resolve(name, tiny=True)
    model = dataclasses.replace(experiment.model, vocab_size=300)
    objective = experiment.objective
    if getattr(objective, "labels", None) == ():
        objective = objective.with_labels(("O", "B-x"))
    Devices(Parallel("mesh", 1)).cover(shapes(objective.build(model)))

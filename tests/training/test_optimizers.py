# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The settings against optax's own optimisers, and each table of rules against arithmetic."""

import dataclasses
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import pytest

from seqjax import trees
from seqjax.errors import UserError
from seqjax.models import families
from seqjax.models.model import build as build_model
from seqjax.models.model import initialise
from seqjax.models.seq2seq import Seq2SeqConfig
from seqjax.training.optimizers import Optimizer, build, learning_rate

RNG = np.random.default_rng(0)
PARAMS = {
    "trunk": {
        "tokens": {"embedding": RNG.normal(size=(7, 4))},
        "layer_0": {"mlp": {"kernel": RNG.normal(size=(4, 6)), "bias": RNG.normal(size=6)}},
        "layer_1": {"mlp": {"kernel": RNG.normal(size=(6, 4)), "bias": RNG.normal(size=4)}},
    },
    "head": {"output": {"kernel": RNG.normal(size=(4, 3))}},
}
PARAMS = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), PARAMS)
GRADS = [jax.tree.map(lambda x: jnp.asarray(RNG.normal(size=x.shape), jnp.float32), PARAMS) for _ in range(3)]
PLAIN = Optimizer(schedule="constant", peak_lr=0.1, clip=0.0, b2=0.9, weight_decay=0.0)


def run(optimizer, params=PARAMS):
    state = optimizer.init(params)
    for grads in GRADS:
        updates, state = optimizer.update(grads, state, params)
        params = optax.apply_updates(params, updates)
    return trees.flatten(params)


def same(ours, theirs):
    for path in ours:
        np.testing.assert_allclose(ours[path], theirs[path], rtol=1e-6, atol=1e-6, err_msg=path)


@pytest.mark.parametrize(
    ("settings", "reference"),
    [
        ({"name": "adam"}, optax.adam(0.1, b2=0.9)),
        ({"name": "sgd"}, optax.sgd(0.1, momentum=0.9)),
        ({"name": "sgd", "b1": 0.0}, optax.sgd(0.1)),
        ({"name": "sgd", "clip": 0.5}, optax.chain(optax.clip_by_global_norm(0.5), optax.sgd(0.1, momentum=0.9))),
        (
            {"name": "adamw", "weight_decay": 0.3, "decay": ((".*", 1.0),)},
            optax.adamw(0.1, b2=0.9, weight_decay=0.3),
        ),
        (
            {"name": "adamw", "weight_decay": 0.3},
            optax.adamw(
                0.1, b2=0.9, weight_decay=0.3,
                mask=trees.unflatten({p: not p.endswith("bias") for p in trees.flatten(PARAMS)}),
            ),
        ),
        (
            {"name": "adafactor"},
            optax.adafactor(0.1, multiply_by_parameter_scale=False, momentum=None, weight_decay_rate=None),
        ),
        ({"name": "adafactor", "relative": True}, optax.adafactor(0.1)),
        (
            {"name": "lamb", "weight_decay": 0.3, "decay": ((".*", 1.0),), "epsilon": 1e-6},
            optax.lamb(0.1, b2=0.9, weight_decay=0.3),
        ),
    ],
    ids=["adam", "momentum", "sgd", "clip", "adamw", "adamw-mask", "adafactor", "adafactor-relative", "lamb"],
)  # fmt: skip
def test_a_rule_is_optax_own(settings, reference):
    same(run(build(dataclasses.replace(PLAIN, **settings), PARAMS, 10)), run(reference))


@pytest.mark.parametrize(
    ("settings", "reference"),
    [
        ({"name": "adam"}, optax.adam(0.1, b2=0.9, mu_dtype=jnp.bfloat16)),
        ({"name": "sgd"}, optax.sgd(0.1, momentum=0.9, accumulator_dtype=jnp.bfloat16)),
        (
            {"name": "lamb", "weight_decay": 0.3, "decay": ((".*", 1.0),), "epsilon": 1e-6},
            optax.chain(
                optax.scale_by_adam(0.9, 0.9, 1e-6, mu_dtype=jnp.bfloat16), optax.add_decayed_weights(0.3),
                optax.scale_by_trust_ratio(), optax.scale(-0.1),
            ),
        ),
        ({"name": "muon"}, None),  # two rules, each of which has the setting
    ],
    ids=lambda value: value["name"] if isinstance(value, dict) else "",
)  # fmt: skip
def test_means_of_gradients_in_half_the_bytes(settings, reference):
    """They alone: the mean of squares, which moves by less than such a number's last bit, keeps its own."""
    half = dataclasses.replace(PLAIN, **settings, moments="bfloat16")
    whole = dataclasses.replace(half, moments="float32")
    if reference is not None:
        same(run(build(half, PARAMS, 10)), run(reference))
    arrays = zip(*(jax.tree.leaves_with_path(build(c, PARAMS, 10).init(PARAMS)) for c in (half, whole)), strict=True)
    smaller = {jax.tree_util.keystr(path) for (path, x), (_, y) in arrays if 2 * x.nbytes == y.nbytes}
    assert len(smaller) == len(jax.tree.leaves(PARAMS))
    assert not any(".nu" in path for path in smaller)


def test_rules_without_a_mean_of_gradients_have_none_to_halve():
    for settings in ({"name": "adafactor"}, {"name": "sgd", "b1": 0.0}, {"name": "schedule_free"}):
        with pytest.raises(UserError, match=r"is for rules that keep a mean of gradients: adamw, adam"):
            dataclasses.replace(PLAIN, **settings, moments="bfloat16")


def test_muon_is_optax_own_within_layers_and_adam_elsewhere():
    """In optax's own combination Adam takes Nesterov's momentum too, so each half is compared with its reference."""
    chosen = {
        path: optax.contrib.MuonDimensionNumbers() if "layer_" in path and path.endswith("kernel") else None
        for path in trees.flatten(PARAMS)
    }
    muon = optax.contrib.muon(
        0.1, consistent_rms=0.2, weight_decay=0.3, muon_weight_dimension_numbers=trees.unflatten(chosen)
    )
    ours = run(build(dataclasses.replace(PLAIN, name="muon", weight_decay=0.3, decay=((".*", 1.0),)), PARAMS, 10))
    muon, adamw = run(muon), run(optax.adamw(0.1, b2=0.9, weight_decay=0.3))
    same(ours, {path: (adamw if dimensions is None else muon)[path] for path, dimensions in chosen.items()})


def test_muon_treats_stacked_layers_one_by_one():
    looped = {"trunk": {f"layer_{i}": {"kernel": jnp.asarray(RNG.normal(size=(4, 5)), jnp.float32)} for i in range(3)}}
    grads = jax.tree.map(lambda x: jnp.cos(3 * x), looped)
    optimizer = build(dataclasses.replace(PLAIN, name="muon"), looped, 10)
    updates, _ = optimizer.update(grads, optimizer.init(looped), looped)
    stacked = trees.stack_layers(looped)
    optimizer = build(dataclasses.replace(PLAIN, name="muon"), stacked, 10)
    other, _ = optimizer.update(trees.stack_layers(grads), optimizer.init(stacked), stacked)
    same(trees.flatten(updates), trees.flatten(trees.unstack_layers(other)))


def test_frozen_parameters_stay_to_the_bit():
    for name in ("adamw", "muon", "adafactor"):
        config = dataclasses.replace(PLAIN, name=name, weight_decay=0.1, freeze=("layer_0", "tokens"))
        after = run(build(config, PARAMS, 10))
        for path, before in trees.flatten(PARAMS).items():
            frozen = "layer_0" in path or "tokens" in path
            assert np.array_equal(before, after[path]) == frozen, (name, path)


def test_frozen_gradients_have_no_part_in_clipping():
    config = dataclasses.replace(PLAIN, name="sgd", clip=0.1, freeze=("trunk",))
    after = run(build(config, PARAMS, 10))
    head = {"head": PARAMS["head"]}
    alone = optax.chain(optax.clip_by_global_norm(0.1), optax.sgd(0.1, momentum=0.9))
    state, params = alone.init(head), head
    for grads in GRADS:
        updates, state = alone.update({"head": grads["head"]}, state)
        params = optax.apply_updates(params, updates)
    np.testing.assert_allclose(after["head/output/kernel"], params["head"]["output"]["kernel"], rtol=1e-6)


def test_layer_decay_by_hand():
    config = dataclasses.replace(PLAIN, name="sgd", b1=0.0, layer_decay=0.5)
    plain, decayed = (
        run(build(dataclasses.replace(config, layer_decay=1.0), PARAMS, 10)),
        run(build(config, PARAMS, 10)),
    )
    expected = {"head": 1.0, "layer_1": 0.5, "layer_0": 0.25, "tokens": 0.125}
    for path, before in trees.flatten(PARAMS).items():
        factor = next(value for part, value in expected.items() if part in path)
        np.testing.assert_allclose(decayed[path] - before, factor * (plain[path] - before), rtol=1e-4, atol=1e-6)
    stacked = trees.stack_layers({"trunk": {f"layer_{i}": {"kernel": jnp.ones((2, 2))} for i in range(3)}})
    assert trees.layer_depths(stacked)["trunk"]["layers"]["kernel"][:, 0, 0].tolist() == [3, 2, 1]


ENCODER_DECODERS = {
    "t5": families.t5(vocab_size=40, layers=3, decoder_layers=2, width=8, heads=2, head_width=4, mlp_width=8),
    "scan": families.t5(vocab_size=40, layers=3, decoder_layers=2, width=8, heads=2, head_width=4, mlp_width=8, scan=True),
    "post": families.transformer(vocab_size=40, layers=3, decoder_layers=2, width=8, heads=2, mlp_width=8),
    "seq2seq": Seq2SeqConfig(vocab_size=40, layers=3, decoder_layers=2, width=8, attention="general"),
}  # fmt: skip


@pytest.mark.parametrize("name", ENCODER_DECODERS)
def test_encoder_and_decoder_have_each_a_top_of_its_own(name):
    params = initialise(build_model(ENCODER_DECODERS[name]), jax.random.key(0))
    depths = trees.flatten(trees.layer_depths(params))
    numbered = {path: depth for path, depth in depths.items() if re.search(r"(layer|encoder)_\d/", path)}
    for path, depth in numbered.items():
        layers = 2 if path.startswith("trunk/decoder/") else 3
        assert depth == layers - int(re.search(r"(?:layer|encoder)_(\d)/", path)[1]), path
    for stack, wanted in (("encoder", [3, 2, 1]), ("decoder", [2, 1])):
        stacked = [depth for path, depth in depths.items() if path.startswith(f"trunk/{stack}/layers/")]
        assert all(depth.reshape(-1).tolist() == wanted for depth in stacked) and bool(stacked) == (name == "scan")
    assert {int(depth) for path, depth in depths.items() if "final_norm" in path} <= {0}
    assert depths["trunk/tokens/embedding"] == 4
    # Something trains from the first update on, also where neither a head nor a last norm is above the layers.
    optimizer = build(dataclasses.replace(PLAIN, name="sgd", b1=0.0, unfreeze=100, layer_decay=0.5), params, 10)
    updates, _ = optimizer.update(jax.tree.map(jnp.ones_like, params), optimizer.init(params), params)
    moved = {path for path, update in trees.flatten(updates).items() if np.any(update)}
    top = min(int(np.min(depth)) for depth in depths.values())
    assert moved == {path for path, depth in depths.items() if np.min(depth) == top}


def test_rates_by_hand():
    config = dataclasses.replace(PLAIN, name="sgd", b1=0.0)
    rates = (("^head/", 10.0), ("bias$", 0.5), (".*", 1.0))
    plain, other = run(build(config, PARAMS, 10)), run(build(dataclasses.replace(config, rates=rates), PARAMS, 10))
    for path, before in trees.flatten(PARAMS).items():
        factor = 10.0 if path.startswith("head/") else 0.5 if path.endswith("bias") else 1.0
        np.testing.assert_allclose(other[path] - before, factor * (plain[path] - before), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("stacked", [False, True])
def test_gradual_unfreezing_is_one_layer_at_a_time(stacked):
    """The head at once, the last layer after 2 updates, the first after 4, embeddings after 6; with decay too."""
    layers = {f"layer_{i}": {"mlp": {"kernel": jnp.ones((4, 4)) * (i + 1)}} for i in range(2)}
    params = PARAMS | {"trunk": {"tokens": PARAMS["trunk"]["tokens"]} | layers}
    begins = {"head": 0, "layer_1": 2, "layer_0": 4, "tokens": 6}
    params = trees.stack_layers(params) if stacked else params
    optimizer = build(dataclasses.replace(PLAIN, unfreeze=2, weight_decay=0.1, decay=((".*", 1.0),)), params, 10)
    state = optimizer.init(params)
    for step in range(8):
        updates, state = optimizer.update(jax.tree.map(jnp.cos, params), state, params)
        after = optax.apply_updates(params, updates)
        old, new = (trees.flatten(trees.unstack_layers(tree)) for tree in (params, after))
        for path in old:
            begun = next(start for part, start in begins.items() if part in path) <= step
            assert np.array_equal(old[path], new[path]) != begun, (path, step)
        params = after


def test_lamb_by_hand():
    """You et al. 2020, algorithm 2: each array's update has the length of the array, times the learning rate."""
    config = dataclasses.replace(PLAIN, name="lamb", weight_decay=0.3, decay=((".*", 1.0),))
    optimizer = build(config, PARAMS, 10)
    updates, _ = optimizer.update(GRADS[0], optimizer.init(PARAMS), PARAMS)
    grads, params = trees.flatten(GRADS[0]), trees.flatten(PARAMS)
    for path, update in trees.flatten(updates).items():
        direction = grads[path] / (abs(grads[path]) + 1e-8) + 0.3 * params[path]
        ratio = np.linalg.norm(params[path]) / np.linalg.norm(direction)
        np.testing.assert_allclose(update, -0.1 * ratio * direction, rtol=1e-4, atol=1e-6)


def test_t5s_schedule():
    rate = learning_rate(Optimizer(name="adafactor", schedule="flat_inverse_sqrt", peak_lr=0.01, warmup=10_000), 50_000)
    for step in (0, 1, 9_999, 10_000, 40_000):
        np.testing.assert_allclose(rate(step), 1 / np.sqrt(max(step, 10_000)), rtol=1e-5)


@pytest.mark.parametrize("name", ["constant", "linear", "cosine", "inverse_sqrt", "wsd"])
def test_schedules_warm_up_and_end(name):
    rate = learning_rate(Optimizer(schedule=name, peak_lr=2.0, warmup=4, end_lr=0.5), 20)
    np.testing.assert_allclose([rate(i) for i in range(4)], [0.5, 1.0, 1.5, 2.0], rtol=1e-6)
    ends = {"constant": 2.0, "linear": 0.5, "cosine": 0.5, "wsd": 0.5, "inverse_sqrt": 2.0 * (4 / 20) ** 0.5}
    np.testing.assert_allclose(rate(20), ends[name], rtol=1e-5)


def test_a_rule_that_matches_nothing_is_refused():
    for change in ({"freeze": ("layer_7",)}, {"decay": (("nothing", 0.0), (".*", 1.0)), "weight_decay": 0.1}):
        with pytest.raises(UserError, match="matches no parameter"):
            build(dataclasses.replace(PLAIN, **change), PARAMS, 10)

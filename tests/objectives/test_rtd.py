# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Replaced token detection: the loss by hand, what the sampling depends on, and where gradients flow."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax import trees
from seqjax.data.pipeline import pad
from seqjax.errors import UserError
from seqjax.models.deberta import DebertaConfig
from seqjax.models.detector import resolved
from seqjax.models.families import electra
from seqjax.models.model import build, initialise, training_flops
from seqjax.models.rnn import RNNConfig
from seqjax.objectives.mlm import MLM
from seqjax.objectives.rtd import RTD, sample
from seqjax.training.parallel import Devices, Parallel
from seqjax.training.step import evaluation_step, gradients
from tests.objectives.test_mlm import VOCABULARY, corrupt, row

ELECTRA = electra(
    vocab_size=40, layers=1, width=32, heads=4, mlp_width=32, embed_width=16, max_length=16, dropout=0.0, init_std=0.2
)
DEBERTA = DebertaConfig(
    vocab_size=40, layers=2, width=16, heads=2, mlp_width=32, max_length=16, mask_decoder_layers=2, dropout=0.0,
    init_std=0.2,
)  # fmt: skip
SAME_SIZE = {"generator_width": 1.0, "discriminator_weight": 2.0}
CASES = {
    "electra": (ELECTRA, RTD()),
    "electra-separate": (ELECTRA, RTD(sharing="separate")),
    "electra-disentangled": (ELECTRA, RTD(sharing="disentangled")),
    "deberta-shared": (DEBERTA, RTD(**SAME_SIZE)),
    "deberta": (DEBERTA, RTD(sharing="disentangled", **SAME_SIZE)),
}


def ragged(rows=32, length=12, seed=0):
    """Rows of very unequal lengths, with their predictions."""
    rng = np.random.default_rng(seed)
    real = np.array([3, 4, 5, 12] * (rows // 4))
    used = np.array([1, 1, 2, 4] * (rows // 4))
    batch = {
        "tokens": rng.integers(5, 40, (rows, length)) * (np.arange(length) < real[:, None]),
        "segments": np.arange(length) < real[:, None],
        "positions": np.tile(np.arange(length), (rows, 1)),
        "mlm_positions": np.zeros((rows, 4)),
        "mlm_targets": np.zeros((rows, 4)),
        "mlm_weights": np.arange(4) < used[:, None],
    }
    for i in range(rows):
        places = np.sort(rng.permutation(np.arange(1, real[i]))[: used[i]])
        batch["mlm_positions"][i, : used[i]] = places
        batch["mlm_targets"][i, : used[i]] = batch["tokens"][i, places]
        batch["tokens"][i, places] = 4
    return {name: x.astype(np.float32 if name == "mlm_weights" else np.int32) for name, x in batch.items()}


@functools.cache
def setting(case):
    config, objective = CASES[case]
    model = objective.build(config)
    params = initialise(model, jax.random.key(1))
    # Biases and differences that begin at 0 would hide what they do.
    leaves = enumerate(jax.tree.leaves(params))
    moved = [x + 0.1 * jax.random.normal(jax.random.key(i), x.shape) for i, x in leaves]
    return model, jax.tree.unflatten(jax.tree.structure(params), moved), objective


def test_the_loss_by_hand():
    """One place after another, against the definitions; a sample that is the original counts as original."""
    rng, batch = np.random.default_rng(0), ragged()
    logits_BPV = rng.normal(size=(32, 4, 40)).astype(np.float32)
    logits_BPV[::2, 0][np.arange(16), batch["mlm_targets"][::2, 0]] += 50.0  # these are sampled right
    verdict_V = rng.normal(size=40).astype(np.float32)

    def apply(variables, tokens, *, method="__call__", gather_BP=None, **inputs):
        if method == "generate":
            np.testing.assert_array_equal(tokens, batch["tokens"])
            np.testing.assert_array_equal(gather_BP, batch["mlm_positions"])
            return jnp.asarray(logits_BPV), None
        return jnp.asarray(verdict_V)[tokens], None

    terms, metrics = RTD().loss(apply, {}, batch, None)
    samples = np.asarray(sample(jnp.asarray(logits_BPV), batch, None))
    count = dict.fromkeys(("mlm", "said", "right", "rtd", "real", "correct", "found", "both", "replaced"), 0.0)
    for i in range(32):
        read, replaced = batch["tokens"][i].copy(), np.zeros(12)
        for j in range(4):
            if batch["mlm_weights"][i, j]:
                place, target = batch["mlm_positions"][i, j], batch["mlm_targets"][i, j]
                p = np.exp(logits_BPV[i, j]) / np.exp(logits_BPV[i, j]).sum()
                count["mlm"] -= np.log(p[target])
                count["said"] += 1
                count["right"] += p.argmax() == target
                read[place], replaced[place] = samples[i, j], samples[i, j] != target
        for j in range(12):
            if batch["segments"][i, j]:
                p = 1 / (1 + np.exp(-verdict_V[read[j]]))
                count["rtd"] -= np.log(p if replaced[j] else 1 - p)
                count["real"] += 1
                count["correct"] += (p > 0.5) == replaced[j]
                count["found"] += p > 0.5
                count["both"] += (p > 0.5) * replaced[j]
                count["replaced"] += replaced[j]
    assert (samples[::2, 0] == batch["mlm_targets"][::2, 0]).all()
    assert 0 < count["both"] < count["replaced"] <= count["said"] - 16
    expected = {
        "mlm": ("mlm", "said"), "rtd": ("rtd", "real"), "mlm_accuracy": ("right", "said"),
        "rtd_accuracy": ("correct", "real"), "rtd_precision": ("both", "found"), "rtd_recall": ("both", "replaced"),
    }  # fmt: skip
    assert set(expected) == set(terms | metrics)
    for name, (value, weight) in expected.items():
        np.testing.assert_allclose((terms | metrics)[name], (count[value], count[weight]), rtol=1e-5, err_msg=name)
    assert {name: float(weight) for name, weight in RTD().weights(batch).items()} == {
        "mlm": count["said"], "rtd": count["real"],
    }  # fmt: skip
    assert RTD().term_weights() == {"mlm": 1.0, "rtd": 50.0}
    normaliser = np.log(np.exp(logits_BPV.astype(np.float64)).sum(axis=-1))
    added = RTD(mlm=MLM(z_loss=0.5)).loss(apply, {}, batch, jax.random.key(0))[0]["mlm"][0] - terms["mlm"][0]
    np.testing.assert_allclose(added, np.sum(0.5 * normaliser**2 * batch["mlm_weights"]), rtol=1e-5)


def test_the_generator_reads_nothing_but_masks_where_it_is_to_speak():
    source = row(seed=1)
    out = corrupt(RTD(), source, 1)
    used = out["mlm_weights"] > 0
    assert used.sum() == round(0.15 * 126)
    assert (out["tokens"][out["mlm_positions"][used]] == VOCABULARY.mask).all()
    expected = corrupt(MLM(masked=1.0, random=0.0), source, 1)
    assert out.keys() == expected.keys()
    for name in out:
        np.testing.assert_array_equal(out[name], expected[name])


@pytest.mark.parametrize("key", [None, 5], ids=["fixed", "key"])
def test_samples_have_the_softmaxs_frequencies(key):
    """Temperature 1; 8,000 places in two rows."""
    logits_V = np.array([0.0, 1.0, 2.0, -1.0, 0.5], np.float32)
    batch = {
        "tokens": np.arange(8000).reshape(2, 4000),
        "segments": np.ones((2, 4000), np.int32),
        "mlm_positions": np.tile(np.arange(4000), (2, 1)),
    }
    key = None if key is None else jax.random.key(key)
    samples = np.asarray(sample(jnp.tile(logits_V, (2, 4000, 1)), batch, key))
    assert (samples[0] != samples[1]).any()
    shares = np.bincount(samples.ravel(), minlength=5) / 8000
    np.testing.assert_allclose(shares, np.exp(logits_V) / np.exp(logits_V).sum(), atol=0.02)


def test_training_samples_change_with_the_key_and_evaluation_repeats():
    batch, logits = ragged(), jnp.zeros((32, 4, 40))
    one, two = (np.asarray(sample(logits, batch, jax.random.key(i))) for i in (1, 2))
    assert (one != two).mean() > 0.5
    np.testing.assert_array_equal(sample(logits, batch, None), sample(logits, batch, None))


def test_evaluation_is_that_of_any_batch_size_padding_and_number_of_devices():
    model, params, objective = setting("deberta")
    batch = ragged()

    def total(size, devices=1, backend="jit", room=0):
        places = Devices(Parallel(backend, devices))

        def score(params, batch, key, **options):
            return evaluation_step(params, batch, apply=model.apply, objective=objective, **options)[0]

        compiled, pairs = places.spread(score), None
        for start in range(0, 32, size):
            rows = [{name: x[i] for name, x in batch.items()} for i in range(start, min(start + size, 32))]
            given = pad(rows, size)
            for name in ("tokens", "segments", "positions") if room else ():
                given[name] = np.pad(given[name], ((0, 0), (0, room)))
            found = jax.device_get(compiled(params, places.put(given), None))
            pairs = found if pairs is None else jax.tree.map(np.add, pairs, found)
        return {name: value / weight for name, (value, weight) in pairs.items()}

    whole = total(32)
    assert 0 < whole["rtd_recall"] < 1
    for other in (total(7), total(8, room=4), total(32, 8, "pmap")):
        for name, value in whole.items():
            np.testing.assert_allclose(other[name], value, atol=1e-6, err_msg=name)


def paths_of_gradients(case):
    """Returns the parameters that learn from each term, and all parameters."""
    model, params, objective = setting(case)

    @jax.jit
    @jax.jacrev
    def differentiate(params):
        terms, _ = objective.loss(model.apply, params, ragged(), jax.random.key(0))
        return {term: terms[term][0] for term in ("mlm", "rtd")}

    found = {term: trees.flatten(tree) for term, tree in differentiate(params).items()}
    moved = {term: {path for path, x in flat.items() if np.abs(x).max() > 1e-4} for term, flat in found.items()}
    return moved["mlm"], moved["rtd"], set(found["mlm"])


@pytest.mark.parametrize("case", CASES)
def test_where_gradients_flow(case):
    """No sample passes one; a shared embedding learns from both losses, a disentangled one from the generator's only."""
    _, _, objective = setting(case)
    from_mlm, from_rtd, every = paths_of_gradients(case)
    generators = {path for path in every if path.startswith("generator/")}
    own = "trunk/tokens/embedding"
    assert not from_rtd & generators
    assert {own, "head/output/kernel", "trunk/layer_0/mlp/up/kernel"} <= from_rtd
    assert {"generator/head/bias", "generator/trunk/layer_0/mlp/up/kernel"} <= from_mlm
    if objective.sharing == "shared":
        assert own in from_mlm
        assert f"generator/{own}" not in every
        assert from_mlm - generators <= {own, "trunk/position/embedding"}
    else:
        assert f"generator/{own}" in from_mlm
        assert from_mlm <= generators


@pytest.mark.parametrize("case", ["electra-disentangled", "deberta"])
def test_disentangled_embeddings_begin_as_the_generators_and_are_handed_on_as_sums(case):
    config, objective = CASES[case]
    fresh = initialise(objective.build(config), jax.random.key(0))
    table = fresh["generator"]["trunk"]["tokens"]["embedding"]
    np.testing.assert_array_equal(resolved(fresh, "disentangled")["trunk"]["tokens"]["embedding"], table)
    assert not fresh["trunk"]["tokens"]["embedding"].any()
    model, params, _ = setting(case)
    handed = objective.reusable(params)
    assert set(handed) == {"trunk"}
    total = params["generator"]["trunk"]["tokens"]["embedding"] + params["trunk"]["tokens"]["embedding"]
    np.testing.assert_array_equal(handed["trunk"]["tokens"]["embedding"], total)
    begun, _ = trees.merge(fresh, objective.adopted(handed), "^(head|generator)/")
    jax.tree.map(np.testing.assert_array_equal, resolved(begun, "disentangled")["trunk"], handed["trunk"])
    plain = build(config, objective.head(config))  # the discriminator alone, made anew
    tokens = ragged()["tokens"]
    np.testing.assert_allclose(
        plain.apply({"params": handed | {"head": params["head"]}}, tokens)[0],
        model.apply({"params": params}, tokens)[0], atol=1e-6,
    )  # fmt: skip


@functools.cache
def divided(backend, devices, accumulate, seed):
    """Returns gradients and pairs; the discriminator's loss counts twice."""
    model, params, objective = setting("electra-disentangled")
    objective = dataclasses.replace(objective, discriminator_weight=2.0)
    places, key = Devices(Parallel(backend, devices)), None if seed is None else jax.random.key(seed)
    function = functools.partial(gradients, apply=model.apply, objective=objective, accumulate=accumulate)
    return jax.device_get(places.spread(function)(places.replicate(params), places.put(ragged()), key))[:2]


@pytest.mark.parametrize(
    ("backend", "devices", "accumulate", "key"),
    [("jit", 8, 1, 3), ("jit", 4, 2, None), ("jit", 1, 4, None), ("pmap", 4, 2, None)],
)
def test_division_changes_nothing(backend, devices, accumulate, key):
    """With a key, too, where the key is the same: each row's samples are its own."""
    grads, pairs = divided(backend, devices, accumulate, key)
    wanted_grads, wanted = divided("jit", 1, 1, key)
    np.testing.assert_allclose(pairs["loss"][0], wanted["loss"][0], atol=1e-6)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), grads, wanted_grads)
    terms = {name: value / weight for name, (value, weight) in wanted.items()}
    np.testing.assert_allclose(terms["loss"], terms["mlm"] + 2.0 * terms["rtd"], rtol=1e-6)


def test_flops_are_those_of_both():
    objective = RTD(generator_layers=0.5)
    model = electra(vocab_size=1000)
    small = dataclasses.replace(model, layers=6, width=64, heads=1, mlp_width=256)
    assert objective.generator(model) == small
    both = training_flops(small, 2, 128, 20) + training_flops(model, 2, 128, 0)
    assert objective.flops(model, 2, 128) == both
    output = training_flops(small, 2, 128, 20) - training_flops(small, 2, 128, 0)
    assert output == 6 * 2 * 20 * 128 * 1000  # as wide as the embeddings


@pytest.mark.parametrize(
    "change",
    [
        {"sharing": "some"},
        {"discriminator_weight": -1.0},
        {"generator_width": 0.0},
        {"generator_layers": 0.0},
        {"mlm": MLM(chunk=8)},
    ],
)
def test_impossible_settings_are_refused(change):
    with pytest.raises(UserError):
        RTD(**change)


def test_models_that_cannot_be_paired_are_refused():
    with pytest.raises(UserError, match="needs a Transformer or DeBERTa"):
        RTD().build(RNNConfig(vocab_size=40))
    with pytest.raises(UserError, match="width of 29, which is not divisible by its heads, 4"):
        RTD(generator_width=0.9).build(ELECTRA)

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Maps of attention: of every kind, equal to the weights by hand, and drawn with tokens on both axes."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import seqjax
from seqjax.errors import UserError
from seqjax.models.deberta import DebertaConfig
from seqjax.models.model import build, initialise
from seqjax.models.rnn import RNNConfig
from seqjax.models.seq2seq import Seq2SeqConfig
from seqjax.models.transformer_config import TransformerConfig
from seqjax.visualise.attention import figure

PLAIN = TransformerConfig(vocab_size=13, layers=2, width=8, heads=2, mlp_width=16, max_length=16, init_std=0.5)
TRANSLATOR = dataclasses.replace(PLAIN, decoder_layers=2, positions="relative", kv_heads=1)
DEBERTA = DebertaConfig(vocab_size=13, layers=2, width=8, heads=2, mlp_width=16, max_length=16, mask_decoder_layers=2)
TOKENS = jax.random.randint(jax.random.key(0), (3, 6), 0, 13)
SOURCE = jax.random.randint(jax.random.key(1), (3, 5), 0, 13)


def maps(config, **inputs):
    model = build(config)
    return seqjax.attention_maps(model, initialise(model, jax.random.key(2)), TOKENS, **inputs)


@pytest.mark.parametrize(
    ("config", "count", "shapes"),
    [
        (PLAIN, 2, {(3, 2, 6, 6)}),
        (dataclasses.replace(PLAIN, remat="full"), 2, {(3, 2, 6, 6)}),
        (dataclasses.replace(PLAIN, scan=True), 1, {(2, 3, 2, 6, 6)}),
        (TRANSLATOR, 6, {(3, 2, 5, 5), (3, 2, 6, 6), (3, 2, 6, 5)}),
        (DEBERTA, 3, {(3, 2, 6, 6)}),
        (Seq2SeqConfig(vocab_size=13, width=8), 1, {(3, 1, 6, 5)}),
        (Seq2SeqConfig(vocab_size=13, width=8, attention="general"), 1, {(3, 1, 6, 5)}),
        (Seq2SeqConfig(vocab_size=13, width=8, attention="none"), 0, set()),
        (RNNConfig(vocab_size=13, width=8), 0, set()),
    ],
    ids=["plain", "remat", "scan", "translator", "deberta", "additive", "general", "one vector", "rnn"],
)
def test_every_attention_has_a_map_whose_rows_sum_to_one(config, count, shapes):
    found = maps(config, **({"source_BS": SOURCE} if getattr(config, "decoder_layers", 0) else {}))
    assert len(found) == count
    assert {x.shape for x in found.values()} == shapes
    for weights in found.values():
        np.testing.assert_allclose(jnp.sum(weights, axis=-1), 1.0, rtol=1e-5)


def test_a_map_is_what_the_layer_reads_with():
    """Its weights times the values, projected, are what the attention adds to the first layer."""
    model = build(dataclasses.replace(PLAIN, layers=1))
    params = initialise(model, jax.random.key(2))
    ((path, weights),) = seqjax.attention_maps(model, params, TOKENS).items()
    assert path == "trunk/layer_0/attention"
    assert not np.triu(np.asarray(weights)[0, 0], 1).any()
    _, state = model.apply({"params": params}, TOKENS, capture_intermediates=True, mutable="intermediates")
    layer = state["intermediates"]["trunk"]["layer_0"]["attention"]
    values = layer["value"]["__call__"][0].reshape(3, 6, 2, 4)
    read = jnp.einsum("BNLS,BSNH->BLNH", weights, values).reshape(3, 6, 8)
    output = params["trunk"]["layer_0"]["attention"]["output"]
    np.testing.assert_allclose(read @ output["kernel"] + output["bias"][None, None], layer["__call__"][0][0], atol=1e-5)


def test_a_scan_and_a_loop_have_the_same_maps():
    loop = build(PLAIN)
    params = initialise(loop, jax.random.key(2))
    trunk = dict(params["trunk"])
    layers = [trunk.pop(f"layer_{i}") for i in range(2)]
    stacked = params | {"trunk": trunk | {"layers": jax.tree.map(lambda *x: jnp.stack(x), *layers)}}
    (scanned,) = seqjax.attention_maps(build(dataclasses.replace(PLAIN, scan=True)), stacked, TOKENS).values()
    for i, weights in enumerate(seqjax.attention_maps(loop, params, TOKENS).values()):
        np.testing.assert_allclose(scanned[i], weights, atol=1e-6)


def test_the_figure_names_tokens_on_both_axes(tmp_path):
    weights = np.random.default_rng(0).dirichlet(np.ones(4), (5, 3))
    image = figure(weights, ["a", "b", "c"], ["w", "x", "y", "z"])
    panels = [panel for panel in image.axes if panel.axison]
    assert len(panels) == 5
    assert [label.get_text() for label in panels[0].get_xticklabels()] == ["w", "x", "y", "z"]
    assert [label.get_text() for label in panels[0].get_yticklabels()] == ["a", "b", "c"]
    np.testing.assert_allclose(panels[4].images[0].get_array(), weights[4], rtol=1e-6)
    seqjax.plot_attention(weights[0], "abc", "wxyz", tmp_path / "map.png")
    assert (tmp_path / "map.png").stat().st_size > 1000
    with pytest.raises(UserError, match="does not fit 2 queries and 4 keys"):
        figure(weights, ["a", "b"], ["w", "x", "y", "z"])

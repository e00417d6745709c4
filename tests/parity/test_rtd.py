# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The discriminator with the weights of `transformers`' ElectraForPreTraining, and the published sizes."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from seqjax import trees
from seqjax.interop import folders
from seqjax.models.families import SIZES
from seqjax.models.model import initialise, shapes
from seqjax.objectives.rtd import RTD
from tests.objectives.test_rtd import ragged

SETTINGS = {
    "vocab_size": 40, "embedding_size": 16, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
    "intermediate_size": 48, "max_position_embeddings": 24, "initializer_range": 0.2,
}  # fmt: skip


def parts(theirs):
    """Returns (dense, output) of their head as ours."""
    head = theirs.discriminator_predictions
    return {
        ours: {"kernel": jnp.asarray(layer.weight.detach().numpy().T), "bias": jnp.asarray(layer.bias.detach().numpy())}
        for ours, layer in {"transform": head.dense, "output": head.dense_prediction}.items()
    }


@pytest.mark.parametrize("activation", ["gelu", "relu"])
def test_logits_and_loss(activation, tmp_path):
    torch.manual_seed(0)
    config = transformers.ElectraConfig(**SETTINGS, hidden_act=activation, attn_implementation="eager")
    theirs = transformers.ElectraForPreTraining(config).eval()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape))
    theirs.electra.save_pretrained(tmp_path / "trunk")
    read = folders.load(tmp_path / "trunk")
    model = RTD().build(read.config)
    params = initialise(model, jax.random.key(0)) | {"trunk": read.params["trunk"], "head": parts(theirs)}

    batch = ragged()
    labels = np.random.default_rng(0).integers(0, 2, batch["tokens"].shape)
    inputs = {"input_ids": batch["tokens"], "attention_mask": batch["segments"], "labels": labels}
    with torch.no_grad():
        wanted = theirs(**{name: torch.tensor(x, dtype=torch.long) for name, x in inputs.items()})
    logits_BL, carry = model.apply({"params": params}, batch["tokens"], segments_BL=batch["segments"])
    assert carry is None
    real = batch["segments"] > 0
    difference = np.abs(np.asarray(logits_BL) - wanted.logits.numpy())[real].max()
    assert np.abs(wanted.logits.numpy()[real]).max() > 0.5
    assert difference < 1e-5

    # Their loss of the same labels: a generator that is sure of a token, right where the label is 0.
    everywhere = np.tile(np.arange(12), (32, 1))
    said = {"mlm_positions": everywhere, "mlm_targets": (batch["tokens"] + labels) % 40, "mlm_weights": real}
    said = {name: x.astype(np.float32 if name == "mlm_weights" else np.int32) for name, x in said.items()}

    def apply(variables, tokens, *, method="__call__", **inputs):
        if method == "generate":
            return 1e3 * jax.nn.one_hot(batch["tokens"], 40), None
        return model.apply(variables, tokens, **inputs)

    terms, _ = RTD().loss(apply, params, batch | said, None)
    np.testing.assert_allclose(terms["rtd"][0] / terms["rtd"][1], wanted.loss, rtol=1e-5)


def test_electra_small_has_as_many_parameters_as_theirs():
    """The defaults of their configuration are ELECTRA-small's; ours counts the same parts, without the generator."""
    with torch.device("meta"):
        theirs = transformers.ElectraForPreTraining(transformers.ElectraConfig())
    ours = shapes(RTD().build(SIZES["electra_small"]))
    assert trees.count(ours["trunk"]) == theirs.electra.num_parameters() == 13_483_008
    assert trees.count(ours["trunk"]) + trees.count(ours["head"]) == theirs.num_parameters() == 13_549_057

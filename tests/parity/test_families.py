# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Every family gives what `transformers` gives for the same weights: modules, stacks, gradients, and after writing."""

import collections
import functools

import jax
import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from seqjax import interop
from seqjax.interop import folders, publish
from tests.parity import families

MODULE, STACK, GRADIENT = 1e-5, 1e-4, 1e-4  # not to be relaxed
CASES = families.cases()
LARGEST = collections.defaultdict(float)


@pytest.fixture(scope="module", autouse=True)
def largest():
    """Prints the largest differences seen (pytest -s)."""
    yield
    for (family, kind), value in sorted(LARGEST.items()):
        print(f"\n{family:14} {kind:10} {value:.1e}", end="")


def note(family, kind, value, limit):
    LARGEST[family, kind] = max(LARGEST[family, kind], float(value))
    assert value <= limit, f"{family} {kind}: {value:.2e} > {limit:.0e}"


@pytest.fixture(scope="module", params=CASES)
def made(request, tmp_path_factory):
    """Returns a case, their model, what is read of the folder it is saved in, and a batch."""
    case, folder = CASES[request.param], tmp_path_factory.mktemp(request.param)
    model = families.theirs(case)
    model.save_pretrained(folder)
    return case, model, folders.load(folder), families.batch(case)


def real(array, batch, side="mask"):
    return np.asarray(array)[batch[side] > 0]


def test_logits_and_gradients(made):
    case, theirs, read, batch = made
    headless = case.family.endswith("trunk")
    assert read.headless == headless
    wanted, wanted_gradients = families.their_result(case, theirs, batch)
    ours = folders.build(read.config)
    found, gradient = families.our_result(ours, read.params, batch, headless)
    note(case.family, "stack", np.abs(real(found, batch) - real(wanted, batch)).max(), STACK)
    assert np.abs(real(wanted, batch)).max() > 0.5

    # Biases of keys change no score against another: their gradient is zero but for rounding.
    family = folders.FAMILIES[case.family.split("-")[0]]
    gradients = families.under_their_names(read.config, gradient, family.name)
    if headless:
        gradients = {name.removeprefix(family.prefix): value for name, value in gradients.items()}
    gradients.pop("final_logits_bias", None)  # no parameter of theirs
    spare = ("pooler", "seq_relationship")
    wanted_gradients = {n: g for n, g in wanted_gradients.items() if not any(part in n for part in spare)}
    assert gradients.keys() == wanted_gradients.keys()
    scale = max(np.abs(g).max() for g in wanted_gradients.values())
    for name, theirs_g in wanted_gradients.items():
        ours_g = gradients[name]
        if ".key.bias" in name or ("k_proj.bias" in name and case.family == "marian"):
            assert max(np.abs(ours_g).max(), np.abs(theirs_g).max()) < 1e-5 * scale
            continue
        if "c_attn.bias" in name:
            keys = slice(len(ours_g) // 3, 2 * len(ours_g) // 3)
            assert max(np.abs(ours_g[keys]).max(), np.abs(theirs_g[keys]).max()) < 1e-5 * scale
        difference = np.abs(ours_g - theirs_g).max() / np.abs(theirs_g).max()
        note(case.family, "gradient", difference, GRADIENT)


def test_written_and_read_back(made, tmp_path):
    """`transformers` loads what we write, lacks nothing, and gives the same logits to the bit."""
    case, theirs, read, batch = made
    kind = transformers.BertForMaskedLM if case.kind is transformers.BertForPreTraining else case.kind
    family = case.family.split("-")[0]
    assert interop.write(tmp_path / "out", read.config, read.params, None, family) == kind.__name__
    again, report = kind.from_pretrained(tmp_path / "out", output_loading_info=True, attn_implementation="eager")
    unused = ("pooler", "lm_head.bias", "cls.predictions.bias")
    assert all(any(part in name for part in unused) for name in report["missing_keys"]), report["missing_keys"]
    assert not report["unexpected_keys"] and not report["mismatched_keys"]
    with torch.no_grad():
        before = families.logits(theirs(**families.their_inputs(case, batch)))
        after = families.logits(again.eval()(**families.their_inputs(case, batch)))
    np.testing.assert_array_equal(after, before)
    model, params, _ = interop.read(tmp_path / "out")
    jax.tree.map(np.testing.assert_array_equal, params, read.params)
    assert publish.meaning(model.trunk.config) == publish.meaning(read.config)


# Family -> {our module: theirs}, of the first layer of each stack.
_BERT = {
    "layer_0/attention": "encoder.layer.0.attention.output.dense",
    "layer_0/attention_norm": "encoder.layer.0.attention.output.LayerNorm",
    "layer_0/mlp": "encoder.layer.0.output.dense",
    "embedding": "embeddings",
}
_T5 = {
    "encoder/layer_0/attention": "encoder.block.0.layer.0.SelfAttention",
    "encoder/layer_0/attention_norm": "encoder.block.0.layer.0.layer_norm",
    "encoder/layer_0/mlp": "encoder.block.0.layer.1.DenseReluDense",
    "decoder/layer_0/attention": "decoder.block.0.layer.0.SelfAttention",
    "decoder/layer_0/cross_attention": "decoder.block.0.layer.1.EncDecAttention",
    "decoder/layer_0/mlp": "decoder.block.0.layer.2.DenseReluDense",
}
_MARIAN = {
    "encoder/layer_0/attention": "model.encoder.layers.0.self_attn",
    "encoder/layer_0/attention_norm": "model.encoder.layers.0.self_attn_layer_norm",
    "encoder/layer_0/mlp": "model.encoder.layers.0.fc2",
    "decoder/layer_0/attention": "model.decoder.layers.0.self_attn",
    "decoder/layer_0/cross_attention": "model.decoder.layers.0.encoder_attn",
    "decoder/layer_0/mlp": "model.decoder.layers.0.fc2",
}
MODULES = {
    "bert": {ours: f"bert.{name}" for ours, name in _BERT.items()},
    "bert-trunk": _BERT,
    "roberta": {ours: f"roberta.{name}" for ours, name in _BERT.items()},
    "roberta-trunk": _BERT,
    "electra": {ours: f"electra.{name}" for ours, name in _BERT.items() if ours != "embedding"},
    "electra-trunk": {ours: name for ours, name in _BERT.items() if ours != "embedding"},
    "gpt2": {
        "layer_0/attention": "transformer.h.0.attn",
        "layer_0/attention_norm": "transformer.h.0.ln_1",
        "layer_0/mlp": "transformer.h.0.mlp",
        "embedding": "transformer.drop",
    },
    "t5": _T5,
    "t5-1.1": _T5,
    "llama": {
        "layer_0/attention": "model.layers.0.self_attn",
        "layer_0/attention_norm": "model.layers.0.input_layernorm",
        "layer_0/mlp": "model.layers.0.mlp",
        "embedding": "model.embed_tokens",
    },
    "marian": _MARIAN,
}


def test_modules(made):
    """Embedding, attention, feed-forward network and norm, each by itself."""
    case, theirs, read, batch = made
    modules = MODULES[case.family]
    wanted = {}

    def keep(ours, output):
        wanted[ours] = (output[0] if isinstance(output, tuple) else output).detach().numpy()

    hooks = [
        theirs.get_submodule(name).register_forward_hook(lambda m, i, output, ours=ours: keep(ours, output))
        for ours, name in modules.items()
    ]
    with torch.no_grad():
        theirs(**families.their_inputs(case, batch))
    for hook in hooks:
        hook.remove()

    model = folders.build(read.config)

    @jax.jit
    def states(params):
        _, state = model.apply(
            {"params": params}, batch["tokens"], method="hidden", capture_intermediates=True, mutable="intermediates",
            **families.our_inputs(batch),
        )  # fmt: skip
        found = state["intermediates"]["trunk"]

        def embed(module):
            positions = np.maximum(np.cumsum(batch["mask"], axis=1) - 1, 0)
            return module.trunk.embedding(batch["tokens"], positions, batch.get("types"), False)

        outputs = {"embedding": model.apply({"params": params}, method=embed)}
        for path in modules:
            if path != "embedding":
                node = functools.reduce(lambda tree, key: tree[key], path.split("/"), found)
                output = node["__call__"][0]
                outputs[path] = output[0] if isinstance(output, tuple) else output
        return outputs

    found = states(read.params)
    for path, theirs_x in wanted.items():
        side = "source_mask" if path.startswith("encoder/") else "mask"
        ours_x, theirs_x = real(found[path], batch, side), theirs_x.reshape(np.asarray(found[path]).shape)
        note(case.family, "module", np.abs(ours_x - real(theirs_x, batch, side)).max(), MODULE)

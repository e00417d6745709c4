# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Published checkpoints in and out, against logits stored by make_goldens.py; every mistake is one clear line."""

import dataclasses
import json
import re
import shutil
import struct
from pathlib import Path

import jax
import numpy as np
import pytest
from flax.serialization import msgpack_serialize
from safetensors.numpy import load_file, save_file

from seqjax import interop, trees
from seqjax.data import tokenizers
from seqjax.errors import UserError
from seqjax.interop import engine, folders
from seqjax.models.families import bert, gpt2, llama, t5
from seqjax.models.heads import ClassificationHead
from seqjax.models.model import build, initialise
from seqjax.models.rnn import RNNConfig

GOLDENS = Path(__file__).parents[1] / "goldens" / "interop"
NAMES = sorted(path.name for path in GOLDENS.iterdir())
TRUNKS = ("bert-trunk", "electra-trunk")


def output(name, model, params):
    """Returns what a model says of the golden batch at real tokens, and what it should say."""
    stored = np.load(GOLDENS / name / "expected.npz")
    inputs = {"segments_BL": stored["mask"]}
    if "types" in stored:
        inputs["token_types_BL"] = stored["types"]
    if "source" in stored:
        inputs |= {"source_BS": stored["source"], "source_segments_BS": stored["source_mask"]}
    method = {} if "head" in params or name not in TRUNKS else {"method": "hidden"}
    found, _ = jax.jit(lambda params: model.apply({"params": params}, stored["tokens"], **inputs, **method))(params)
    real = stored["mask"] > 0
    return np.asarray(found)[real], stored["wanted"][real]


def copied(name, folder):
    """Returns a copy of a golden checkpoint that a test may spoil, and its tensors."""
    shutil.copytree(GOLDENS / name, folder)
    return folder, load_file(folder / "model.safetensors")


def test_every_family_has_a_golden():
    settings = [json.loads((GOLDENS / name / "config.json").read_text()) for name in NAMES]
    assert {each["model_type"] for each in settings} == set(folders.FAMILIES)


@pytest.mark.parametrize("name", NAMES)
def test_logits(name, capsys):
    model, params, tokenizer = interop.read(GOLDENS / name)
    found, wanted = output(name, model, params)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert tokenizer is None
    assert ("head" in params) == (name not in (*TRUNKS, "gpt2", "t5"))
    assert ("pooler" in capsys.readouterr().err) == (name in ("bert", "bert-trunk"))


@pytest.mark.parametrize("name", NAMES)
def test_round_trip(name, tmp_path):
    """What is written holds every tensor that was read, to the bit, under the same names."""
    model, params, _ = interop.read(GOLDENS / name)
    interop.write(tmp_path / "out", model.trunk.config, params, None)
    before, after = (load_file(folder / "model.safetensors") for folder in (GOLDENS / name, tmp_path / "out"))
    spare = {tensor for tensor in before if "pooler" in tensor or "seq_relationship" in tensor}
    assert before.keys() - spare == after.keys()
    for tensor, value in after.items():
        np.testing.assert_array_equal(value, before[tensor])
    again, params, _ = interop.read(tmp_path / "out")
    found, wanted = output(name, again, params)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize("name", ["bert", "t5", "llama"])
def test_scanned_layers(name, tmp_path):
    model, params, _ = interop.read(GOLDENS / name, scan=True)
    found, wanted = output(name, model, params)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    interop.write(tmp_path / "out", model.trunk.config, params, None)
    plain, whole = interop.read(tmp_path / "out")[1], interop.read(GOLDENS / name)[1]
    jax.tree.map(np.testing.assert_array_equal, plain, whole)


@pytest.mark.parametrize("name", ["bert", "t5-1.1"])
def test_shards(name, tmp_path):
    folder, tensors = copied(name, tmp_path / "shards")
    names = sorted(tensors)
    parts = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for file, inside in parts.items():
        save_file({tensor: tensors[tensor] for tensor in inside}, folder / file)
    index = {"metadata": {}, "weight_map": {tensor: file for file, inside in parts.items() for tensor in inside}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "model.safetensors").unlink()
    model, params, _ = interop.read(folder)
    found, wanted = output(name, model, params)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(UserError, match=r"lacks 'model-00002-of-00002\.safetensors'"):
        interop.read(folder)
    index["weight_map"][names[1]] = "../model.safetensors"
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(UserError, match="lacks"):
        interop.read(folder)


def flax_layout(tensors):
    """Returns tensors of torch as the Flax classes of transformers 4 nest them."""
    tree = {}
    for name, value in tensors.items():
        *parents, last = name.split(".")
        if last == "weight" and value.ndim == 2:
            embedding = "embed" in parents[-1] or parents[-1] in ("wte", "wpe", "shared", "relative_attention_bias")
            last, value = ("embedding", value) if embedding else ("kernel", value.T)
        elif last == "weight" and "orm" in parents[-1]:
            last = "scale"
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = np.ascontiguousarray(value)
    return tree


@pytest.mark.parametrize("name", NAMES)
def test_flax_msgpack(name, tmp_path):
    folder, tensors = copied(name, tmp_path / "flax")
    (folder / "flax_model.msgpack").write_bytes(msgpack_serialize(flax_layout(tensors)))
    (folder / "model.safetensors").unlink()
    params = interop.read(folder)[1]
    jax.tree.map(np.testing.assert_array_equal, params, interop.read(GOLDENS / name)[1])
    (folder / "flax_model.msgpack").write_bytes(b"\x81\xa1a\xc7")
    with pytest.raises(UserError, match="no msgpack"):
        interop.read(folder)


def test_old_names_half_precision_and_duplicates(tmp_path):
    """LayerNorm.gamma, bfloat16, buffers, and tied weights that stand in the file twice."""
    import ml_dtypes

    folder, tensors = copied("bert", tmp_path / "old")
    table = tensors["bert.embeddings.word_embeddings.weight"]
    old = {
        re.sub(r"LayerNorm\.(weight|bias)", lambda m: f"LayerNorm.{ {'weight': 'gamma', 'bias': 'beta'}[m[1]] }", k): v
        for k, v in tensors.items()
    }
    old["bert.embeddings.position_ids"] = np.arange(14)[None]
    old |= {"cls.predictions.decoder.weight": table, "cls.predictions.decoder.bias": old["cls.predictions.bias"]}
    save_file(old, folder / "model.safetensors")
    params = interop.read(folder)[1]
    jax.tree.map(np.testing.assert_array_equal, params, interop.read(GOLDENS / "bert")[1])

    half = {k: v.astype(ml_dtypes.bfloat16) for k, v in tensors.items()}
    save_file(half, folder / "model.safetensors")
    leaf = interop.read(folder)[1]["trunk"]["tokens"]["embedding"]
    assert leaf.dtype == np.float32
    np.testing.assert_array_equal(leaf, table.astype(ml_dtypes.bfloat16).astype(np.float32))

    save_file(old | {"cls.predictions.decoder.weight": table + 1}, folder / "model.safetensors")
    with pytest.raises(UserError, match="should be one tensor, and they differ"):
        interop.read(folder)


def test_trunk_names_under_a_head(tmp_path):
    """OpenAI's own GPT-2 files have no prefix although their architecture has a head."""
    folder, tensors = copied("gpt2", tmp_path / "gpt2")
    bare = {name.removeprefix("transformer."): value for name, value in tensors.items()}
    save_file(bare | {"h.0.attn.bias": np.ones((1, 1, 4, 4), np.float32)}, folder / "model.safetensors")
    jax.tree.map(np.testing.assert_array_equal, interop.read(folder)[1], interop.read(GOLDENS / "gpt2")[1])


def test_missing_and_left_over_tensors(tmp_path):
    folder, tensors = copied("bert", tmp_path / "bert")
    lost = "bert.encoder.layer.1.output.dense.weight"
    spoiled = {name: value for name, value in tensors.items() if name != lost} | {"adapter.up": np.ones(3, np.float32)}
    save_file(spoiled, folder / "model.safetensors")
    with pytest.raises(UserError, match=r"1 tensors are missing: bert\.encoder.*1 tensors are left over: adapter\.up"):
        interop.read(folder)
    with pytest.raises(UserError, match="left over") as caught:
        interop.read(folder, allow="^bert")
    assert "tensors are missing" not in str(caught.value)
    params = interop.read(folder, allow=r"^adapter\.|layer\.1\.output\.dense\.weight$")[1]
    paths = trees.flatten(interop.read(GOLDENS / "bert")[1]).keys()
    assert paths - trees.flatten(params).keys() == {"trunk/layer_1/mlp/down/kernel"}
    with pytest.raises(UserError, match="allow: '\\[' is not a regular expression"):
        interop.read(folder, allow="[")


def test_a_head_that_is_announced_must_be_there(tmp_path):
    folder, tensors = copied("bert", tmp_path / "bert")
    save_file({k: v for k, v in tensors.items() if not k.startswith("cls")}, folder / "model.safetensors")
    with pytest.raises(UserError, match="does not fit BertForPreTraining: 5 tensors are missing: cls"):
        interop.read(folder)


MISTAKES = {
    "shape": ("bert", {"hidden_size": 16}, {}, "has shape (8,) where config.json asks for (16,)"),
    "model type": ("bert", {"model_type": "brt"}, {}, "unknown model_type 'brt'; did you mean 'bert'?"),
    "no model type": ("bert", {"model_type": None}, {}, "the key 'model_type' is missing"),
    "no width": ("bert", {}, {"hidden_size"}, "the key 'hidden_size' is missing"),
    "text for a number": ("bert", {"hidden_size": "8"}, {}, "is malformed"),
    "relative": ("bert", {"position_embedding_type": "relative_key"}, {}, "only 'absolute'"),
    "decoder": ("bert", {"is_decoder": True}, {}, "is_decoder=True is not supported"),
    "activation": ("gpt2", {"activation_function": "quick_gelu"}, {}, "activation 'quick_gelu' is not one of gelu,"),
    "layer scaling": ("gpt2", {"scale_attn_by_inverse_layer_idx": True}, {}, "only False"),
    "rope": ("llama", {"rope_parameters": {"rope_type": "llama3", "rope_theta": 1e4}}, {}, "type 'llama3'"),
    "old rope": ("llama", {"rope_scaling": {"type": "linear", "factor": 2.0}}, {}, "type 'linear'"),
    "biases": ("llama", {"attention_bias": True}, {}, "attention_bias and mlp_bias differ"),
    "generator": ("electra", {"hidden_act": "relu"}, {}, "the head has gelu"),
    "roberta": ("roberta", {"hidden_act": "relu"}, {}, "the head has gelu"),
    "two widths": ("marian", {"decoder_ffn_dim": 24}, {}, "encoder_ffn_dim and decoder_ffn_dim differ"),
    "two tables": ("marian", {"share_encoder_decoder_embeddings": False}, {}, "only True"),
    "heads": ("bert", {"num_attention_heads": 3}, {}, "not divisible by model.heads=3"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_settings_that_do_not_fit(mistake, tmp_path):
    name, changes, without, message = MISTAKES[mistake]
    folder, _ = copied(name, tmp_path / "x")
    settings = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps({k: v for k, v in settings.items() if k not in without}))
    with pytest.raises(UserError) as caught:
        interop.read(folder)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def spoil(folder, what):
    weights = folder / "model.safetensors"
    if what == "cut":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif what == "no header":
        weights.write_bytes(b"nonsense" * 40)
    elif what == "empty":
        weights.write_bytes(b"")
    elif what == "pickle":
        weights.rename(folder / "pytorch_model.bin")
    elif what == "nothing":
        weights.unlink()
    elif what == "no config":
        (folder / "config.json").unlink()
    elif what == "config":
        (folder / "config.json").write_text("{")
    elif what == "list":
        (folder / "config.json").write_text("[]")
    elif what == "index":
        weights.unlink()
        (folder / "model.safetensors.index.json").write_text("{}")
    elif what == "tokenizer":
        (folder / "tokenizer.json").write_text("{}")
    elif what == "large tokenizer":
        tokenizers.build("bytes", list).save(folder)
    elif what == "gone":
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    "what, message",
    {
        "cut": "is damaged, or no safetensors file",
        "no header": "is damaged, or no safetensors file",
        "empty": "is damaged, or no safetensors file",
        "pickle": "holds only pytorch_model.bin, which is never opened here",
        "nothing": "holds no weights: expected model.safetensors",
        "no config": "holds no config.json",
        "config": "is no JSON",
        "list": "expected an object",
        "index": "has no 'weight_map'",
        "tokenizer": "expected a tokenizer of the tokenizers library",
        "large tokenizer": "the tokenizer has 261 ids, the model only 41",
        "gone": "does not exist",
    }.items(),
)
def test_damaged_folders(what, message, tmp_path):
    folder, _ = copied("bert", tmp_path / "x")
    spoil(folder, what)
    with pytest.raises(UserError) as caught:
        interop.read(folder)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


SMALL = {"vocab_size": 300, "layers": 2, "width": 16, "heads": 2, "mlp_width": 24}


@pytest.mark.parametrize(
    "config, kind",
    [
        (gpt2(**SMALL, max_length=32), "GPT2LMHeadModel"),
        (gpt2(**SMALL, max_length=32, scan=True, dropout=0.0), "GPT2LMHeadModel"),
        (bert(**SMALL), "BertForMaskedLM"),
        (t5(**SMALL, decoder_layers=3), "T5ForConditionalGeneration"),
        (llama(**SMALL, kv_heads=1), "LlamaForCausalLM"),
    ],
    ids=["gpt2", "gpt2 scanned", "bert", "t5", "llama"],
)
def test_our_own_models_are_written(config, kind, tmp_path):
    params = initialise(build(config), jax.random.key(0))
    tokenizer = tokenizers.build("bytes", list)
    assert interop.write(tmp_path / "out", config, params, tokenizer) == kind
    model, again, found = interop.read(tmp_path / "out", scan=config.scan)
    jax.tree.map(np.testing.assert_array_equal, again, params)
    assert found.hash == tokenizer.hash
    ids = np.arange(7)[None]
    source = {"source_BS": ids} if config.decoder_layers else {}
    wanted = build(config).apply({"params": params}, ids, **source)[0]
    np.testing.assert_allclose(model.apply({"params": params}, ids, **source)[0], wanted, atol=1e-6)


def test_what_has_no_published_form(tmp_path):
    config = gpt2(**SMALL, positions="rotary")
    params = initialise(build(config), jax.random.key(0))
    with pytest.raises(UserError, match=r"no published architecture has these settings .* stablehlo"):
        interop.write(tmp_path / "a", config, params, None)
    with pytest.raises(UserError, match="unknown family 'gpt3'; did you mean 'gpt2'"):
        interop.write(tmp_path / "a", config, params, None, family="gpt3")
    classifier = initialise(build(bert(**SMALL), ClassificationHead(3)), jax.random.key(0))
    with pytest.raises(UserError, match="parameter 'head/output/bias'"):
        interop.write(tmp_path / "a", bert(**SMALL), classifier, None)
    with pytest.raises(UserError, match="only Transformers"):
        interop.write(tmp_path / "a", RNNConfig(vocab_size=7), {}, None)
    assert not (tmp_path / "a").exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("")
    fine = gpt2(**SMALL)
    with pytest.raises(UserError, match="is there already"):
        interop.write(tmp_path / "full", fine, initialise(build(fine), jax.random.key(0)), None)


def test_parts_and_transposes_are_undone():
    """`give` is the inverse of `take`, for every transform."""
    table = [("a/x", "fused", "0/2"), ("a/y", "fused", "1/2"), ("layer_{i}/k", "l.{i}", "T"), ("b", "row", "row")]
    theirs = {
        "fused": np.arange(8.0).reshape(2, 4), "l.0": np.arange(6.0).reshape(2, 3),
        "l.1": np.ones((2, 3)), "row": np.arange(3.0)[None],
    }  # fmt: skip
    like = {"a/x": (2, 2), "a/y": (2, 2), "layer_0/k": (3, 2), "layer_1/k": (3, 2), "b": (3,)}
    shapes = trees.unflatten({path: jax.ShapeDtypeStruct(shape, np.float32) for path, shape in like.items()})
    params, missing = engine.take(theirs, table, shapes, "here")
    assert missing == []
    np.testing.assert_array_equal(params["a"]["y"], [[2, 3], [6, 7]])
    np.testing.assert_array_equal(params["layer_0"]["k"], [[0, 3], [1, 4], [2, 5]])
    back = engine.give(params, table)
    assert back.keys() == theirs.keys()
    for name, value in theirs.items():
        np.testing.assert_array_equal(back[name], value)
    with pytest.raises(UserError, match=r"'l.0' has shape \(3, 2\) where config.json asks for \(2, 3\)"):
        engine.take(theirs | {"l.0": np.ones((3, 2))}, table, shapes, "here")


def llama2c(folder, shared):
    """Writes a random llama2.c model of version 0 with its tokenizer, and returns its weights by their name there."""
    rng = np.random.default_rng(0)
    width, hidden, layers, heads, key_heads, vocabulary, length = 8, 12, 2, 2, 1, 262, 16
    each = width // heads
    shapes = {
        "tokens": (vocabulary, width), "att": (layers, width), "wq": (layers, width, width),
        "wk": (layers, key_heads * each, width), "wv": (layers, key_heads * each, width),
        "wo": (layers, width, width), "ffn": (layers, width), "w1": (layers, hidden, width),
        "w2": (layers, width, hidden), "w3": (layers, hidden, width), "final": (width,),
        "cos": (length, each // 2), "sin": (length, each // 2),
    }  # fmt: skip
    shapes |= {} if shared else {"output": (vocabulary, width)}
    weights = {name: rng.normal(0, 0.4, shape).astype(np.float32) for name, shape in shapes.items()}
    folder.mkdir()
    header = struct.pack("<7i", width, hidden, layers, heads, key_heads, vocabulary if shared else -vocabulary, length)
    (folder / "model.bin").write_bytes(header + b"".join(value.tobytes() for value in weights.values()))
    pieces = [b"<unk>", b"\n<s>\n", b"\n</s>\n", *(b"<0x%02X>" % i for i in range(256)), b" ", b"a", b" a"]
    body = b"".join(struct.pack("<fi", -float(i), len(piece)) + piece for i, piece in enumerate(pieces))
    (folder / "tok262.bin").write_bytes(struct.pack("<i", 8) + body)
    return weights


def by_hand(w, ids):
    """The forward pass of llama2.c's run.c, one token after the other, in numpy float64."""
    w = {name: value.astype(np.float64) for name, value in w.items()}
    width, layers, heads, each = 8, 2, 2, 4

    def rms(x, scale):
        return scale * x / np.sqrt(np.mean(x * x) + 1e-5)

    def rotate(x, place):
        x = x.copy()
        for i in range(0, len(x), 2):
            angle = place / 10000.0 ** ((i % each) / each)
            a, b = x[i], x[i + 1]
            x[i], x[i + 1] = a * np.cos(angle) - b * np.sin(angle), a * np.sin(angle) + b * np.cos(angle)
        return x

    keys = [[] for _ in range(layers)]
    values = [[] for _ in range(layers)]
    out = []
    for place, token in enumerate(ids):
        x = w["tokens"][token]
        for layer in range(layers):
            h = rms(x, w["att"][layer])
            q = rotate(w["wq"][layer] @ h, place)
            keys[layer].append(rotate(w["wk"][layer] @ h, place))
            values[layer].append(w["wv"][layer] @ h)
            read = np.zeros(width)
            for n in range(heads):  # both query heads read the one key head
                scores = np.array([k @ q[n * each : (n + 1) * each] for k in keys[layer]]) / np.sqrt(each)
                chances = np.exp(scores - scores.max())
                read[n * each : (n + 1) * each] = (chances / chances.sum()) @ np.array(values[layer])
            x = x + w["wo"][layer] @ read
            h = rms(x, w["ffn"][layer])
            gate = w["w1"][layer] @ h
            x = x + w["w2"][layer] @ (gate / (1 + np.exp(-gate)) * (w["w3"][layer] @ h))
        out.append(w.get("output", w["tokens"]) @ rms(x, w["final"]))
    return np.array(out)


@pytest.mark.parametrize("shared", [True, False])
def test_llama2c(shared, tmp_path):
    weights = llama2c(tmp_path / "m", shared)
    model, params, tokenizer = interop.read(tmp_path / "m")
    ids = [1, 17, 200, 261, 5, 88]
    found = jax.jit(model.apply)({"params": params}, np.array([ids]))[0][0]
    np.testing.assert_allclose(found, by_hand(weights, ids), atol=1e-4)
    assert (tokenizer.bos, tokenizer.eos, tokenizer.size) == (1, 2, 262)
    assert tokenizer.encode("aé") == [261, 3 + 0xC3, 3 + 0xA9]
    assert tokenizer.decode(tokenizer.encode("a é")) == "a é"

    data = (tmp_path / "m" / "model.bin").read_bytes()
    for spoiled in (data[:-4], data[:20], b"\0" * 100, data + b"\0\0\0\0"):
        (tmp_path / "m" / "model.bin").write_bytes(spoiled)
        with pytest.raises(UserError, match=r"is no llama2.c model of version 0"):
            interop.read(tmp_path / "m")
    (tmp_path / "m" / "model.bin").write_bytes(data)
    (tmp_path / "m" / "tok262.bin").write_bytes((tmp_path / "m" / "tok262.bin").read_bytes()[:-3])
    with pytest.raises(UserError, match=r"is no tokenizer of llama2.c"):
        interop.read(tmp_path / "m")


@pytest.mark.parametrize("family", ["gpt2", "roberta"])
def test_a_vocabulary_and_its_merges(family, tmp_path):
    folder, _ = copied(family, tmp_path / "x")
    vocabulary = {piece: i for i, piece in enumerate(["<s>", "<pad>", "</s>", "<unk>", "<mask>", "a", "b", "ab"])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\na b\n")
    _, _, tokenizer = interop.read(folder)
    assert tokenizer.encode("abb") == [7, 6]
    assert (tokenizer.bos, tokenizer.pad, tokenizer.eos, tokenizer.mask) == (0, 1, 2, 4)


def test_a_vocabulary_of_word_pieces(tmp_path):
    folder, _ = copied("bert", tmp_path / "x")
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "Ab", "ab", "##c"]))
    assert interop.read(folder)[2].encode("Abc") == [6, 7]
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    assert interop.read(folder)[2].encode("Abc") == [5, 7]


def test_settings_survive(tmp_path):
    """Every setting that says what a model computes is in config.json."""
    config = llama(**SMALL, rotary_base=5e5, norm_epsilon=1e-5, head_width=6, tied=True, use_bias=True)
    params = initialise(build(config), jax.random.key(0))
    interop.write(tmp_path / "out", config, params, None)
    read = folders.load(tmp_path / "out").config
    assert dataclasses.replace(read, init_std=config.init_std, scale_residual_init=False) == config

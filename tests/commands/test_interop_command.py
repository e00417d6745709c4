# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""`import` makes runs that the other commands take, `export` writes what others read; mistakes are one line."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import launch
from seqjax import interop, trees
from seqjax.data import tokenizers
from seqjax.models.families import bert, gpt2, t5
from seqjax.models.model import build, initialise
from seqjax.training import checkpoint

SMALL = {"vocab_size": 261, "layers": 2, "width": 16, "heads": 2, "mlp_width": 24, "max_length": 64, "dropout": 0.0}
CONFIGS = {
    "gpt2": gpt2(**SMALL),
    "bert": bert(**SMALL),
    "trunk": bert(**SMALL),
    "t5": t5(**SMALL, decoder_layers=1),
}
BYTES = tokenizers.build("bytes", list)


def call(capsys, *arguments):
    """Runs a command with --json and returns its result: the last line of stdout."""
    status = launch.main([*map(str, arguments), "--json"])
    captured = capsys.readouterr()
    assert status == 0, captured.err
    return json.loads(captured.out.splitlines()[-1])


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Published checkpoints by name, the runs made of them under runs/, and a text to score."""
    folder = tmp_path_factory.mktemp("interop")
    (folder / "text.txt").write_text("to be or not to be, that is the question. " * 40)
    (folder / "pairs.tsv").write_text("text\tpair\n" + "to be or not to be\tthat is the question\n" * 40)
    for name, config in CONFIGS.items():
        params = initialise(build(config), jax.random.key(0))
        if name == "trunk":
            params = {"trunk": params["trunk"]}
        interop.write(folder / name, config, params, BYTES)
        spec = f"tsv:{folder / 'pairs.tsv'}" if name == "t5" else f"text:{folder / 'text.txt'}"
        data = [f"data={spec}", "data.length=32"]
        assert launch.main(["import", str(folder / name), str(folder / "runs" / name), *data]) == 0
    return folder


@pytest.mark.parametrize("name", CONFIGS)
def test_parameters_arrive(place, name):
    experiment, params = checkpoint.load(place / "runs" / name)
    published = trees.flatten(interop.read(place / name)[1])
    for path, value in trees.flatten(params).items():
        if path in published:
            np.testing.assert_array_equal(value, published[path])
        else:
            assert name == "trunk" and path.startswith("head/")
    terms = {"bert": ("mlm",), "trunk": ("mlm",), "t5": ("text",)}
    assert experiment.objective.terms == terms.get(name, ("clm",))


def test_eval(place, capsys):
    """The score is the model's: mean cross entropy by hand."""
    scores = call(capsys, "eval", place / "runs" / "gpt2")["scores"]
    assert 4.0 < scores["clm"] < 8.0
    assert call(capsys, "eval", place / "runs" / "bert")["scores"].keys() == {"loss", "mlm", "accuracy"}
    assert {"bleu", "rougeL"} <= call(capsys, "eval", place / "runs" / "t5")["report"].keys()
    (said,) = call(capsys, "predict", place / "runs" / "t5", "--text", "a text")
    assert said["answer"].strip()


def test_an_import_has_no_run_to_repeat(place, capsys):
    assert launch.main(["reproduce", str(place / "runs" / "bert")]) == 2
    assert "was trained elsewhere and imported" in capsys.readouterr().err


def test_generate(place, capsys):
    found = call(capsys, "generate", place / "runs" / "gpt2", "--prompt", "to", "--max-new", 5, "--temperature", 0)
    assert found["tokens"] <= 5


@pytest.mark.parametrize("name", ["bert", "trunk"])
def test_init_from(place, name, tmp_path, capsys):
    """Fine-tuning begins with the published trunk; a fresh head is never taken for a trained one."""
    run = place / "runs" / name
    call(
        capsys, "train", "quickstart_package", "--tiny", "--quiet", "--run", tmp_path / "tuned", f"init_from={run}",
        "parallel.devices=1", "run.steps=2", "run.eval_every=2", "data.limit=16", "optimizer.freeze=^trunk/",
    )  # fmt: skip
    before, after = (trees.flatten(checkpoint.load(folder)[1]) for folder in (run, tmp_path / "tuned"))
    trunk = [path for path in before if path.startswith("trunk/")]
    for path in trunk:
        np.testing.assert_array_equal(before[path], after[path])
    merged = json.loads((tmp_path / "tuned" / "merge.json").read_text())
    assert sorted(merged["reused"]) == sorted(trunk)


def test_not_taken_is_said(capsys, tmp_path):
    """A pooler has no place here."""
    golden = Path(__file__).parents[1] / "goldens" / "interop" / "bert"
    shutil.copytree(golden, tmp_path / "bert")
    (tmp_path / "bert" / "vocab.txt").write_text("[UNK]\n[PAD]\na")
    found = call(capsys, "import", tmp_path / "bert", tmp_path / "run")
    assert found["not_taken"][:2] == ["bert.pooler.dense.bias", "bert.pooler.dense.weight"]
    assert not found["headless"]


@pytest.mark.parametrize("name", CONFIGS)
def test_export_safetensors(place, name, capsys, tmp_path):
    found = call(capsys, "export", place / "runs" / name, tmp_path / "out")
    kinds = {"gpt2": "GPT2LMHeadModel", "t5": "T5ForConditionalGeneration"}
    assert found["architecture"] == kinds.get(name, "BertForMaskedLM")
    _, params, tokenizer = interop.read(tmp_path / "out")
    jax.tree.map(np.testing.assert_array_equal, params, checkpoint.load(place / "runs" / name)[1])
    assert tokenizer.hash == BYTES.hash


PROGRAM = """
import json, sys
import numpy as np
from jax import export
assert not any(name.startswith(("seqjax", "flax")) for name in sys.modules)
folder = sys.argv[1]
program = export.deserialize(open(folder + "/model.stablehlo", "rb").read())
inputs = np.load(folder + "/inputs.npz")
names = [entry["name"] for entry in json.load(open(folder + "/signature.json"))["inputs"]]
for rows in (1, 3):
    logits = program.call(*(inputs[name][:rows] for name in names))
    np.save(folder + f"/logits{rows}.npy", logits)
"""


@pytest.mark.parametrize("name", ["bert", "gpt2", "t5"])
def test_export_stablehlo(place, name, capsys, tmp_path, rng):
    """A process that imports nothing but jax gives the same logits, for any number of rows."""
    folder = tmp_path / "out"
    signature = call(capsys, "export", place / "runs" / name, folder, "--format", "stablehlo")["signature"]
    ids = rng.integers(5, 261, (3, 9)).astype(np.int32)
    segments = np.ones_like(ids)
    segments[1, 6:] = 0
    inputs = {"tokens": ids, "segments": segments}
    named = {"segments_BL": segments}
    if name == "bert":
        inputs["token_types"] = named["token_types_BL"] = (np.arange(9)[None] > 4).astype(np.int32).repeat(3, 0)
    if name == "t5":
        inputs |= {"source": ids[:, :7], "source_segments": segments[:, :7]}
        named |= {"source_BS": ids[:, :7], "source_segments_BS": segments[:, :7]}
    assert [entry["name"] for entry in signature["inputs"]] == list(inputs)
    assert signature["outputs"] == [{"name": "logits", "shape": ["batch", "length", 261], "dtype": "float32"}]
    np.savez(folder / "inputs.npz", **inputs)
    subprocess.run([sys.executable, "-I", "-c", PROGRAM, folder], check=True, cwd=tmp_path)
    _, params = checkpoint.load(place / "runs" / name)
    wanted = build(CONFIGS[name]).apply({"params": params}, ids, **named)[0]
    for rows in (1, 3):
        found = np.load(folder / f"logits{rows}.npy")
        np.testing.assert_allclose(found[segments[:rows] > 0], wanted[:rows][segments[:rows] > 0], atol=1e-4)
    assert tokenizers.load(folder / "tokenizer").hash == BYTES.hash


@pytest.fixture
def spoiled(place, tmp_path):
    """A copy of a checkpoint that a row may spoil, as FILES; runs stand under RUNS."""
    shutil.copytree(place / "gpt2", tmp_path / "gpt2")
    weights = tmp_path / "gpt2" / "model.safetensors"
    (tmp_path / "cut").mkdir()
    for name in ("config.json", "tokenizer_meta.json"):
        shutil.copy(place / "gpt2" / name, tmp_path / "cut")
    (tmp_path / "cut" / "model.safetensors").write_bytes(weights.read_bytes()[:-50])
    shutil.copytree(tmp_path / "cut", tmp_path / "pickle")
    (tmp_path / "pickle" / "model.safetensors").rename(tmp_path / "pickle" / "pytorch_model.bin")
    shutil.copytree(tmp_path / "gpt2", tmp_path / "mute")
    (tmp_path / "mute" / "tokenizer_meta.json").unlink()
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    return tmp_path


MISTAKES = {
    "no such folder": (["import", "FILES/nowhere", "FILES/run"], "does not exist"),
    "no checkpoint": (["import", "FILES/empty", "FILES/run"], "holds no config.json"),
    "cut off": (["import", "FILES/cut", "FILES/run"], "is damaged, or no safetensors file"),
    "a pickle": (["import", "FILES/pickle", "FILES/run"], "is never opened here"),
    "no tokenizer": (["import", "FILES/mute", "FILES/run"], "holds no tokenizer"),
    "a run is there": (["import", "FILES/gpt2", "RUNS/gpt2"], "holds a run already"),
    "a file": (["import", "FILES/gpt2", "FILES/file/run"], "is a file"),
    "the checkpoint's width": (
        ["import", "FILES/gpt2", "FILES/run", "model.width=32"],
        "model.width is the checkpoint's",
    ),
    "bad override": (["import", "FILES/gpt2", "FILES/run", "dat=x"], "did you mean 'data'?"),
    "bad regex": (["import", "FILES/gpt2", "FILES/run", "--allow", "["], "is not a regular expression"),
    "one argument": (["import", "FILES/gpt2"], "RUN"),
    "export nothing": (["export", "FILES/empty", "FILES/out"], "holds no checkpoint"),
    "export onto": (["export", "RUNS/gpt2", "FILES/gpt2"], "is there already"),
    "program onto": (["export", "RUNS/gpt2", "FILES/gpt2", "--format", "stablehlo"], "is there already"),
    "bad format": (["export", "RUNS/gpt2", "FILES/out", "--format", "onnx"], "invalid choice: 'onnx'"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake(mistake, place, spoiled, capsys):
    arguments, message = MISTAKES[mistake]
    arguments = [word.replace("FILES", str(spoiled)).replace("RUNS", str(place / "runs")) for word in arguments]
    try:
        status = launch.main(arguments)
    except SystemExit as stop:
        status = stop.code
    error = capsys.readouterr().err
    assert status == 2
    assert error.startswith("error: ") and message in error
    assert len(error.splitlines()) == 1
    assert not (spoiled / "run").exists() and not (spoiled / "out").exists()

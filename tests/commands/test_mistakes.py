# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Every mistake gives one clear line and exit status 2, never a traceback."""

import json

import pytest

import launch

TRAIN = ["train", "quickstart_mlm", "--tiny", "--quiet", "parallel.devices=1"]
PACKAGE = ["train", "quickstart_package", "--tiny", "--quiet", "parallel.devices=1"]
ROLES = ["train", "stdlib_roles", "--tiny", "--quiet", "parallel.devices=1"]
SHOW = ["show", "quickstart_mlm"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Malformed files, and two tiny runs: a masked and a causal model's."""
    folder = tmp_path_factory.mktemp("files")
    contents = {
        "empty.txt": b"",
        "latin.txt": "caf\xe9 au lait\n".encode("latin-1"),
        "bad.jsonl": b'{"text": "a"}\n{"text": \n',
        "list.jsonl": b'{"text": "a"}\n[1, 2]\n',
        "bad.tsv": b"text\tlabel\nx y\tpos\nonly one field\n",
        "good.tsv": b"text\tlabel\nx y\tpos\nz z\tneg\n" * 20,
        "bad.csv": b"text,label\nx,y,z\n",
        "bad.conll": b"EU B-ORG\nrejects\n\n",
        "file": b"",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / "nothing").mkdir()
    (folder / "broken").mkdir()
    (folder / "broken" / "config.json").write_text("{")
    (folder / "broken" / "run.json").write_text("{}")
    for name in ("quickstart_mlm", "quickstart_clm"):
        assert launch.main(["train", name, "--tiny", "--quiet", "parallel.devices=1", "--run", str(folder / name)]) == 0
    return folder


MISTAKES = {
    # the command line
    "unknown command": (["trian"], "trian"),
    "no name": (["train"], "NAME"),
    "unknown option": ([*SHOW, "--quite"], "--quite"),
    "not a number of seeds": (["quickstart", "--seeds", "many"], "many"),
    "no seeds": (["quickstart", "--seeds", "0"], "--seeds 0"),
    "stray word": (["diff", "a", "b", "c=d"], "c=d"),
    "unknown experiment": (["show", "quickstart_mml"], "did you mean 'quickstart_mlm'"),
    "unknown experiment, train": (["train", "bert"], "unknown experiment 'bert'"),
    # settings
    "misspelt key": ([*SHOW, "optimiser.peak_lr=1"], "did you mean 'optimizer'"),
    "misspelt nested key": ([*SHOW, "optimizer.peek_lr=1"], "did you mean 'peak_lr'"),
    "misspelt key, train": ([*TRAIN, "run.step=3"], "did you mean 'steps'"),
    "misspelt key, check": (["check", "quickstart_mlm", "--tiny", "datta=x"], "did you mean 'data'"),
    "no equals sign": ([*SHOW, "steps"], "key=value"),
    "a group, not a value": ([*SHOW, "run=3"], "group of settings"),
    "not a whole number": ([*SHOW, "run.steps=ten"], "expected a whole number, found 'ten'"),
    "not a number": ([*SHOW, "optimizer.peak_lr=high"], "expected a number"),
    "not true or false": ([*SHOW, "model.scan=maybe"], "expected true or false"),
    "not numbers": ([*SHOW, "data.buckets=8,x"], "expected a whole number"),
    "unknown kind": ([*SHOW, "model=gru"], "unknown kind 'gru'"),
    "heads": ([*SHOW, "model.heads=3"], "not divisible"),
    "activation": ([*SHOW, "model.activation=gelo"], "model.activation"),
    "dtype": ([*SHOW, "model.dtype=float8"], "float32, bfloat16"),
    "optimizer": ([*SHOW, "optimizer.name=adamm"], "optimizer.name: 'adamm'"),
    "schedule": ([*SHOW, "optimizer.schedule=step"], "optimizer.schedule"),
    "learning rate": ([*SHOW, "optimizer.peak_lr=0"], "must be above 0"),
    "layout": ([*SHOW, "data.layout=heap"], "data.layout"),
    "no buckets": ([*SHOW, "data.layout=bucket"], "data.buckets"),
    "no batch": ([*SHOW, "data.batch=0"], "data.batch=0"),
    "rate": ([*SHOW, "objective.rate=1.5"], "objective.rate"),
    "masking": ([*SHOW, "objective.masking=often"], "dynamic, static"),
    "direction": ([*SHOW, "run.direction=up"], "min, max"),
    "no steps": ([*SHOW, "run.steps=0"], "run.steps=0"),
    "backend": ([*SHOW, "parallel=tpu"], "jit, pmap"),
    "warm-up": ([*TRAIN, "optimizer.warmup=100"], "optimizer.warmup=100 is longer"),
    "batch among devices": ([*TRAIN, "parallel.devices=8", "data.batch=12"], "data.batch=12 does not divide"),
    "too many devices": ([*TRAIN, "parallel.devices=99"], "there are 8 devices"),
    "length": ([*TRAIN, "data.length=3"], "data.length=3"),
    "vocabulary": ([*TRAIN, "model.vocab_size=10"], "model.vocab_size=0"),
    "positions": ([*TRAIN, "model.positions=learned", "model.max_length=16"], "longer than model.max_length=16"),
    "tokenizer": ([*TRAIN, "data.tokenizer=bpp:100"], "bpp"),
    "decay rule": ([*TRAIN, 'optimizer.decay=[["(",0],[".*",1]]'], "regular expression"),
    "decay rule that matches nothing": ([*TRAIN, 'optimizer.decay=[["biass",0],[".*",1]]'], "matches no parameter"),
    "decay rules with a hole": ([*TRAIN, 'optimizer.decay=[["bias",0]]'], "no rule covers"),
    "freeze": ([*TRAIN, "optimizer.freeze=^body/"], "matches no parameter"),
    "metric": ([*TRAIN, "run.metric=f1"], "run.metric=f1 is not among the scores"),
    # data
    "missing file": ([*TRAIN, "data=text:FILES/nowhere.txt"], "nowhere.txt"),
    "glob without files": ([*TRAIN, "data=text:FILES/*.none"], "*.none"),
    "empty file": ([*TRAIN, "data=text:FILES/empty.txt"], "empty.txt"),
    "encoding": ([*TRAIN, "data=text:FILES/latin.txt"], "encoding"),
    "malformed jsonl": ([*TRAIN, "data=jsonl:FILES/bad.jsonl"], "bad.jsonl:2"),
    "jsonl without objects": ([*TRAIN, "data=jsonl:FILES/list.jsonl"], "list.jsonl:2"),
    "malformed tsv": ([*PACKAGE, "data=tsv:FILES/bad.tsv"], "bad.tsv:3"),
    "malformed csv": ([*PACKAGE, "data=csv:FILES/bad.csv"], "bad.csv:2"),
    "malformed conll": ([*ROLES, "data=conll:FILES/bad.conll"], "bad.conll:2"),
    "column": ([*PACKAGE, "data=tsv:FILES/good.tsv", "data.source.label=class"], "class"),
    "kind of source": ([*TRAIN, "data=txt:FILES/latin.txt"], "txt"),
    "unknown tfds": ([*TRAIN, "data=tfds:no_such_set"], "no_such_set"),
    "unknown part of stdlib": ([*TRAIN, "data=stdlib/doc"], "docs"),
    # folders of runs
    "no run": (["eval", "FILES/nowhere"], "holds no checkpoint"),
    "no run in the folder": (["eval", "FILES/nothing"], "holds no checkpoint"),
    "no run to reproduce": (["reproduce", "FILES/nothing"], "holds no run"),
    "no run to compare": (["diff", "FILES/nothing", "FILES/quickstart_mlm"], "holds no run"),
    "broken run": (["diff", "FILES/broken", "FILES/quickstart_mlm"], "config.json"),
    "split": (["eval", "FILES/quickstart_mlm", "--split", "tset"], "tset"),
    "step": (["eval", "FILES/quickstart_mlm", "--step", "5"], "no checkpoint of step 5"),
    "step that is no number": (["eval", "FILES/quickstart_mlm", "--step", "last"], "no checkpoint of step last"),
    "generating with a masked model": (["generate", "FILES/quickstart_mlm", "--prompt", "a"], "causal"),
    "temperature": (["generate", "FILES/quickstart_clm", "--prompt", "a", "--temperature", "-1"], "temperature"),
    "top-p": (["generate", "FILES/quickstart_clm", "--prompt", "a", "--top-p", "2"], "top-p"),
    "top-k": (["generate", "FILES/quickstart_clm", "--prompt", "a", "--top-k", "-2"], "top-k"),
    "max-new": (["generate", "FILES/quickstart_clm", "--prompt", "a", "--max-new", "0"], "max-new"),
    "init_from without a run": ([*PACKAGE, "init_from=FILES/nothing"], "holds no checkpoint"),
    "run is a file": ([*TRAIN, "--run", "FILES/file"], "is a file"),
    "run holds another": ([*TRAIN, "run.seed=9", "--run", "FILES/quickstart_mlm"], "run.seed (0 there, 9 here)"),
}


@pytest.mark.parametrize(("arguments", "message"), MISTAKES.values(), ids=MISTAKES)
def test_one_clear_line_and_status_2(arguments, message, files, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = [word.replace("FILES", str(files)) for word in arguments]
    capsys.readouterr()
    try:
        status = launch.main([*arguments, "--json"])
        last = capsys.readouterr()
        assert json.loads(last.out.splitlines()[-1])["error"] in last.err
    except SystemExit as exit_:  # argparse
        status, last = exit_.code, capsys.readouterr()
    assert status == 2
    (line,) = [line for line in last.err.splitlines() if line.strip()]
    assert line.startswith("error: ")
    assert message in line
    assert "Traceback" not in last.err

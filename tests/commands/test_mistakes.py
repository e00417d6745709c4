# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Every mistake gives one clear line and exit status 2, never a traceback."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import launch
from seqjax import commands

ROOT = Path(__file__).parents[2]
TRAIN = ["train", "quickstart_mlm", "--tiny", "--quiet", "parallel.devices=1"]
PACKAGE = ["train", "quickstart_package", "--tiny", "--quiet", "parallel.devices=1"]
ROLES = ["train", "stdlib_roles", "--tiny", "--quiet", "parallel.devices=1"]
CHOICE = ["train", "xcopa", "--tiny", "--quiet", "parallel.devices=1", "data.buckets=", "data.layout=pad"]
SHOW = ["show", "quickstart_mlm"]
SQUAD = ["train", "squad", "--tiny", "--quiet", "parallel.devices=1"]
SHOW_SQUAD = ["show", "squad"]
SWEEP = ["sweep", "quickstart_mlm", "--tiny"]
SHOW_TEXTS = ["show", "addition_lstm"]
CAUSAL = ["train", "quickstart_clm", "--tiny", "--quiet", "parallel.devices=1"]
STREAM = ["data.layout=stream", "model.positions=learned"]
GENERATE = ["generate", "FILES/quickstart_clm", "--prompt", "a"]


def _squad(answers):
    asked = b'{"question": "a?", "answers": ' + answers + b"}"
    return b'{"data": [{"paragraphs": [{"context": "a b", "qas": [' + b", ".join([asked] * 40) + b"]}]}]}"


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
        "quote.csv": b'text,label\n"x,y\n',
        "number.jsonl": b'{"text": "a"}\n{"text": 3}\n',
        "tags.jsonl": b'{"words": ["a", "b"], "tags": ["O"]}\n',
        "plain.tsv": b"text\tkind\nx y\tpos\n" * 20,
        "other.tsv": b"text\tlabel\nx y\tneutral\n",
        "text.gz": b"no gzip",
        "blank.txt": b"\n \n",
        "vocab.txt": b"a\nb\n",
        "bad.conll": b"EU B-ORG\nrejects\n\n",
        "bad.squad": b'{"data": [\n{"title": }',
        "keys.squad": b'{"data": [{"paragraphs": [{"qas": []}]}]}',
        "list.squad": b"[1]",
        "answers.squad": _squad(b"[{}]"),
        "offset.squad": _squad(b'[{"text": "b", "answer_start": 0}]'),
        "file": b"",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / "nothing").mkdir()
    (folder / "broken").mkdir()
    (folder / "broken" / "config.json").write_text("{")
    (folder / "broken" / "run.json").write_text("{}")
    assert launch.main([*TRAIN, "--run", str(folder / "quickstart_mlm")]) == 0
    assert launch.main([*CAUSAL, *STREAM, "model.max_length=64", "--run", str(folder / "quickstart_clm")]) == 0
    damages = {
        "facts": ("run.json", "{}"),
        "list": ("run.json", "[1]"),
        "config": ("config.json", "{"),
        "key": ("config.json", '{"nmae": "x"}'),
        "metrics": ("metrics.jsonl", "junk\n{}\n"),
        "tokenizer": ("tokenizer/tokenizer_meta.json", "junk"),
        "no-tokenizer": ("tokenizer/tokenizer_meta.json", None),
        "meta": ("checkpoints/6/meta/metadata", "{"),
        "no-params": ("checkpoints/6/params", None),
        "no-opt_state": ("checkpoints/6/opt_state", None),
        "no-checkpoints": ("checkpoints", None),
    }
    for name, (place, content) in damages.items():
        copy = shutil.copytree(folder / "quickstart_mlm", folder / f"damaged-{name}")
        if content is not None:
            (copy / place).write_text(content)
        elif (copy / place).is_dir():
            shutil.rmtree(copy / place)
        else:
            (copy / place).unlink()
    return folder


MISTAKES = {
    # the command line
    "unknown command": (["trian"], "trian"),
    "no name": (["train"], "NAME"),
    "unknown option": ([*SHOW, "--quite"], "--quite"),
    "not a number of seeds": (["quickstart", "--seeds", "many"], "many"),
    "no seeds": (["quickstart", "--seeds", "0"], "--seeds 0"),
    "seeds below none": (["quickstart", "--seeds", "-1"], "--seeds -1"),
    "half a seed": (["quickstart", "--seeds", "1.5"], "--seeds"),
    "one folder to compare": (["diff", "a"], "DIR2"),
    "no prompt": (["generate", "a"], "--prompt"),
    "temperature in words": ([*GENERATE, "--temperature", "hot"], "'hot'"),
    "tolerance in words": (["reproduce", "a", "--tolerance", "little"], "'little'"),
    "tolerance": (["reproduce", "a", "--tolerance", "nan"], "--tolerance nan"),
    "stray word": (["diff", "a", "b", "c=d"], "c=d"),
    "unknown experiment": (["show", "quickstart_mml"], "did you mean 'quickstart_mlm'"),
    "unknown experiment, train": (["train", "bert"], "unknown experiment 'bert'"),
    "nothing to search": (["sweep", "sst2_bert", "--tiny"], "nothing to search"),
    "no trials": (["sweep", "sst2_bert", "run.steps=1,2", "--trials", "0"], "--trials 0"),
    "search of an unknown key": (["sweep", "sst2_bert", "run.stepps=range:1:2"], "did you mean 'steps'"),
    "sweep where a run is": ([*SWEEP, "run.steps=1,2", "--run", "FILES/quickstart_mlm"], "holds something else"),
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
    "not a number of a tuple": ([*SHOW, "data.buckets=[8,[9]]"], "expected a whole number, found [9]"),
    "not text in a tuple": ([*SHOW, "optimizer.freeze=[1]"], "expected text, found 1"),
    "not a pair": ([*SHOW, "optimizer.decay=bias"], "optimizer.decay: expected 2 values"),
    "half a step": ([*SHOW, "run.steps=1.5"], "expected a whole number, found 1.5"),
    "nothing": ([*SHOW, "run.steps="], "expected a whole number, found ''"),
    "true for a number": ([*SHOW, "optimizer.peak_lr=true"], "expected a number, found True"),
    "not finite": ([*SHOW, "optimizer.peak_lr=inf"], "expected a finite number"),
    "beyond a float": ([*SHOW, "optimizer.clip=1" + "0" * 400], "expected a finite number"),
    "not a number at all": ([*SHOW, "optimizer.end_lr=nan"], "expected a finite number"),
    "key of a value": ([*SHOW, "run.steps.x=3"], "'steps' is a single value"),
    "key of another kind": ([*SHOW, "model=rnn", "model.heads=2"], "unknown key 'heads'"),
    "unknown kind": ([*SHOW, "model=gru"], "unknown kind 'gru'"),
    "heads": ([*SHOW, "model.heads=3"], "not divisible"),
    "no heads": ([*SHOW, "model.heads=0"], "model.heads=0 must be at least 1"),
    "no layers": ([*SHOW, "model.layers=0"], "model.layers=0 must be at least 1"),
    "no layers, rnn": ([*SHOW, "model=rnn", "model.layers=0"], "model.layers=0 must be at least 1"),
    "odd head width": ([*SHOW, "model.width=6", "model.heads=2"], "even head width"),
    "vocabulary below none": ([*SHOW, "model.vocab_size=-1"], "model.vocab_size=-1"),
    "dropout": ([*SHOW, "model.dropout=1"], "model.dropout=1.0 must be at least 0 and less than 1"),
    "dropout, rnn": ([*SHOW, "model=rnn", "model.dropout=2"], "model.dropout=2.0"),
    "offsets": ([*SHOW_SQUAD, "objective.offsets=keep"], "refuse, find, drop"),
    "score": ([*SHOW_SQUAD, "objective.score=bleu"], "squad, cmrc2018"),
    "no best": ([*SHOW_SQUAD, "objective.n_best=0"], "objective.n_best=0 must be at least 1"),
    "dropout, head": ([*SHOW, "objective=tagging", "objective.dropout=-1"], "objective.dropout=-1.0"),
    "smoothing": ([*SHOW, "objective=clm", "objective.label_smoothing=1"], "objective.label_smoothing=1.0"),
    "pool": ([*SHOW, "objective=classification", "objective.pool=max"], "first, mean, last, entities"),
    "norm": ([*SHOW, "model.norm=mid"], "pre, post"),
    "kind of positions": ([*SHOW, "model.positions=alibi"], "learned, sinusoidal, rotary"),
    "momentum": ([*SHOW, "optimizer.b1=1"], "optimizer.b1=1.0"),
    "warm-up below none": ([*SHOW, "optimizer.warmup=-3"], "optimizer.warmup=-3"),
    "clip": ([*SHOW, "optimizer.clip=-1"], "optimizer.clip=-1.0"),
    "layer decay": ([*SHOW, "optimizer.layer_decay=0"], "optimizer.layer_decay=0.0"),
    "seed": ([*SHOW, "run.seed=-1"], "run.seed=-1"),
    "large seed": ([*SHOW, "run.seed=4294967296"], "less than 4_294_967_296"),
    "patience": ([*SHOW, "run.patience=-1"], "run.patience=-1"),
    "copies": ([*SHOW, "objective.copies=0"], "objective.copies=0"),
    "shares": ([*SHOW, "objective.masked=0.9", "objective.random=0.3"], "sum to at most 1"),
    "short rows": ([*SHOW, "data.length=3"], "data.length=3 must be at least 4"),
    "limit": ([*SHOW, "data.limit=-1"], "data.limit=-1"),
    "long bucket": ([*SHOW, "data.layout=bucket", "data.buckets=999"], "data.buckets: 999"),
    "holdout": ([*SHOW, "data.source.holdout=1"], "data.source.holdout: expected a fraction"),
    "unit": ([*SHOW, "data.source.unit=lines"], "did you mean 'line'"),
    "init_allow": ([*SHOW, "init_allow=("], "not a regular expression"),
    "devices": ([*SHOW, "parallel.devices=-1"], "parallel.devices=-1"),
    "activation": ([*SHOW, "model.activation=gelo"], "model.activation"),
    "dtype": ([*SHOW, "model.dtype=float8"], "float32, bfloat16"),
    "optimizer": ([*SHOW, "optimizer.name=adamm"], "optimizer.name: 'adamm'"),
    "schedule": ([*SHOW, "optimizer.schedule=step"], "optimizer.schedule"),
    "drop of nothing": ([*SHOW, "optimizer.drops=[[0,0.5]]"], "optimizer.drops: 0, 0.5"),
    "schedule-free with a schedule": ([*SHOW, "optimizer.name=schedule_free"], "optimizer.schedule=constant"),
    "stage without updates": ([*SHOW, "data.stages=[[0,16,4]]"], "data.stages: 0, 16, 4"),
    "stage of long rows": ([*SHOW, "data.stages=[[4,9999,4]]"], "data.stages: 4, 9999, 4"),
    "stage without a batch": ([*SHOW, "data.stages=[[4,16]]"], "expected 3 values"),
    "stages of buckets": (
        [*SHOW, "data.layout=bucket", "data.buckets=16", "data.stages=[[4,16,4]]"],
        "not for data.layout=bucket",
    ),
    "strips by pmap": ([*SHOW, "data.layout=strips", "parallel=pmap"], "needs parallel.backend=jit"),
    "strips without a state": ([*CAUSAL, "data.layout=strips"], "set model=rnn"),
    "stages longer than the run": ([*SHOW, "data.stages=[[9,16,4]]", "run.steps=9"], "leave none of run.steps=9"),
    "learning rate": ([*SHOW, "optimizer.peak_lr=0"], "must be above 0"),
    "layout": ([*SHOW, "data.layout=heap"], "data.layout"),
    "no buckets": ([*SHOW, "data.layout=bucket"], "data.buckets"),
    "places for no row": (
        [*SHOW, "data.layout=bucket", "data.buckets=16", "data.places=100"],
        "data.places=100 holds no data.multiple=8 rows",
    ),
    "places and devices": (
        [
            "check",
            "addition_lstm",
            "--tiny",
            "data.layout=bucket",
            "data.buckets=4",
            "data.places=128",
            "data.length=8",
            "data.multiple=3",
            "parallel.devices=2",
        ],
        "change data.multiple or parallel.devices",
    ),
    "words of BLEU": ([*SHOW_TEXTS, "objective.bleu=words"], "objective.bleu: 'words' is not one of 13a"),
    "length penalty": ([*SHOW_TEXTS, "objective.length_penalty=-1"], "objective.length_penalty=-1"),
    "no batch": ([*SHOW, "data.batch=0"], "data.batch=0"),
    "rate": ([*SHOW, "objective.rate=1.5"], "objective.rate"),
    "masking": ([*SHOW, "objective.masking=often"], "dynamic, static"),
    "direction": ([*SHOW, "run.direction=up"], "min, max"),
    "no steps": ([*SHOW, "run.steps=0"], "run.steps=0"),
    "backend": ([*SHOW, "parallel=tpu"], "jit, mesh, pmap"),
    "warm-up": ([*TRAIN, "optimizer.warmup=100"], "optimizer.warmup=100 is longer"),
    "axes without a mesh": ([*SHOW, "parallel.fsdp=2"], "set parallel=mesh"),
    "axes that do not fill the devices": ([*TRAIN[:-1], "parallel=mesh", "parallel.fsdp=3"], "does not fill 8 devices"),
    "vocabulary among devices": (
        [*TRAIN[:-1], "parallel=mesh", "parallel.tensor=8", "model.vocab_size=501"],
        "set model.vocab_size to a multiple",
    ),
    "width among devices": (
        [*TRAIN[:-1], "parallel=mesh", "parallel.fsdp=8", "model.width=20"],
        "which parallel.fsdp=8 does not divide; change one",
    ),
    "remat": ([*SHOW, "model.remat=true"], "none, dots, full"),
    "topology": (["compile", "quickstart_mlm", "--topology", "v9"], "write a generation"),
    "batch among devices": ([*TRAIN, "parallel.devices=8", "data.batch=12"], "data.batch=12 does not divide"),
    "too many devices": ([*TRAIN, "parallel.devices=99"], "there are 8 devices"),
    "stage among devices": (
        [*TRAIN, "parallel.devices=8", "data.stages=[[2,16,12]]"],
        "data.stages: a batch of 12 rows does not divide among 8 devices",
    ),
    "length": ([*TRAIN, "data.length=3"], "data.length=3"),
    "vocabulary": ([*TRAIN, "model.vocab_size=10"], "model.vocab_size=0"),
    "positions": ([*TRAIN, "model.positions=learned", "model.max_length=16"], "longer than model.max_length=16"),
    "tokenizer": ([*TRAIN, "data.tokenizer=bpp:100"], "bpp"),
    "batch among micro-batches": ([*TRAIN, "run.accumulate=3"], "run.accumulate=3"),
    "tokenizer without a size": ([*TRAIN, "data.tokenizer=bpe"], "needs a size"),
    "tokenizer too small": ([*TRAIN, "data.tokenizer=bpe:10"], "10 ids are too few"),
    "tokenizer of a missing file": ([*TRAIN, "data.tokenizer=nowhere.json"], "cannot read nowhere.json"),
    "tokenizer of another file": ([*TRAIN, "data.tokenizer=FILES/vocab.txt"], "found no line [UNK]"),
    "causal loss, masked model": ([*TRAIN, "objective=clm"], "set model.causal=true"),
    "metric, check": (["check", *TRAIN[1:3], "parallel.devices=1", "run.metric=f1"], "loss, accuracy, mlm"),
    "warm-up, check": (["check", *TRAIN[1:3], "parallel.devices=1", "optimizer.warmup=100"], "is longer"),
    "decay rule": ([*TRAIN, 'optimizer.decay=[["(",0],[".*",1]]'], "regular expression"),
    "decay rule that matches nothing": ([*TRAIN, 'optimizer.decay=[["biass",0],[".*",1]]'], "matches no parameter"),
    "decay rules with a hole": ([*TRAIN, 'optimizer.decay=[["bias",0]]'], "no rule covers"),
    "freeze twice": ([*TRAIN, "optimizer.freeze=^trunk/,layer_0"], "'layer_0' is never the first to match"),
    "freeze": ([*TRAIN, "optimizer.freeze=^body/"], "matches no parameter"),
    "metric": ([*TRAIN, "run.metric=f1"], "run.metric=f1 is not among the scores"),
    "pairs in groups": (
        ["train", "search_stdlib", "--tiny", "--quiet", "parallel.devices=1", "objective.group=3"],
        "data.batch=8 does not divide among 1 devices in groups of 3 (objective.group)",
    ),
    "group of one": (["show", "search_stdlib", "objective.group=1"], "objective.group=1 must be at least 2"),
    "similarity": (["show", "search_stdlib", "objective.similarity=l2"], "not one of cosine, dot"),
    "class weights": (["show", "sst2_bert", "objective.class_weights=1,-1"], "class_weights: -1.0 must be at least 0"),
    "class weights of others": ([*PACKAGE, "objective.class_weights=1,2"], "one for each of"),
    "class weights of a chain": (
        ["show", "stdlib_roles", "objective.crf=true", "objective.class_weights=1,2"],
        "set objective.crf=false",
    ),
    "rate of nothing": ([*SHOW, 'optimizer.rates=[[".*",0]]'], "must be a factor above 0"),
    "rates with a hole": ([*TRAIN, 'optimizer.rates=[["bias",2]]'], "optimizer.rates: no rule covers"),
    "unfreezing upwards": ([*SHOW, "optimizer.unfreeze=-1"], "optimizer.unfreeze=-1"),
    "fresh layers of nothing": ([*SHOW, "reinit_layers=1"], "needs init_from"),
    "too many fresh layers": (
        [*TRAIN, "init_from=FILES/quickstart_mlm", "reinit_layers=3"],
        "reinit_layers=3: the model has 2 layers",
    ),
    # data
    "a label that is no number": (
        ["train", "glue_stsb", "--tiny", "--quiet", "data=tsv:FILES/good.tsv"],
        "expected a number for the label",
    ),
    "no column of choices": ([*CHOICE, "data=tsv:FILES/good.tsv", "data.source.choices=a,b"], "no column 'a'"),
    "no choices": ([*CHOICE, "data=tsv:FILES/good.tsv"], "no 'choices'"),
    "choices without room": ([*CHOICE, "data.length=7"], "data.length=7 leaves no room for 2 choices"),
    "choices in a stream": ([*CHOICE, "data.layout=stream"], "use pad or bucket"),
    "missing file": ([*TRAIN, "data=text:FILES/nowhere.txt"], "nowhere.txt"),
    "glob without files": ([*TRAIN, "data=text:FILES/*.none"], "*.none"),
    "empty file": ([*TRAIN, "data=text:FILES/empty.txt"], "empty.txt"),
    "blank file": ([*TRAIN, "data=text:FILES/blank.txt"], "blank.txt:1"),
    "folder of files": ([*TRAIN, "data=text:FILES"], "write"),
    "no gzip": ([*TRAIN, "data=text:FILES/text.gz"], "text.gz:1"),
    "missing file, validation": ([*TRAIN, "data.source.validation=text:nowhere.txt"], "nowhere.txt"),
    "missing file, check": (["check", "quickstart_mlm", "--tiny", "data=text:nowhere.txt"], "nowhere.txt"),
    "unknown encoding": ([*TRAIN, "data=text:FILES/latin.txt", "data.source.encoding=utf-99"], "utf-99"),
    "no validation": ([*TRAIN, "data=jsonl:FILES/number.jsonl", "data.source.holdout=0"], "no validation split"),
    "encoding": ([*TRAIN, "data=text:FILES/latin.txt"], "encoding"),
    "malformed jsonl": ([*TRAIN, "data=jsonl:FILES/bad.jsonl"], "bad.jsonl:2"),
    "jsonl without objects": ([*TRAIN, "data=jsonl:FILES/list.jsonl"], "list.jsonl:2"),
    "jsonl, not text": ([*TRAIN, "data=jsonl:FILES/number.jsonl"], "number.jsonl:2"),
    "jsonl, tags": ([*ROLES, "data=jsonl:FILES/tags.jsonl"], "tags.jsonl:1: expected one tag for each of the 2 words"),
    "open quote": ([*PACKAGE, "data=csv:FILES/quote.csv"], "quote.csv:2"),
    "no labels": ([*PACKAGE, "data=tsv:FILES/plain.tsv"], "has no 'label'"),
    "no labels, stdlib": ([*PACKAGE, "data=stdlib/docs"], "has no 'label'"),
    "no tags": ([*ROLES, "data=stdlib/package"], "has no 'words'"),
    "label of validation only": (
        [*PACKAGE, "data=tsv:FILES/good.tsv", "data.source.validation=tsv:FILES/other.tsv"],
        "unknown label 'neutral'",
    ),
    "malformed tsv": ([*PACKAGE, "data=tsv:FILES/bad.tsv"], "bad.tsv:3"),
    "malformed csv": ([*PACKAGE, "data=csv:FILES/bad.csv"], "bad.csv:2"),
    "malformed conll": ([*ROLES, "data=conll:FILES/bad.conll"], "bad.conll:2"),
    "malformed squad": ([*SQUAD, "data=squad:FILES/bad.squad"], "bad.squad:2: expected the JSON of SQuAD"),
    "squad without contexts": (
        [*SQUAD, "data=squad:FILES/keys.squad"],
        "a text 'context' in data[0].paragraphs[0], found qas",
    ),
    "squad of another form": ([*SQUAD, "data=squad:FILES/list.squad"], "a list 'data' in the file, found [1]"),
    "answers of another form": ([*SQUAD, "data=squad:FILES/answers.squad"], "expected answers as"),
    "wrong offset": ([*SQUAD, "data=squad:FILES/offset.squad"], "set objective.offsets=find"),
    "wrong offset, check": (
        ["check", *SQUAD[1:3], "data=squad:FILES/offset.squad"],
        "'b' does not stand at character 0",
    ),
    "no answers": ([*SQUAD, "data=stdlib/summary", "data.source.pair=summary"], "has no 'answers'"),
    "no context": ([*SQUAD, "data=stdlib/summary"], "has no 'pair'"),
    "questions without answers": ([*SQUAD, "data=stdlib/questions_v2"], "set objective.no_answer=true"),
    "questions packed": ([*SQUAD, "data.layout=pack"], "use pad or bucket"),
    "column": ([*PACKAGE, "data=tsv:FILES/good.tsv", "data.source.label=class"], "class"),
    "kind of source": ([*TRAIN, "data=txt:FILES/latin.txt"], "txt"),
    "unknown tfds": ([*TRAIN, "data=tfds:no_such_set"], "no_such_set"),
    "unknown tfds configuration": ([*TRAIN, "data=tfds:glue/colla"], "tfds:glue/colla cannot be opened"),
    "no source": ([*TRAIN, "data=FILES/good.tsv"], "is not a data source"),
    "split of stdlib": ([*TRAIN, "data=stdlib/docs@tset"], "has no split 'tset'"),
    "column of stdlib": ([*PACKAGE, "data.source.text=body"], "has no column 'body'"),
    "unknown part of stdlib": ([*TRAIN, "data=stdlib/doc"], "docs"),
    # folders of runs
    "no run": (["eval", "FILES/nowhere"], "holds no checkpoint"),
    "no run in the folder": (["eval", "FILES/nothing"], "holds no checkpoint"),
    "no run to reproduce": (["reproduce", "FILES/nothing"], "holds no run"),
    "no run to compare": (["diff", "FILES/nothing", "FILES/quickstart_mlm"], "holds no run"),
    "broken run": (["diff", "FILES/broken", "FILES/quickstart_mlm"], "config.json"),
    "run without facts": (["diff", "FILES/quickstart_mlm", "FILES/damaged-facts"], "run.json is not what a run writes"),
    "run without facts, reproduce": (["reproduce", "FILES/damaged-list"], "it holds no object"),
    "run without facts, train": ([*TRAIN, "--run", "FILES/damaged-facts"], "it has no 'command'"),
    "run with a broken configuration": (["reproduce", "FILES/damaged-config"], "config.json"),
    "run with a misspelt key": (["reproduce", "FILES/damaged-key"], "unknown key 'nmae'"),
    "run with broken metrics": (["diff", "FILES/damaged-metrics", "FILES/quickstart_mlm"], "metrics.jsonl, line 1"),
    "run with a broken tokenizer": (["eval", "FILES/damaged-tokenizer"], "is damaged"),
    "run without a tokenizer": (["eval", "FILES/damaged-no-tokenizer"], "holds no saved tokenizer"),
    "run with a broken checkpoint": (["eval", "FILES/damaged-meta"], "checkpoints/6' is damaged"),
    "run without parameters": (["eval", "FILES/damaged-no-params"], "checkpoints/6' is damaged"),
    "run without optimiser state": ([*TRAIN, "--run", "FILES/damaged-no-opt_state"], "checkpoints/6' is damaged"),
    "run without checkpoints": (["reproduce", "FILES/damaged-no-checkpoints"], "no checkpoint"),
    "split": (["eval", "FILES/quickstart_mlm", "--split", "tset"], "tset"),
    "step": (["eval", "FILES/quickstart_mlm", "--step", "5"], "no checkpoint of step 5"),
    "step that is no number": (["eval", "FILES/quickstart_mlm", "--step", "last"], "no checkpoint of step last"),
    "average of too many": (["eval", "FILES/quickstart_mlm", "--step", "average:9"], "train with run.keep=9"),
    "average of none": (["eval", "FILES/quickstart_mlm", "--step", "average:0"], "no checkpoint of step average:0"),
    "step that is nearly one": (["eval", "FILES/quickstart_mlm", "--step", "²"], "no checkpoint of step ²"),
    "threshold of a run without": (
        ["predict", "FILES/quickstart_mlm", "--text", "a", "--threshold", "1"],
        "objective.no_answer=true",
    ),
    "predicting without a task": (["predict", "FILES/quickstart_mlm", "--text", "a"], "fine-tune it first"),
    "texts to search": (["predict", "FILES/quickstart_mlm", "--text", "a", "--among", "x"], "for a run of retrieval"),
    "empty prompt": (["generate", "FILES/quickstart_clm", "--prompt", ""], "the prompt is empty"),
    "long prompt": ([*GENERATE[:3], "a" * 60], "the prompt (60 tokens) and 100 new ones exceed"),
    "generating without a run": (["generate", "FILES/nothing", "--prompt", "a"], "holds no checkpoint"),
    "generating with a seed": ([*GENERATE, "--seed", "-1"], "--seed -1"),
    "no temperature": ([*GENERATE, "--temperature", "nan"], "temperature nan"),
    "top-p, greedy": ([*GENERATE, "--temperature", "0", "--top-p", "2"], "top-p"),
    "generating with a masked model": (["generate", "FILES/quickstart_mlm", "--prompt", "a"], "causal"),
    "temperature": ([*GENERATE, "--temperature", "-1"], "temperature"),
    "top-p": ([*GENERATE, "--top-p", "2"], "top-p"),
    "top-k": ([*GENERATE, "--top-k", "-2"], "top-k"),
    "max-new": ([*GENERATE, "--max-new", "0"], "max-new"),
    "init_from and another model": (
        [*PACKAGE, "init_from=FILES/quickstart_mlm", "model.layers=3"],
        "model.layers is that of",
    ),
    "init_from and another tokenizer": (
        [*PACKAGE, "init_from=FILES/quickstart_mlm", "data.tokenizer=bytes"],
        "data.tokenizer is that of",
    ),
    "init_from without a run": ([*PACKAGE, "init_from=FILES/nothing"], "holds no checkpoint"),
    "init_from a damaged run": ([*PACKAGE, "init_from=FILES/damaged-no-params"], "is damaged"),
    "init_from another task": (
        [*PACKAGE, "init_from=FILES/quickstart_mlm", "init_allow=^embed/"],
        "the checkpoint lacks head/output/bias",
    ),
    "init_from a masked model": ([*CAUSAL, "init_from=FILES/quickstart_mlm"], "init_from the run of a causal one"),
    "init_from a shorter one": ([*PACKAGE, "init_from=FILES/quickstart_clm", "data.length=128"], "model.max_length=64"),
    "run in a bucket": ([*TRAIN, "--run", "gs://bucket/run"], "mount the bucket"),
    "run in a file": ([*TRAIN, "--run", "FILES/file/x"], "is a file"),
    "run that cannot be made": ([*TRAIN, "--run", "/proc/nowhere"], "cannot"),
    "run of a long name": ([*TRAIN, "--run", "x" * 300], "too long"),
    "reproduce into another": (
        ["reproduce", "FILES/quickstart_clm", "--run", "FILES/quickstart_mlm"],
        "holds a run already",
    ),
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
        (result,) = last.out.splitlines()
        assert json.loads(result)["error"] in last.err
    except SystemExit as exit_:  # argparse
        status, last = exit_.code, capsys.readouterr()
        assert last.out == ""
    assert status == 2
    (line,) = [line for line in last.err.splitlines() if line.strip()]
    assert line.startswith("error: ")
    assert message in line
    assert "Traceback" not in last.err


def test_without_json_nothing_is_on_stdout(capsys):
    assert launch.main(["show", "quickstart_mml"]) == 2
    assert capsys.readouterr().out == ""


def test_a_mistake_leaves_nothing_behind_that_its_correction_would_meet(tmp_path, capsys):
    """Whatever is wrong is found before the folder of the run is made."""
    for mistake in ("run.metric=f1", "optimizer.warmup=100", "optimizer.freeze=^body/", "data.length=3"):
        assert launch.main([*TRAIN, mistake, "--run", str(tmp_path / "run")]) == 2
        assert not (tmp_path / "run").exists()


def test_overrides_that_fit_only_together_may_stand_in_any_order(capsys):
    for words in (["model.heads=3", "model.width=96"], ["data.layout=bucket", "data.buckets=16"]):
        shown = []
        for order in (words, words[::-1]):
            assert launch.main([*SHOW, *order]) == 0
            shown.append(capsys.readouterr().out)
        assert shown[0] == shown[1]


def test_a_list_of_regexes_is_read_as_one(capsys):
    for text, wanted in (('["^a/","[bc]"]', ["^a/", "[bc]"]), ("^a/,^b/", ["^a/", "^b/"]), ("[ab]/", ["[ab]/"])):
        assert launch.main([*SHOW, f"optimizer.freeze={text}"]) == 0
        assert json.loads(capsys.readouterr().out)["optimizer"]["freeze"] == wanted


def test_a_full_disk_is_one_line(capsys, monkeypatch):
    def full(**options):
        raise OSError(28, "No space left on device", "metrics.jsonl")

    monkeypatch.setitem(commands.COMMANDS, "list", full)
    assert launch.main(["list"]) == 2
    assert capsys.readouterr().err == "error: [Errno 28] No space left on device: 'metrics.jsonl'\n"


def test_a_reader_that_leaves_early_sees_no_traceback():
    process = subprocess.Popen(
        [sys.executable, "launch.py", "show", "quickstart_mlm"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 141


def test_ctrl_c_is_one_line(capsys, monkeypatch):
    def interrupted(**options):
        raise KeyboardInterrupt

    monkeypatch.setitem(commands.COMMANDS, "list", interrupted)
    assert launch.main(["list"]) == 130
    assert capsys.readouterr().err == "error: interrupted\n"

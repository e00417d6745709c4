# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The words of the command line: every command, its options and their help. Importing it loads nothing heavy."""

import argparse
import sys
from collections.abc import Callable
from typing import Any


class Parser(argparse.ArgumentParser):
    """Says what is wrong with a command line in one line."""

    def error(self, message: str) -> Any:
        print(f"error: {message} (see {self.prog} --help)", file=sys.stderr)
        sys.exit(2)


def parser(description: str | None) -> argparse.ArgumentParser:
    """Returns the parser of `launch.py`; `description` is what its --help begins with."""
    parser = Parser(prog="launch.py", description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    parser.set_defaults(json=False)

    def add(name: str, help: str, *groups: Callable[[argparse.ArgumentParser], None], **words: str) -> Parser:
        sub = subparsers.add_parser(name, help=help, description=help[0].upper() + help[1:] + ".")
        for word, meaning in words.items():
            sub.add_argument(word, metavar=meaning.split()[0], help=meaning.partition(" ")[2])
        for group in groups:
            group(sub)
        sub.add_argument("--json", action="store_true", help="print the result as one JSON object on the last line")
        return sub

    add("list", "the experiments, one line each")
    show = add("show", "an experiment's resolved configuration as JSON", _experiment)
    show.add_argument("--diff", action="store_true", help="only what differs from the experiment it is a variation of")
    dry = add("check", "a dry run: data, shapes, parameters, memory and devices; nothing is trained", _experiment)
    dry.add_argument("--topology", metavar="T", help="memory on TPUs at most, as v5e:4x4; needs neither data nor TPUs")
    ahead = add("compile", "compile an experiment's update for a TPU topology that need not be here", _experiment)
    ahead.add_argument("--topology", required=True, metavar="T", help="v5e:4x4, v4:2x2x2, v5p:2x2x1, v6e:16x16, ...")
    tour = add("quickstart", "pretrain, fine-tune from the checkpoint and from scratch, generate: the main job", _run)
    tour.add_argument("--seeds", type=int, default=1, metavar="N", help="fine-tune with N seeds each (default 1)")
    train = add(
        "train", "pretrain or fine-tune, as the experiment says; goes on where DIR holds its run", _experiment, _run
    )
    train.add_argument(
        "--seeds", type=int, default=1, metavar="N", help="N runs, in DIR/seed-*: mean and sd (default 1)"
    )
    train.add_argument(
        "--profile", type=int, metavar="N", help="record a trace of N updates after the first few, in DIR/trace"
    )
    train.add_argument(
        "--distributed", action="store_true", help="one of several processes, on each of which this command is given"
    )
    train.add_argument("--coordinator", metavar="HOST:PORT", help="of process 0, unless a cluster says (--distributed)")
    train.add_argument("--processes", type=int, metavar="N", help="how many there are (--distributed)")
    train.add_argument("--process", type=int, metavar="I", help="which of them this is, from 0 (--distributed)")
    search = add(
        "sweep",
        "search settings: key=log:LOW:HIGH, key=range:LOW:HIGH, key=A,B; goes on where DIR holds this sweep",
        _experiment,
        _run,
    )
    search.add_argument(
        "--trials", type=int, metavar="N", help="runs in all (default: each combination of lists; 20 with a range)"
    )
    search.add_argument("--seed", type=int, default=0, metavar="S", help="of the search (default 0)")
    _job(add("submit", "give a command to Slurm as a job, which goes on by itself where its time runs out"))
    evaluate = add("eval", "score a run's best checkpoint", folder="DIR a run's folder")
    evaluate.add_argument("--split", default="validation", help="default: validation")
    evaluate.add_argument(
        "--step", default="best", metavar="STEP", help="best (default), newest, a number or average:N (of checkpoints)"
    )
    add(
        "generate",
        "continue a prompt with a causal model's run, or answer it with an encoder-decoder's",
        _sampling,
        folder="DIR a run's folder",
    )
    add(
        "predict", "what a fine-tuned run says of texts: classes, tags, numbers or answers", _asking,
        folder="DIR a run's folder",
    )  # fmt: skip
    reproduce = add("reproduce", "run a recorded run again and compare the two", _run, folder="DIR a run's folder")
    reproduce.add_argument("--tolerance", type=float, default=1e-5, help="relative, of any metric (default 1e-5)")
    add("diff", "why two runs differ: settings, data, versions, hardware", a="DIR1 a run's folder", b="DIR2 other")
    come = {"path": "PATH the checkpoint's folder", "into": "RUN the new run's folder"}
    arrive = add("import", "make a run of a published checkpoint (transformers or llama2.c)", _overrides, **come)
    arrive.add_argument("--allow", default="", metavar="REGEX", help="tensors that may be missing or left over")
    leave = add("export", "write a run's model for others", folder="RUN a run's folder", path="PATH a new folder")
    leave.add_argument("--format", choices=("safetensors", "stablehlo"), default="safetensors", help="first: default")
    return parser


def parse(description: str | None, arguments: list[str] | None) -> dict[str, Any]:
    """Reads a command line; overrides may stand after options too, which argparse alone does not allow."""
    words = parser(description)
    options, rest = words.parse_known_args(arguments)
    if strange := [word for word in rest if word.startswith("-") or "overrides" not in options]:
        words.error(f"unrecognized arguments: {' '.join(strange)}")
    if rest:
        options.overrides += rest
    return vars(options)


def _job(job: argparse.ArgumentParser) -> None:
    job.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND ...", help="train NAME ..., sweep NAME ...")
    job.add_argument("--cluster", choices=("slurm", "local"), default="slurm", help="slurm (default), or this machine")
    job.add_argument("--nodes", type=int, default=1, metavar="N", help="machines (default 1)")
    job.add_argument("--tasks", type=int, default=1, metavar="N", help="processes on each (default 1; --distributed)")
    job.add_argument("--gpus", type=int, default=0, metavar="N", help="GPUs on each machine (default 0)")
    job.add_argument("--cpus", type=int, default=1, metavar="N", help="processor cores of each process (default 1)")
    job.add_argument("--hours", type=float, default=1.0, metavar="H", help="after which it is queued anew (default 1)")
    job.add_argument("--logs", default="runs/jobs", metavar="DIR", help="what jobs say (default runs/jobs)")
    job.add_argument("--slurm", action="append", metavar="key=value", help="of sbatch: partition=gpu, account=me, ...")


def _experiment(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="an experiment, as `launch.py list` shows them")
    _overrides(parser)
    parser.add_argument("--tiny", action="store_true", help="the experiment's tiny version: seconds on any machine")


def _overrides(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="settings by dotted name: run.steps=500")


def _run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--run", dest="into", metavar="DIR", help="the run's folder (default: one under runs/)")
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def _asking(predict: argparse.ArgumentParser) -> None:
    predict.add_argument("--text", action="append", metavar="TEXT", help="one text, or a pair with a tab between")
    predict.add_argument(
        "--file", metavar="FILE", help="a text or a pair on each line, or .jsonl, .tsv, .csv, .conll; .gz too"
    )
    predict.add_argument("--among", metavar="FILE", help="of retrieval: find the most alike of this file's lines")
    predict.add_argument("--out", metavar="FILE", help="write JSON lines here instead of showing them")
    predict.add_argument(
        "--threshold", type=float, metavar="T", help="answer where the best span scores T above none (objective's)"
    )
    predict.add_argument("--encoding", default="utf-8", help="of --file (default utf-8)")


def _sampling(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--prompt", required=True, help="the text to continue")
    parser.add_argument("--max-new", type=int, default=100, metavar="N", help="most new tokens (default 100)")
    parser.add_argument("--temperature", type=float, metavar="T", help="0 is greedy (default 0.8)")
    parser.add_argument("--top-k", type=int, metavar="K", help="sample among the K likeliest (default: all)")
    parser.add_argument("--top-p", type=float, metavar="P", help="nucleus sampling (default: off)")
    parser.add_argument("--min-p", type=float, metavar="P", help="only tokens P times as likely as the likeliest")
    parser.add_argument("--repetition-penalty", type=float, metavar="R", help="above 1 lowers what occurred before")
    parser.add_argument("--stop", action="append", metavar="STR", help="end before this text; may be given repeatedly")
    parser.add_argument("--seed", type=int, metavar="S", help="of the draws (default 0)")
    parser.add_argument("--beams", type=int, metavar="K", help="beam search with K beams instead of sampling")
    parser.add_argument("--length-penalty", type=float, metavar="A", help="beams: scores / length**A (default 1)")
    parser.add_argument("--n-best", type=int, metavar="N", help="beams: show the N best texts (default 1)")

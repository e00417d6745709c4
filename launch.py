# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Pretrain, fine-tune and use sequence models.

  python launch.py quickstart                       the tour: pretrain, fine-tune, generate, in five minutes on a laptop
  python launch.py list                             the experiments
  python launch.py train NAME [key=value ...]       run one

Settings are overridden by their dotted names, as `show` prints them: run.steps=500 data=text:/corpus/*.txt
"""

import argparse
import json
import os
import sys
from collections.abc import Callable
from typing import Any


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 0, 1 for a run that diverged, 2 for a mistake of the user's, or 128 + a signal."""
    try:
        try:
            return _call(arguments)
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        print("error: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # who reads, `head` perhaps, has seen enough; nothing is left to flush at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _call(arguments: list[str] | None) -> int:
    """Parses, calls, prints."""
    options = _parse(arguments)
    command, as_json = options.pop("command"), options.pop("json")
    if command is None:
        _parser().print_help()
        return 0
    from seqjax import commands
    from seqjax.errors import FILES, Diverged, UserError
    from seqjax.training.environment import keep_compiled_programs

    keep_compiled_programs()
    try:
        result, text = commands.COMMANDS[command](**options)
    except (UserError, Diverged, OSError) as error:
        if isinstance(error, OSError) and error.errno not in FILES:
            raise
        print(f"error: {error}", file=sys.stderr)
        if as_json:
            print(json.dumps({"error": str(error)}))
        return 1 if isinstance(error, Diverged) else 2
    print(text, file=sys.stderr if as_json else sys.stdout)
    if as_json:
        print(json.dumps(result))
    return 0


def _parse(arguments: list[str] | None) -> dict[str, Any]:
    """Reads the command line; overrides may stand after options too, which argparse alone does not allow."""
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    if strange := [word for word in rest if word.startswith("-") or "overrides" not in options]:
        parser.error(f"unrecognized arguments: {' '.join(strange)}")
    if rest:
        options.overrides += rest
    return vars(options)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with a command line in one line."""

    def error(self, message: str) -> Any:
        print(f"error: {message} (see {self.prog} --help)", file=sys.stderr)
        sys.exit(2)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="launch.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    parser.set_defaults(json=False)

    def add(name: str, help: str, *groups: Callable[[argparse.ArgumentParser], None], **words: str) -> _Parser:
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
    add("check", "a dry run: data, shapes, parameters, memory and devices; nothing is trained", _experiment)
    tour = add("quickstart", "pretrain, fine-tune from the checkpoint and from scratch, generate: the main job", _run)
    tour.add_argument("--seeds", type=int, default=1, metavar="N", help="fine-tune with N seeds each (default 1)")
    add("train", "pretrain or fine-tune, as the experiment says; goes on where DIR holds its run", _experiment, _run)
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
    reproduce = add("reproduce", "run a recorded run again and compare the two", _run, folder="DIR a run's folder")
    reproduce.add_argument("--tolerance", type=float, default=1e-5, help="relative, of any metric (default 1e-5)")
    add("diff", "why two runs differ: settings, data, versions, hardware", a="DIR1 a run's folder", b="DIR2 other")
    come = {"path": "PATH the checkpoint's folder", "into": "RUN the new run's folder"}
    arrive = add("import", "make a run of a published checkpoint (transformers or llama2.c)", _overrides, **come)
    arrive.add_argument("--allow", default="", metavar="REGEX", help="tensors that may be missing or left over")
    leave = add("export", "write a run's model for others", folder="RUN a run's folder", path="PATH a new folder")
    leave.add_argument("--format", choices=("safetensors", "stablehlo"), default="safetensors", help="first: default")
    return parser


def _experiment(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="an experiment, as `launch.py list` shows them")
    _overrides(parser)
    parser.add_argument("--tiny", action="store_true", help="the experiment's tiny version: seconds on any machine")


def _overrides(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="settings by dotted name: run.steps=500")


def _run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--run", dest="into", metavar="DIR", help="the run's folder (default: one under runs/)")
    parser.add_argument("--quiet", action="store_true", help="show no progress")


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


if __name__ == "__main__":
    sys.exit(main())

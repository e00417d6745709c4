# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""What `launch.py` calls: each command takes its options and returns (a result for JSON, text or lines to print)."""

from collections.abc import Callable, Iterator
from typing import Any

from seqjax.commands.ahead import compile_ahead
from seqjax.commands.compare import diff, reproduce
from seqjax.commands.experiments import check, list_experiments, show
from seqjax.commands.interop import export_run, import_checkpoint
from seqjax.commands.predict import predict_texts
from seqjax.commands.quickstart import quickstart
from seqjax.commands.runs import evaluate, generate, train
from seqjax.commands.submit import submit
from seqjax.commands.sweep import sweep

COMMANDS: dict[str, Callable[..., tuple[Any, str | Iterator[str]]]] = {
    "list": list_experiments,
    "show": show,
    "check": check,
    "compile": compile_ahead,
    "quickstart": quickstart,
    "train": train,
    "sweep": sweep,
    "submit": submit,
    "eval": evaluate,
    "generate": generate,
    "predict": predict_texts,
    "reproduce": reproduce,
    "diff": diff,
    "import": import_checkpoint,
    "export": export_run,
}

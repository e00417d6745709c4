# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Small experiments on a small text, for tests of whole runs."""

import atexit
import collections
import dataclasses
import itertools
import json
import os
import random
import time

import jax

from seqjax.data.pipeline import Data, Dataset
from seqjax.data.rows import LAYOUTS
from seqjax.data.sources import Source
from seqjax.experiment import Experiment, Run
from seqjax.models.model import ModelConfig
from seqjax.models.rnn import RNNConfig
from seqjax.models.transformer_config import TransformerConfig
from seqjax.objectives.clm import CLM
from seqjax.objectives.continuation import Continuation
from seqjax.objectives.denoisers import Denoisers
from seqjax.objectives.mlm import MLM
from seqjax.objectives.multiple_choice import MultipleChoice
from seqjax.objectives.multitask import Multitask
from seqjax.objectives.pairs import PairedMLM
from seqjax.objectives.prefix_lm import PrefixLM
from seqjax.objectives.question_answering import QuestionAnswering
from seqjax.objectives.regression import Regression
from seqjax.objectives.rtd import RTD
from seqjax.objectives.span_corruption import SpanCorruption
from seqjax.objectives.two_towers import CosineRegression, InBatchNegatives
from seqjax.training import processes
from seqjax.training.environment import keep_compiled_programs
from seqjax.training.finish import finish
from seqjax.training.optimizers import Optimizer
from seqjax.training.parallel import Parallel
from seqjax.training.run import train
from seqjax.training.watch import Watch

OBJECTIVES = {
    "clm": CLM(), "mlm": MLM(), "prefix": PrefixLM(), "span": SpanCorruption(), "denoisers": Denoisers(),
    "pair": PairedMLM(), "rtd": RTD(generator_width=1.0), "strips": CLM(), "multitask": Multitask((CLM(), PairedMLM(relation="order")), (1.0, 0.5)),
    "answers": QuestionAnswering(no_answer=True), "choice": MultipleChoice(pool="mean"), "regression": Regression(),
    "towers": InBatchNegatives(group=4), "cosine": CosineRegression(), "continuation": Continuation(prefix=True),
}  # fmt: skip
SPECS = {
    "choice": "made:choice/3", "regression": "made:similarity/3", "cosine": "made:similarity/3", "towers": "made:copy/5",
    "continuation": "made:copy/5",
}  # fmt: skip  # of those that need more than texts
ONE_WAY = ("clm", "strips", "prefix", "span", "denoisers", "multitask", "continuation")


def text(folder, documents=60):
    """Writes one document a line, of very unequal lengths, and returns its spec."""
    chooser = random.Random(0)
    words = [
        "the",
        "a",
        "model",
        "reads",
        "writes",
        "long",
        "short",
        "text",
        "and",
        "or",
        "then",
        "here",
        "there",
        "what",
        "of",
        "in",
    ]
    lines = [" ".join(chooser.choices(words, k=chooser.choice([1, 2, 5, 30]))) for _ in range(documents)]
    path = folder / "corpus.txt"
    path.write_text("\n".join(lines) + "\n")
    asked = (
        {"text": line[:9], "pair": line, "answers": [{"text": line[-3:], "answer_start": len(line) - 3}]}
        for line in lines
        if len(line) > 3
    )
    path.with_suffix(".jsonl").write_text("".join(json.dumps(record) + "\n" for record in asked))
    return f"text:{path}"


def experiment(spec, objective="clm", **changes):
    """Returns an experiment of seconds; `changes` are of its Run."""
    model: ModelConfig = TransformerConfig(
        layers=1,
        width=16,
        heads=2,
        mlp_width=32,
        max_length=32,
        causal=objective in ONE_WAY,
        dropout=0.1,
        decoder_layers=int(OBJECTIVES[objective].sources),
    )
    layout = next(name for name in LAYOUTS if name in OBJECTIVES[objective].layouts)
    if objective == "strips":  # a model that goes on from the state in which the batch before left it
        model, layout = RNNConfig(width=16, dropout=0.1), "strips"
    spec = SPECS.get(objective, spec)
    if objective == "answers":
        spec = spec.replace("text:", "jsonl:").replace(".txt", ".jsonl")
    run = Run(steps=12, log_every=1, eval_every=4, seed=3, keep=2, eval_rows=48)
    return Experiment(
        name=f"test-{objective}",
        data=Data(
            source=Source(train=spec, unit="line", holdout=0.2, pair="pair" if objective == "answers" else ""),
            tokenizer="bytes",
            length=32,
            batch=8,
            layout=layout,
        ),
        model=model,
        objective=OBJECTIVES[objective],
        optimizer=Optimizer(peak_lr=1e-2, warmup=3),
        parallel=Parallel("jit", 1),
        run=dataclasses.replace(run, **changes),
    )


def measured(folder):
    """Returns the lines of metrics.jsonl without speed, as text: equality is equality of bits."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if not name.startswith("perf/")} for line in lines]


def run_apart(config, folder, devices, errors, slow=False):
    """The main function of a process that is to be killed; it writes to the file `errors` instead of stderr.

    With `slow` each evaluation but the first takes minutes.
    """
    os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    jax.config.update("jax_num_cpu_devices", devices)
    if slow:
        evaluate_slowly()
    train(config, folder)


def evaluate_slowly():
    """Makes each evaluation but the first take minutes."""
    plain, calls = Dataset.evaluation, itertools.count()

    def evaluation(*arguments, **options):
        batches = list(plain(*arguments, **options))  # first before training
        return itertools.chain(batches, map(wait, batches * 1000)) if next(calls) else iter(batches)

    def wait(batch):
        time.sleep(0.2)
        return batch

    Dataset.evaluation = evaluation


def run_counted(config, folder, cache, counts):
    """The main function of a process that starts as `launch.py` does and writes how often the cache had a program."""
    os.environ["SEQJAX_CACHE"] = str(cache)
    for name in [name for name in os.environ if name.startswith(("JAX_COMPILATION_CACHE", "JAX_PERSISTENT_CACHE"))]:
        del os.environ[name]
    seen = collections.Counter()
    jax.monitoring.register_event_listener(lambda event, **_: seen.update([event.rpartition("/")[2]]))
    keep_compiled_programs()
    train(config, folder, quiet=True)
    counts.write_text(json.dumps({name: seen[name] for name in ("compile_requests_use_cache", "cache_hits")}))


def run_joined(runs, devices, port, process, errors, pause, slow=False):
    """The main function of one of two processes: `train` of each (config, folder, until), with a pause in each step."""
    os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    if slow:
        evaluate_slowly()
    jax.config.update("jax_num_cpu_devices", devices)
    processes.connect(f"127.0.0.1:{port}", 2, process)
    dispatched = Watch.dispatched
    Watch.dispatched = lambda *arguments: (time.sleep(pause), dispatched(*arguments))
    with processes.together():
        for config, folder, until in runs:
            finish(train(config, folder, until=until))
    atexit._run_exitfuncs()  # which a process of multiprocessing leaves out

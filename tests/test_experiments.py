# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Every experiment: its tiny version trains, its resolved settings are the golden ones, its size is the published one.

After a change of settings that is meant, write the goldens anew and read the diff: python -m tests.test_experiments
"""

import dataclasses
import json
from pathlib import Path

import jax
import numpy as np
import pytest

from seqjax import experiment as experiments
from seqjax import trees
from seqjax.config import from_json, to_json
from seqjax.experiment import Experiment
from seqjax.models.model import shapes
from seqjax.objectives.answering import Answering
from seqjax.objectives.question_answering import QuestionAnswering
from seqjax.objectives.regression import Regression
from seqjax.objectives.rtd import RTD
from seqjax.objectives.supervised import Classification
from seqjax.objectives.two_towers import InBatchNegatives
from seqjax.training.finish import finish
from seqjax.training.parallel import Parallel
from seqjax.training.run import train

GOLDENS = Path(__file__).parent / "goldens" / "experiments"
PUBLISHED = {
    "gpt2_small": 124_439_808, "bert_base": 110_106_428, "roberta_base": 124_697_433, "t5_small": 60_506_624,
    "t5_base_v1_1": 247_577_856,
}  # fmt: skip
# Of what a later run starts from: the trunks of the released checkpoints, without poolers and heads.
PUBLISHED_TRUNK = {"electra_small": 13_483_008, "deberta_base": 138_601_728, "deberta_v3_small": 141_304_320}


def golden(name):
    versions = {"experiment": experiments.resolve(name), "tiny": experiments.resolve(name, tiny=True)}
    return json.dumps({version: to_json(value) for version, value in versions.items()}, indent=1) + "\n"


# As quickstart_package, stdlib_roles, squad and e2e_gpt2 are, but for their data and where they begin.
ALIKE = (
    "sst2_bert",
    "trec",
    "conll2003_bert",
    "cmrc2018",
    "glue_cola",
    "glue_mrpc",
    "glue_rte",
    "glue_sst2",
    "glue_qqp",
    "glue_mnli",
    "glue_qnli",
    "glue_wnli",
    "chnsenticorp_bert",
    "weibo_ner",
    "dailydialog_gpt2",
    "mrpc_t5",
)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.exhaustive] * (name in ALIKE)) for name in experiments.names()],
)
def test_tiny_trains_and_reports(name, tmp_path):
    experiment = dataclasses.replace(experiments.resolve(name, tiny=True), parallel=Parallel(devices=1))
    steps = experiment.run.steps
    experiment = dataclasses.replace(experiment, run=dataclasses.replace(experiment.run, eval_every=steps))
    outcome = finish(train(experiment, tmp_path, quiet=True))
    assert outcome["status"] == "complete"
    assert np.isfinite(outcome["eval/loss"])
    assert outcome["eval/loss"] != outcome["before"]
    for file in ("config.json", "run.json", "result.json", "metrics.jsonl", "curves.png", "report.html"):
        assert (tmp_path / file).stat().st_size > 0
    html = (tmp_path / "report.html").read_text()
    assert experiment.name in html
    assert "base64" in html
    if "report" in outcome:
        kinds = {
            Answering: {"text": ("bleu", "exact"), "number": ("pearson",)}.get(
                getattr(experiment.objective, "judged", ""), ("answer_accuracy", "macro", "confusion")
            ),
            InBatchNegatives: ("mrr", "recall_at_1"),
            Regression: ("pearson",),
            QuestionAnswering: ("exact", "f1", "intervals"),
        }
        other = ("per_class", "micro", "macro", "weighted")
        wanted = set(next((keys for kind, keys in kinds.items() if isinstance(experiment.objective, kind)), other))
        assert wanted <= outcome["report"].keys()


@pytest.mark.parametrize("name", experiments.names())
def test_settings_are_the_golden_ones(name):
    assert golden(name) == (GOLDENS / f"{name}.json").read_text()
    for values in json.loads(golden(name)).values():
        assert to_json(from_json(Experiment, values)) == values


def test_there_is_no_golden_without_an_experiment():
    assert sorted(path.stem for path in GOLDENS.iterdir()) == experiments.names()


@pytest.mark.parametrize("name", PUBLISHED)
def test_sizes_are_the_published_ones(name):
    experiment = experiments.resolve(name)
    assert trees.count(shapes(experiment.objective.build(experiment.model))) == PUBLISHED[name]


@pytest.mark.parametrize("name", PUBLISHED_TRUNK)
def test_sizes_of_trunks_are_the_published_ones(name):
    experiment = experiments.resolve(name)
    trunk = shapes(Classification(labels=("a", "b")).build(experiment.model))["trunk"]
    assert trees.count(trunk) == PUBLISHED_TRUNK[name]
    if isinstance(experiment.objective, RTD):
        assert jax.tree.structure(shapes(experiment.objective.build(experiment.model))["trunk"]) == jax.tree.structure(
            trunk
        )


@pytest.mark.parametrize("name", experiments.names())
def test_headers_say_what_one_needs_to_know(name):
    module = experiments.module(name)
    lines = module.__doc__.splitlines()
    assert lines[0].endswith(".")
    for word in ("Paper:", "Command:", "Data:", "Hardware:"):
        assert any(line.startswith(word) for line in lines), word
    assert module.HARDWARE
    assert experiments.resolve(name).name == name


if __name__ == "__main__":
    GOLDENS.mkdir(parents=True, exist_ok=True)
    for each in experiments.names():
        (GOLDENS / f"{each}.json").write_text(golden(each))

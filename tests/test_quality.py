# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Quality benchmarks without their data: settings point at the data folder, scores are found, samples are nested."""

import dataclasses
import gzip

import pytest

from benchmarks import quality
from benchmarks.quality import few_shot, minilm
from seqjax.config import differences, to_json
from seqjax.data.sources import open_split
from seqjax.evaluation.metrics import classification_report, tagging_report
from seqjax.experiment import resolve


@pytest.mark.parametrize("name", minilm.TASKS)
def test_a_row_of_the_table_is_its_experiment_with_the_data_where_they_are(name, monkeypatch):
    monkeypatch.setenv("SEQJAX_DATA", "/data")
    task = minilm.TASKS[name]
    found = minilm.setting(task, "runs/minilm", 0, 2)
    changed = differences(to_json(task.experiment()), to_json(found))
    source = {f"data.source.{split}" for split in ("train", "validation", "test")}
    assert changed.keys() <= source | {"run.seed", "init_from"} and found.run.seed == 2
    assert found.init_from == ("" if task.scratch else "runs/minilm")
    specs = (found.data.source.train, found.data.source.validation, found.data.source.test)
    for spec in filter(None, specs):
        assert spec.split(":")[1].startswith(f"/data/{task.folder}/") and spec.endswith(".gz")
    assert specs[2] and (not task.unlabelled or ("dev" in specs[2] and not specs[1]))
    short = minilm.setting(task, "runs/minilm", 20, 0)
    assert (short.run.steps, short.run.eval_every, short.optimizer.warmup) == (20, 20, 2)
    tags = tagging_report([["B-A", "O"]], [["B-A", "O"]])
    classes = classification_report(["1", "x(e1,e2)"], ["1", "x(e1,e2)"], ["1", "x(e1,e2)"])
    report = tags if task.metrics is minilm.ENTITIES else classes
    assert [of(report) for of in task.metrics.values()] == [1.0] * len(task.metrics)


def test_fewer_examples_are_part_of_more(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQJAX_DATA", str(tmp_path))
    (tmp_path / "sst2_sentences").mkdir()
    for part in ("train", "dev", "test"):
        lines = "".join(f"{i % 2} {part} sentence {i}\n" for i in range(40))
        (tmp_path / "sst2_sentences" / f"stsa.binary.{part}.gz").write_bytes(gzip.compress(lines.encode()))
    sources = {(count, seed): few_shot.examples(tmp_path, count, seed) for count in (4, 9, 0) for seed in (0, 1)}
    texts = {key: {row["text"] for row in open_split(source, "train")} for key, source in sources.items()}
    assert [len(texts[count, 0]) for count in (4, 9, 0)] == [4, 9, 40]
    assert texts[4, 0] < texts[9, 0] < texts[0, 0] == texts[0, 1] and texts[9, 0] != texts[9, 1]
    for source in sources.values():
        assert [len(open_split(source, split)) for split in ("validation", "test")] == [40, 40]
    scores = {way: {4: [50.0, 60.0], 0: [70.0, 80.0]} for way in few_shot.WAYS}
    few_shot.plot(scores, 40, tmp_path / "figures" / "few_shot.png")
    assert (tmp_path / "figures" / "few_shot.png").read_bytes().startswith(b"\x89PNG")


def test_scores_of_other_settings_are_not_taken_for_these(tmp_path, monkeypatch):
    run = resolve("sst2_lstm", tiny=True)
    monkeypatch.setattr(quality, "done", lambda experiment, folder: None)
    monkeypatch.setattr(quality.runs, "evaluate", lambda *_: ({"scores": {"accuracy": 0.5}}, ""))
    assert quality.tested(run, tmp_path)["scores"] == quality.tested(run, tmp_path)["scores"] == {"accuracy": 0.5}
    longer = dataclasses.replace(run, run=dataclasses.replace(run.run, steps=99))
    with pytest.raises(SystemExit, match=r"has scores of other settings \(run.steps\)"):
        quality.tested(longer, tmp_path)

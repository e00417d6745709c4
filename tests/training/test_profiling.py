# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""A trace holds the updates that were asked for, and changes nothing of the run."""

import gzip
import json

import pytest

from seqjax.errors import UserError
from seqjax.training.profiling import BEFORE, how_to_view
from seqjax.training.run import train
from tests.training.settings import experiment, measured, text


def test_a_trace_of_two_updates(tmp_path):
    config = experiment(text(tmp_path), steps=BEFORE + 3)
    train(config, tmp_path / "plain", quiet=True)
    outcome = train(config, tmp_path / "traced", quiet=True, profile=2)
    assert measured(tmp_path / "traced") == measured(tmp_path / "plain")
    (path,) = (tmp_path / "traced" / "trace").glob("plugins/profile/*/perfetto_trace.json.gz")
    assert len(list(path.parent.glob("*.xplane.pb"))) == 1
    events = json.loads(gzip.decompress(path.read_bytes()))["traceEvents"]
    marked = [event["args"]["step_num"] for event in events if event.get("name") == "update"]
    assert sorted(map(int, marked)) == [BEFORE, BEFORE + 1]
    assert sum("train_step" in event.get("name", "") for event in events) >= 2  # what was executed
    assert outcome["trace"] in how_to_view(outcome["trace"])


def test_a_run_too_short_for_a_trace(tmp_path):
    config = experiment(text(tmp_path), steps=BEFORE + 3)
    with pytest.raises(UserError, match=r"--profile 4 follows 3 updates that are not traced, and 6 are left"):
        train(config, tmp_path / "run", quiet=True, profile=4)
    assert not (tmp_path / "run").exists()

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""TensorFlow Datasets as a source, with a small dataset that the test prepares, and no network."""

import pickle
import re
import shutil
import socket
from pathlib import Path

import pytest

from seqjax import experiment as experiments
from seqjax.data.questions import answers
from seqjax.data.sources import Source, open_split
from seqjax.errors import UserError


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import numpy as np
    import tensorflow_datasets as tfds

    from seqjax.data.published import quiet_tfds

    class SmallReviews(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.2.3")
        url_infos = None

        def _info(self):
            text = tfds.features.Text()
            features = {
                "sentence": text,
                "label": tfds.features.ClassLabel(names=["bad", "good"]),
                "words": tfds.features.Sequence(text),
                "tags": tfds.features.Sequence(tfds.features.ClassLabel(names=["O", "B-X"])),
                "score": np.float32,
                "answers": tfds.features.Sequence({"text": text, "answer_start": np.int32}),
            }
            return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

        def _split_generators(self, dl_manager):
            return {"train": self._generate_examples(20), "test": self._generate_examples(4)}

        def _generate_examples(self, count):
            for number in range(count):
                yield (
                    number,
                    {
                        "sentence": f"naïve {number}",
                        "label": number % 2 if number else -1,
                        "words": ["a"] * number,
                        "tags": ["B-X"] * number,
                        "score": number + 0.3,
                        "answers": [{"text": "ï", "answer_start": 2}] * (number % 2),
                    },
                )

    folder = tmp_path_factory.mktemp("tfds")
    with quiet_tfds():
        SmallReviews(data_dir=folder, file_format="array_record").download_and_prepare()
    return folder


@pytest.fixture
def in_data_dir(prepared: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    import requests
    import tensorflow_datasets as tfds

    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(prepared))

    def no_network(*_, **__):
        raise OSError("no network in tests")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    # TFDS tries a connection again and again, for minutes; so it fails before there is one.
    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", no_network)
    return prepared


def test_published_records_have_names_and_text(in_data_dir: Path):
    records = open_split(Source(train="tfds:small_reviews", text="sentence"), "train")
    found = {row["text"]: row for row in records}
    assert len(found) == len(records) == 20
    row = found["naïve 3"]
    assert (row["label"], row["words"], row["tags"]) == ("good", ["a"] * 3, ["B-X"] * 3)
    assert "label" not in found["naïve 0"]
    assert records.labels == ("bad", "good")
    assert list(pickle.loads(pickle.dumps(records))) == list(records)


def test_published_answers_have_text_and_offset(in_data_dir: Path):
    records = open_split(Source(train="tfds:small_reviews", text="sentence"), "train")
    for row in records:
        found = answers(row, "here")
        assert found == [("ï", 2)] * (int(row["text"].split()[1]) % 2)
        for _, start in found:
            assert row["text"][start] == "ï"


def test_published_slices_and_chosen_splits(in_data_dir: Path):
    whole = open_split(Source(train="tfds:small_reviews", text="sentence"), "train")
    part = open_split(Source(train="tfds:small_reviews", text="sentence"), "train[:10%]")
    assert list(part) == list(whole)[:2]
    assert part.fingerprint != whole.fingerprint
    chosen = Source(train="tfds:small_reviews", validation="tfds:small_reviews@train[90%:]", text="sentence")
    assert list(open_split(chosen, "validation")) == list(whole)[18:]
    assert len(open_split(chosen, "test")) == 4


def test_a_regression_label_is_the_number_as_written(in_data_dir: Path):
    records = open_split(Source(train="tfds:small_reviews", text="sentence", label="score"), "test")
    assert sorted(row["label"] for row in records) == ["0.3", "1.3", "2.3", "3.3"]
    assert records.labels == ("O", "B-X")  # not those of the feature that is called "label"


@pytest.mark.parametrize(
    ("spec", "settings", "split", "message"),
    [
        (
            "tfds:small_reviews",
            {},
            "validation",
            r"no split 'validation'.*its splits are .*train.*data.source.validation=",
        ),
        ("tfds:small_reviews", {"text": "sentense"}, "train", r"no column 'sentense'.*sentence"),
        ("tfds:imdb_reviewz", {}, "train", r"no TFDS dataset 'imdb_reviewz'; did you mean 'imdb_reviews'"),
        ("tfds:glue/colax", {}, "train", r"glue/colax cannot be opened: .*colax"),
        ("tfds:glue/cola", {}, "train", r"is not prepared in .* and cannot be downloaded"),
    ],
)
def test_what_is_not_published_is_said_in_one_line(
    in_data_dir: Path, spec: str, settings: dict, split: str, message: str
):
    with pytest.raises(UserError, match=message):
        open_split(Source(train=spec, **settings), split)


@pytest.mark.parametrize("name", [name for name in experiments.names() if name.startswith("glue_")])
def test_tasks_of_glue_read_columns_that_tfds_has(name: str):
    """As the builders declare them; where an experiment reads files, its header says the settings for TFDS."""
    import tensorflow_datasets as tfds
    import tensorflow_datasets.text

    said = re.findall(r"data\.source\.\w+=\S*", experiments.module(name).__doc__ or "")
    source = experiments.resolve(name, said).data.source
    task = source.train.removeprefix("tfds:")
    assert task == name.replace("_", "/")
    builder = tfds.builder(task)
    for key in ("text", "pair", "label"):
        assert (getattr(source, key) or "label") in builder.info.features
    assert (len(builder.info.features) == 4) == bool(source.pair)  # two texts, label and number
    assert source.validation in ("", "tfds:glue/mnli@validation_matched")


def test_tfrecord_says_how_to_convert(in_data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import tensorflow_datasets as tfds

    folder = tmp_path / "small_reviews"
    shutil.copytree(in_data_dir / "small_reviews", folder)
    for path in folder.rglob("*array_record*"):
        path.rename(path.with_name(path.name.replace("array_record", "tfrecord")))
    (info,) = folder.rglob("dataset_info.json")
    info.write_text(info.read_text().replace("array_record", "tfrecord"))
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path))
    with pytest.raises(UserError, match=r"tfrecord, which has no random access.*tfds convert_format --dataset_dir="):
        open_split(Source(train="tfds:small_reviews", text="sentence"), "train")

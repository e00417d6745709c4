# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""TensorFlow Datasets as a source, with a small dataset that the test prepares, and no network."""

import pickle
import re
import shutil
import socket
from pathlib import Path
from typing import ClassVar

import pytest

from seqjax import experiment as experiments
from seqjax.data.corpus import label_names
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
        ("tfds:wmt14_translate/de-en", {}, "train", r"is not prepared in .* and cannot be downloaded"),
        ("tfds:cnn_dailymail", {}, "train", r"is not prepared in .* and cannot be downloaded"),
    ],
)
def test_what_is_not_published_is_said_in_one_line(
    in_data_dir: Path, spec: str, settings: dict, split: str, message: str
):
    with pytest.raises(UserError, match=message):
        open_split(Source(train=spec, **settings), split)


def prepare(builder, splits: list[str], example: dict) -> None:
    """Prepares a TFDS builder of an example in each split, in place of those that it would download."""
    from seqjax.data.published import quiet_tfds

    builder._split_generators = lambda *_, **__: {split: iter([(0, example)]) for split in splits}
    with quiet_tfds():
        builder.download_and_prepare()


ANSWERS = {"answer_start": [4], "text": ["cat"]}
QUESTION = {"id": "1", "title": "t", "question": "Who sat?", "context": "The cat sat."}
MAYBE = QUESTION | {"plausible_answers": {"answer_start": [], "text": []}, "is_impossible": False}
NEWS = {"tokens": ["Mr", "Li", "sat"], "pos": ["NN"] * 3, "chunks": ["O"] * 3, "ner": ["O", "B-PER", "O"]}
TEXTS = {
    "cola": ["sentence"], "sst2": ["sentence"], "mrpc": ["sentence1", "sentence2"], "qqp": ["question1", "question2"],
    "stsb": ["sentence1", "sentence2"], "mnli": ["premise", "hypothesis"], "qnli": ["question", "sentence"],
    "rte": ["sentence1", "sentence2"], "wnli": ["sentence1", "sentence2"],
}  # fmt: skip
# Of each experiment whose header or settings name a dataset with labels or pairs: that, its splits, an example as TFDS
# has it, and what of a record must be there.
LAYOUTS = {
    "squad": ("squad", ["train", "validation"], QUESTION | {"answers": ANSWERS}, {"text": "Who sat?", "pair": "The cat sat."}),
    "squad_v2": ("squad/v2.0", ["train", "validation"], MAYBE | {"answers": ANSWERS}, {"text": "Who sat?"}),
    "conll2003_bert": ("conll2003", ["train", "dev", "test"], NEWS, {"words": NEWS["tokens"], "tags": NEWS["ner"]}),
    "conll2003_lstm_crf": ("conll2003", ["train", "dev", "test"], NEWS, {"words": NEWS["tokens"], "tags": NEWS["ner"]}),
    "transformer_base": (
        "wmt14_translate/de-en", ["train", "validation", "test"], {"de": "ja", "en": "yes"}, {"text": "yes", "pair": "ja"},
    ),
} | {
    f"glue_{task}": (
        f"glue/{task}",
        ["train", "validation_matched", "validation_mismatched"] if task == "mnli" else ["train", "validation", "test"],
        {name: f"the {name}" for name in names} | {"label": 1, "idx": 7},
        dict(zip(["text", "pair"], [f"the {name}" for name in names], strict=False)),
    )
    for task, names in TEXTS.items()
}  # fmt: skip


def said(name: str) -> list[str]:
    """Returns the settings for TFDS that the header of an experiment names."""
    found = re.findall(r"data(?:\.source)?(?:\.\w+)?=\S*(?<![;,.)])", experiments.module(name).__doc__ or "")
    return [each for each in found if not each.startswith("data=glue:")]


def test_every_header_that_names_a_dataset_is_tried():
    named = {name for name in experiments.names() if any("tfds:" in each for each in said(name))}
    assert named - {"xcopa"} <= set(LAYOUTS)


@pytest.mark.parametrize("name", LAYOUTS)
def test_an_experiment_reads_what_tfds_has(name: str, in_data_dir: Path, tmp_path: Path, monkeypatch):
    """With the settings that its header names, in the folder that the dataset's own builder writes."""
    import tensorflow_datasets as tfds
    import tensorflow_datasets.text
    import tensorflow_datasets.translate

    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path))
    dataset, splits, example, wanted = LAYOUTS[name]
    prepare(tfds.builder(dataset, data_dir=tmp_path, file_format="array_record"), splits, example)
    experiment = experiments.resolve(name, said(name))
    source = experiment.data.source
    for split in ("train", "validation", "test")[: 2 if splits[-1] == "validation" else 3]:
        assert getattr(source, split).partition("@")[0] in ("", f"tfds:{dataset}")
        for record in open_split(source, split):
            assert wanted.items() <= record.items()
            for key in {"label": ["label"], "number": ["label"], "answers": ["answers"]}.get(
                experiment.objective.reads, []
            ):
                assert record[key]
            assert experiment.objective.reads != "answers" or answers(record, "here") == [("cat", 4)]
            assert ("pair" in record) == ("pair" in wanted or experiment.objective.reads == "answers")


def test_summaries_of_news_are_articles_with_highlights(in_data_dir: Path, tmp_path: Path, monkeypatch):
    import tensorflow_datasets as tfds
    import tensorflow_datasets.summarization

    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path))
    builder = tfds.builder("cnn_dailymail", data_dir=tmp_path, file_format="array_record")
    example = {"article": "All of it.", "highlights": "It.\nAll.", "publisher": "cnn", "id": "1"}
    prepare(builder, ["train", "validation", "test"], example)
    source = Source("tfds:cnn_dailymail", text="article", pair="highlights")
    for split in ("train", "validation", "test"):
        (record,) = open_split(source, split)
        assert (record["text"], record["pair"]) == ("All of it.", "It.\nAll.")


def test_what_is_prepared_is_read_where_its_code_cannot_run(in_data_dir: Path, tmp_path: Path, monkeypatch):
    """TFDS's builder of SuperGLUE imports TensorFlow; what it has written does not need it."""
    import tensorflow_datasets as tfds

    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path))
    text = tfds.features.Text()
    names = ("premise", "choice1", "choice2", "question")
    features = dict.fromkeys(names, text) | {"label": tfds.features.ClassLabel(names=["choice1", "choice2"])}

    with tfds.core.registered.skip_registration():

        class SuperGlue(tfds.core.GeneratorBasedBuilder):
            BUILDER_CONFIGS: ClassVar = [tfds.core.BuilderConfig(name="copa", version="1.0.3")]
            url_infos = None

            def _info(self):
                return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

            def _split_generators(self, dl_manager):
                raise AssertionError

            def _generate_examples(self):
                raise AssertionError

    example = {name: f"the {name}" for name in names} | {"label": 1}
    builder = SuperGlue(config="copa", data_dir=tmp_path, file_format="array_record")
    prepare(builder, ["train", "validation"], example)
    source = experiments.resolve("xcopa", said("xcopa")).data.source
    for split in ("train", "validation"):
        (record,) = open_split(source, split)
        assert record["text"] == "the premise the question"
        assert (record["choices"], record["label"]) == (["the choice1", "the choice2"], "choice2")


def test_settings_that_change_labels_and_tags_hold_for_tfds_too(in_data_dir: Path):
    source = Source("tfds:small_reviews", text="sentence", scheme="iobes", coarse="oo")
    records = open_split(source, "train")
    assert {row["label"] for row in records if "label" in row} == {"bad", "g"}
    tagged = [row for row in records if row["tags"]]
    assert len(tagged) == 19 and all(row["tags"] == ["S-X"] * len(row["words"]) for row in tagged)
    assert label_names(records, "tags") == ("S-X",)
    assert open_split(Source("tfds:small_reviews", text="sentence", coarse="oo"), "train").labels == ("bad", "g")
    with pytest.raises(UserError, match=r"data\.source\.placed is for conll files, not for tfds:small_reviews"):
        open_split(Source("tfds:small_reviews", text="sentence", placed=True), "train")


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

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Records of TensorFlow Datasets, read at random from array_record files; TensorFlow itself is not needed."""

import contextlib
import difflib
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqjax.data.records import Records, fingerprint
from seqjax.errors import UserError


def open_published(name: str, split: str, columns: Mapping[str, str]) -> Records:
    """Returns a split of the dataset NAME, NAME/CONFIG or NAME/CONFIG:VERSION; prepares it first where it can.

    Args:
      name: as TFDS writes it.
      split: one split, in TFDS slice syntax: "train", "train[:10%]", "train+test".
      columns: the name of a feature -> the canonical key that it becomes.

    Raises:
      UserError: no such dataset or split, no such feature, or it is neither on disk nor to be downloaded, or it is on
        disk as tfrecord only.
    """
    import tensorflow_datasets as tfds

    # Importing these registers the older datasets (glue, wmt14_translate, ...), which no name finds otherwise.
    import tensorflow_datasets.question_answering
    import tensorflow_datasets.summarization
    import tensorflow_datasets.text
    import tensorflow_datasets.translate

    where = tfds.core.constants.DATA_DIR
    try:
        builder = _builder(name)
        is_prepared = builder.is_prepared()
        builder = builder if is_prepared else tfds.builder(name, file_format="array_record")
    except tfds.core.DatasetNotFoundError as error:
        near = difflib.get_close_matches(name.split("/")[0], re.findall(r"^\s*- (\S+)", str(error), re.MULTILINE), n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"it is neither known to TFDS nor prepared in {where}"
        raise UserError(f"there is no TFDS dataset '{name}'; {hint}") from None
    except Exception as error:
        raise UserError(f"tfds:{name} cannot be opened: {_first_line(error)}") from None
    if not is_prepared:
        try:
            with quiet_tfds(progress=True):
                builder.download_and_prepare()
        # Builders fail to download in as many ways as there are hosts; all of them mean that it is not to be had here.
        except Exception as error:
            raise UserError(
                f"tfds:{name} is not prepared in {where} and cannot be downloaded ({type(error).__name__}: "
                f"{_first_line(error)}); prepare it elsewhere with file_format='array_record', copy it, and set "
                "TFDS_DATA_DIR to the folder that holds it"
            ) from None
    # Read from its folder alone, so that worker processes need not import what prepared it.
    return open_builder(tfds.builder_from_directory(builder.data_path), split, columns, f"tfds:{name}")


def _builder(name: str) -> Any:
    """Returns the builder of a dataset; where only its code needs TensorFlow, what is prepared on disk will do."""
    import tensorflow_datasets as tfds

    try:
        return tfds.builder(name)
    except Exception:
        try:
            return tfds.core.read_only_builder.builder_from_files(name)
        except Exception:  # not there either: the first reason counts
            pass
        raise


def open_builder(builder: Any, split: str, columns: Mapping[str, str], spec: str) -> Records:
    """Returns a split of a prepared TFDS builder; see `open_published`, whose errors it raises; `spec` is its name."""
    try:
        source = builder.as_data_source(split=split)
    except NotImplementedError:
        raise UserError(
            f"{spec} is prepared as {builder.info.file_format.value}, which has no random access; convert it "
            f"once where TensorFlow is installed: tfds convert_format --dataset_dir={builder.data_path} "
            "--out_file_format=array_record"
        ) from None
    # TFDS says an unknown split as a ValueError, and a malformed slice as that or an AssertionError.
    except Exception as error:
        splits = ", ".join(builder.info.splits) or "none"
        raise UserError(
            f"{spec} has no split '{split}' ({_first_line(error)}); its splits are {splits}: choose with "
            "data.source.validation and data.source.test, for example data.source.validation="
            f"{spec}@{next(iter(builder.info.splits), 'train')}[90%:]"
        ) from None
    features = builder.info.features
    for column in columns:
        if column not in features:
            raise UserError(f"{spec} has no column '{column}'; its columns are {', '.join(features)}")
    # A feature whose own name is the key of another that was chosen for it would overwrite that one: it is left out.
    free = [column for column in features if column in columns or column not in columns.values()]
    key_of = {column: columns.get(column, column) for column in free}
    names = {column: _class_names(features[column]) for column in free}
    labels = {key_of[column]: found for column, found in names.items() if found}
    info = {name: (part.num_examples, part.num_bytes) for name, part in builder.info.splits.items()}
    identity = fingerprint([builder.info.full_name, info, split, dict(columns)])
    texts = frozenset(column for column, feature in features.items() if _is_text(feature))
    return Records(
        PublishedRows(source, key_of, names, texts),
        identity,
        tuple(labels.get("label") or labels.get("tags") or ()),
    )


@contextlib.contextmanager
def quiet_tfds(progress: bool = False) -> Iterator[None]:
    """Keeps what TFDS prints while it prepares off standard output, and its progress bars too unless `progress`."""
    import tensorflow_datasets as tfds

    if not progress:
        tfds.disable_progress_bar()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        if not progress:
            tfds.enable_progress_bar()


@dataclass(frozen=True)
class PublishedRows:
    """The examples of a TFDS data source as records: bytes become text and class numbers become names."""

    source: Any
    key_of: dict[str, str]
    names: dict[str, list[str]]
    texts: frozenset[str]

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> dict[str, Any]:
        record: dict[str, Any] = {}
        example = self.source[index]
        for column, key in self.key_of.items():
            value, names = example[column], self.names[column]
            if names:
                value = _names(value, names)
            elif column in self.texts or isinstance(value, Mapping):
                value = _text(value)
            if key in ("text", "pair", "label") and not isinstance(value, str) and value is not None:
                value = _text(value) if isinstance(value, bytes) else _number(value)
            if value is not None:
                record[key] = value
        return record


def _names(value: Any, names: Sequence[str]) -> Any:
    """Returns the names of class numbers; None for -1, which is how TFDS says that an example has no label."""
    if np.ndim(value) == 0:
        return names[int(value)] if int(value) >= 0 else None
    return [names[int(item)] for item in value]


def _number(value: Any) -> str:
    """Returns a number as it was written: 0.3, not what a 32-bit 0.3 is in 64 bits."""
    short = np.float32(value) if isinstance(value, (float, np.floating)) else value
    return str(short if short == value else value)


def _text(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_text(item) for item in value]
    if isinstance(value, Mapping):  # a sequence of several features, as the answers of `squad` are
        return {name: _text(item) for name, item in value.items()}
    return value


def _class_names(feature: Any) -> list[str]:
    """Returns the names of a ClassLabel or of a sequence of them; none for any other feature."""
    inner = getattr(feature, "feature", feature)
    return list(getattr(inner, "names", None) or [])


def _is_text(feature: Any) -> bool:
    import tensorflow_datasets as tfds

    return isinstance(getattr(feature, "feature", feature), tfds.features.Text)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or ["no reason given"])[0][:200]

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The TFDS builder behind `stdlib/...`. Import it only to prepare the data: it imports tensorflow_datasets."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from seqjax.data import stdlib
from seqjax.data.stdlib_syntax import TAGS


class PythonStandardLibrary(tfds.core.GeneratorBasedBuilder):
    """Seven corpora and tasks from the source of the running Python's standard library; see `seqjax.data.stdlib`."""

    VERSION = tfds.core.Version(stdlib.VERSION)
    url_infos = None  # nothing is downloaded; TFDS would look for checksums with a package it does not install
    BUILDER_CONFIGS = [  # noqa: RUF012 (TFDS reads it from the class)
        tfds.core.BuilderConfig(name=name, description=text) for name, text in stdlib.CONFIGS.items()
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        text = tfds.features.Text()
        features: dict[str, Any] = {"file": text}
        name = self.builder_config.name
        if name == "roles":
            features |= {
                "words": tfds.features.Sequence(text),
                "tags": tfds.features.Sequence(tfds.features.ClassLabel(names=list(TAGS))),
            }
        elif name == "package":
            features |= {"text": text, "label": tfds.features.ClassLabel(names=stdlib.labelled_packages())}
        elif name == "summary":
            features |= {"text": text, "summary": text}
        elif name in ("questions", "questions_v2"):
            answers = tfds.features.Sequence({"text": text, "answer_start": np.int32})
            features |= {"text": text, "pair": text, "answers": answers}
        else:
            features |= {"text": text}
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.builder_config.description,
            features=tfds.features.FeaturesDict(features),
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        examples = stdlib.examples(self.builder_config.name)
        return {split: iter(list(enumerate(rows))) for split, rows in examples.items()}

    def _generate_examples(self) -> Iterator[tuple[int, dict[str, Any]]]:
        raise NotImplementedError  # `_split_generators` gives the examples themselves

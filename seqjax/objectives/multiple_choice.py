# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Which of several texts goes best with a first one: a score for each, and a softmax over those of a record."""

import dataclasses
from typing import ClassVar

from seqjax.models.heads import ChoiceHead
from seqjax.models.model import ModelConfig
from seqjax.objectives.pooling import POOLS, check_pool
from seqjax.objectives.supervised import Classification


@dataclasses.dataclass(frozen=True)
class MultipleChoice(Classification):
    """Settings of multiple choice (Radford et al. 2018, section 3.3; Devlin et al. 2019, section 4.4).

    A row holds all choices of a record side by side, each after the text and apart from the others as packed documents
    are: [begin] text [end] choice [end], [begin] text [end] choice [end], ... So data.length is that of all together,
    and a choice that is too long for its equal part of the row is cut. The K-th of `labels` names the K-th choice.
    """

    reads: ClassVar[str] = "choices"  # type: ignore[misc]
    pools: ClassVar[tuple[str, ...]] = POOLS
    layouts: ClassVar[tuple[str, ...]] = ("pad", "bucket")
    terms: ClassVar[tuple[str, ...]] = ("multiple_choice",)

    def head(self, model: ModelConfig) -> ChoiceHead:
        """One score for each choice."""
        check_pool(self.pool, model)
        return ChoiceHead(len(self.labels), self.pool, self.dropout, pooler=self.pooler)

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Which task an objective trains a model for."""

from typing import Any

from seqjax.errors import UserError
from seqjax.evaluation.tasks.answers import Answers
from seqjax.evaluation.tasks.classes import Choices, Classes
from seqjax.evaluation.tasks.numbers import Numbers
from seqjax.evaluation.tasks.questions import Questions
from seqjax.evaluation.tasks.tags import Tags
from seqjax.evaluation.tasks.task import Task
from seqjax.evaluation.tasks.towers import Towers
from seqjax.objectives.answering import Answering
from seqjax.objectives.multiple_choice import MultipleChoice
from seqjax.objectives.objective import Objective
from seqjax.objectives.question_answering import QuestionAnswering
from seqjax.objectives.regression import Regression
from seqjax.objectives.supervised import Classification, Tagging
from seqjax.objectives.two_towers import InBatchNegatives

TASKS: tuple[tuple[type[Objective], type[Task[Any]]], ...] = (  # the first that fits
    (MultipleChoice, Choices),
    (Classification, Classes),
    (Tagging, Tags),
    (Regression, Numbers),
    (QuestionAnswering, Questions),
    (Answering, Answers),
    (InBatchNegatives, Towers),
)


def task_of(objective: Objective) -> Task[Any] | None:
    """Returns the task of an objective; None where it trains a model for none, as pretraining does."""
    return next((task(objective) for kind, task in TASKS if isinstance(objective, kind)), None)


def known_task(objective: Objective) -> Task[Any]:
    """Returns the task of an objective.

    Raises:
      UserError: there is none.
    """
    if task := task_of(objective):
        return task
    raise UserError("this run was trained to predict no class, tag, number or answer; fine-tune it first")

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Answers to questions: the best spans over all windows of a context, as the context's own characters."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqjax.data.rows import Rows
from seqjax.objectives.question_answering import QuestionAnswering

Answer = dict[str, Any]


def best_spans(start_C: np.ndarray, end_C: np.ndarray, longest: int, count: int) -> list[tuple[int, int, float]]:
    """Returns the `count` best (first, last, score) of all spans of at most `longest` places, best first.

    The score of a span is the sum of its start's and its end's (Devlin et al. 2019, section 4.2). Of equal ones that
    which begins first, then the shorter, is better.
    """
    if not len(start_C):
        return []
    longest = min(longest, len(start_C))
    ends = np.pad(end_C.astype(np.float64), (0, longest - 1), constant_values=-np.inf)
    scores_CA = start_C.astype(np.float64)[:, None] + np.lib.stride_tricks.sliding_window_view(ends, longest)
    flat = scores_CA.ravel()
    least = np.partition(flat, -count)[-count] if len(flat) > count else -np.inf
    chosen = np.flatnonzero((flat >= least) & (flat > -np.inf))
    chosen = chosen[np.argsort(-flat[chosen], kind="stable")][:count]
    return [(int(i // longest), int(i // longest + i % longest), float(flat[i])) for i in chosen]


def answer_all(
    objective: QuestionAnswering, rows: Rows, logits: Mapping[int, np.ndarray], contexts: Sequence[str]
) -> list[Answer]:
    """Returns for each document of `rows` what `choose` makes of its windows.

    Args:
      objective: how many tokens an answer may have, and of how many it is the best.
      rows: of questions.
      logits: what the objective's `predict` gave for each row, [W, 2], or for the first so many.
      contexts: of each document, or of those in these rows.
    """
    found: list[dict[tuple[int, int], float]] = [{} for _ in contexts]
    none = [np.inf] * len(contexts)
    for row, (document, start, stop) in enumerate(rows.windows[: len(logits)].tolist()):
        at = rows.context_at(document)
        inside = logits[row][at : at + stop - start]
        none[document] = min(none[document], float(np.sum(logits[row][0], dtype=np.float64)))
        spans = _characters(rows, document)[start:stop]
        for first, last, score in best_spans(inside[:, 0], inside[:, 1], objective.answer_length, objective.n_best):
            place = _stripped(contexts[document], int(spans[first, 0]), int(spans[last, 1]))
            if place[0] < place[1]:  # else it is blank
                found[document][place] = max(score, found[document].get(place, -np.inf))
    return [choose(objective, *each) for each in zip(contexts, found, none, strict=True)]


def choose(objective: QuestionAnswering, context: str, spans: Mapping[tuple[int, int], float], none: float) -> Answer:
    """Returns the answer of one question.

    Args:
      objective: whether there may be none, and above which score there is one.
      context: that holds it.
      spans: the score of each candidate, by its first character and the one after its last.
      none: the score of no answer, the least of any window's.

    Returns:
      "answer", "start" and "stop" (characters of the context), "score" (of the best span, above no answer),
      "probability" (among the best, and with `no_answer` that there is none), "n_best" (the same of each, best first).
      Where there is no answer, "answer" is "" and "start" and "stop" are 0; "n_best" tells what it might have been.
    """
    best = sorted(spans.items(), key=lambda each: (-each[1], each[0]))[: objective.n_best]
    scores = np.array([score for _, score in best] + [none] * (objective.no_answer or not best))
    chances = np.exp(scores - scores.max())
    chances /= chances.sum()
    n_best: list[Answer] = [
        {"answer": context[a:b], "start": a, "stop": b, "score": score - none, "probability": float(chance)}
        for ((a, b), score), chance in zip(best, chances, strict=False)
    ]
    if n_best and not (objective.no_answer and n_best[0]["score"] < objective.threshold):
        return n_best[0] | {"n_best": n_best}
    score = n_best[0]["score"] if n_best else 0.0
    nothing = {"answer": "", "start": 0, "stop": 0, "score": score, "probability": float(chances[-1])}
    return nothing | {"n_best": n_best}


def _characters(rows: Rows, document: int) -> np.ndarray:
    """Returns which characters each token of a document's context stands for, int [tokens, 2]."""
    corpus = rows.corpus
    assert corpus.spans is not None
    begin, end = corpus.offsets[document] + corpus.first[document], corpus.offsets[document + 1] - 1
    return corpus.spans[begin:end]


def _stripped(text: str, start: int, stop: int) -> tuple[int, int]:
    """Returns a span without the blanks at its ends, which some tokenizers' pieces hold."""
    inside = text[start:stop]
    start += len(inside) - len(inside.lstrip())
    return start, start + len(inside.strip())

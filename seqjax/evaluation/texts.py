# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Texts that a model says, and their scores by the packages that the field reports: sacrebleu and rouge-score."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from seqjax.data.pipeline import Dataset
from seqjax.decoding.beam import beam_search
from seqjax.decoding.generate import generate
from seqjax.decoding.samplers import sampler
from seqjax.errors import UserError
from seqjax.evaluation import metrics
from seqjax.evaluation.metrics import bootstrap, in_parts, interval, mean_intervals
from seqjax.evaluation.stopping import Stop, never, until
from seqjax.models.model import Model
from seqjax.objectives.answering import WORDS, Answering
from seqjax.types import Params

ROUGE = ("rouge1", "rouge2", "rougeL", "rougeLsum")
STEMMED = 3  # letters of the longest word that is its own stem, as in rouge-score
# Letters of scripts that put no spaces between words.
UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
OTHER = "(other)"  # an answer that is no class
NO_NUMBER = -1.0  # what an answer that is no number counts as, as in the code of Raffel et al.
ROUND = 16  # the longest source of a batch is a multiple of so many tokens


def answers(
    model: Model, dataset: Dataset, params: Params, split: str, limit: int = 0, stop: Stop = never
) -> list[dict[str, Any]]:
    """Returns {"source", "gold", "predicted"} of each record of a split, in order.

    With `objective.references` "gold" is a list, the pairs of all records with this text, and each text comes once.

    The search is the objective's (`beams`, `length_penalty`); a source is cut as in training, and an answer takes as
    many tokens as a target may.

    Args:
      model: an encoder-decoder, or for `Continuation` a language model.
      dataset: opened for an `Answering` objective.
      params: the model's.
      split: its name.
      limit: only so many records, the first (0: all).
      stop: as for `say`.
    """
    objective, data = dataset.objective, dataset.config
    assert isinstance(objective, Answering)
    records = dataset.chosen(split)
    found = [records[i] for i in range(min(len(records), limit or len(records)))]
    asked: list[tuple[str, Any]] = [(each["text"], each["pair"]) for each in found]
    if objective.references:
        together: dict[str, list[str]] = {}
        for text, pair in asked:
            together.setdefault(text, []).append(pair)
        asked = list(together.items())
    texts = [text for text, _ in asked]
    said = say(model, objective, dataset.tokenizer, data.length, data.eval_batch, params, texts, stop)
    return [
        {"source": text, "gold": gold, "predicted": answer} for (text, gold), answer in zip(asked, said, strict=True)
    ]


def say(
    model: Model, objective: Answering, tokenizer: Any, length: int, size: int, params: Params, texts: Sequence[str],
    stop: Stop = never,
) -> list[str]:  # fmt: skip
    """Returns what a model answers to each text, by the objective's search.

    Args:
      model: an encoder-decoder, or for `Continuation` a language model.
      objective: that it was trained for.
      tokenizer: of the run.
      length: data.length of the run; a text is cut as in training.
      size: texts that are decoded together.
      params: the model's.
      texts: to answer.
      stop: is asked before each batch.

    Raises:
      BrokenOff: `stop` says so.
    """
    room, new = objective.widest(length)
    ends = tokenizer.source
    sources = [objective.asked(objective.source(ids, length), ends) for ids in ends.encode_batch(list(texts))]
    room += len(objective.asked([], ends)) - 1
    options: dict[str, Any] = {"end": tokenizer.eos, "size": tokenizer.size}
    said: dict[int, str] = {}
    order = np.argsort([len(ids) for ids in sources], kind="stable")  # rows of a batch wait for their longest
    for start in until(stop, range(0, len(order), size)):
        places = order[start : start + size].tolist()
        # Each other shape of a batch is a program to compile: rows that nobody asks for fill it up, and widen it.
        width = min(-(-len(sources[places[-1]]) // ROUND) * ROUND, room)
        missing = size + 1 - len(places)
        rows = [sources[place] for place in places] + [[ends.eos] * width] * missing
        options |= objective.asking(rows, tokenizer) | {"new": [new] * len(places) + [1] * missing}
        if objective.beams > 1:
            best = beam_search(model, params, beams=objective.beams, length_penalty=objective.length_penalty, **options)
            found = [ranked[0].tokens for ranked in best]
        else:
            found = generate(model, params, sampler=sampler(temperature=0.0), **options)
        said |= {place: tokenizer.decode(ids) for place, ids in zip(places, found, strict=False)}
    return [said[place] for place in range(len(sources))]


def text_report(pairs: Sequence[dict[str, Any]], tokenize: str = "13a", stemmed: bool = False) -> dict[str, Any]:
    """Returns scores of answers against gold, in percent.

    Args:
      pairs: {"gold", "predicted"} and perhaps "source" of each text; "gold" is a text or a list of references.
      tokenize: sacrebleu's tokenizer for BLEU: "13a", "intl", "zh", "char" or "none".
      stemmed: ROUGE compares stems of English words (Porter 1980), as most reports of summaries have it.

    Returns:
      "bleu" (Papineni et al. 2002, as Post 2018 computes it), "chrf" (Popovic 2015), "rouge1", "rouge2", "rougeL" (F1,
      Lin 2004) and "rougeLsum" (of summaries, whose sentences stand on lines; Lin 2004, section 3.2), "exact" (the
      share of answers that are a gold text, but for white space around it), "length_ratio" (words said to words of
      gold, of several references the nearest in length), "intervals" of BLEU, ROUGE and "exact", as
      `metrics.classification_report` has them, "signatures" of sacrebleu, and, with sources, "by_length": of each of up
      to four equal parts by the source's length in words {"longest", "count", "bleu", "exact"}. Of several references
      BLEU counts the words of all, chrF takes the best of each answer, and so does ROUGE for each of its four (Lin
      2004, section 2.1).

    Raises:
      UserError: nothing to score, or an unknown tokenizer.
    """
    import sacrebleu
    from rouge_score import rouge_scorer

    if not pairs:
        raise UserError("there is nothing to score")
    if tokenize not in WORDS:
        raise UserError(f"bleu tokenizer '{tokenize}' is not one of {', '.join(WORDS)}")
    predicted = [pair["predicted"] for pair in pairs]
    bleu, chrf = sacrebleu.BLEU(tokenize=tokenize), sacrebleu.CHRF()
    scored = bleu.corpus_score(predicted, _streams(pairs))
    out: dict[str, Any] = {"bleu": scored.score, "chrf": chrf.corpus_score(predicted, _streams(pairs)).score}
    rouge = rouge_scorer.RougeScorer(list(ROUGE), tokenizer=_Words(stemmed))
    every = [rouge.score_multi(_references(pair), pair["predicted"]) for pair in pairs]
    means = {name: 100.0 * np.array([each[name].fmeasure for each in every]) for name in ROUGE}
    means["exact"] = 100.0 * np.array([_right(pair) for pair in pairs])
    out |= {name: float(np.mean(values)) for name, values in means.items()}
    out["length_ratio"] = scored.sys_len / max(scored.ref_len, 1)
    out["intervals"] = {"bleu": interval(_bleus(pairs, tokenize))} | mean_intervals(means)
    out["signatures"] = {"bleu": str(bleu.get_signature()), "chrf": str(chrf.get_signature())}
    if "source" in pairs[0]:
        parts = [[pairs[i] for i in part] for part in in_parts([len(pair["source"].split()) for pair in pairs])]
        out["by_length"] = [
            {
                "longest": len(part[-1]["source"].split()), "count": len(part),
                "exact": 100.0 * sum(map(_right, part)) / len(part),
                "bleu": bleu.corpus_score([x["predicted"] for x in part], _streams(part)).score,
            }
            for part in parts
        ]  # fmt: skip
    return out


def parsed_report(pairs: Sequence[dict[str, Any]], judged: str) -> dict[str, Any]:
    """Returns scores of answers that are names of classes, or numbers (Raffel et al. 2020, section 2.4).

    As of `metrics.classification_report` over the answers that are gold somewhere, with their "confusion"; any other
    answer is OTHER, which is wrong. "accuracy" is that of tokens as a model trains, so theirs is "answer_accuracy".
    Or as of `metrics.regression_report`; what is no number counts as NO_NUMBER.

    Args:
      pairs: {"gold", "predicted"} of each text.
      judged: "class" or "number".
    """
    gold, said = ([pair[side].strip() for pair in pairs] for side in ("gold", "predicted"))
    if judged == "number":
        return metrics.regression_report([_number(text) for text in gold], [_number(text) for text in said])
    labels = sorted(set(gold))
    said = [text if text in labels else OTHER for text in said]
    found = metrics.classification_report(gold, said, labels, OTHER)
    report: dict[str, Any] = _of_answers(found) | {"intervals": _of_answers(found["intervals"])}
    every = [*labels, *([OTHER] if OTHER in said else [])]
    return report | {"labels": every, "confusion": metrics.confusion(gold, said, every)}


def _of_answers(scores: dict[str, Any]) -> dict[str, Any]:
    return {"answer_accuracy" if name == "accuracy" else name: value for name, value in scores.items()}


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return NO_NUMBER
    return value if np.isfinite(value) else NO_NUMBER


def format_text_report(report: dict[str, Any]) -> str:
    """Returns a report as plain text."""
    numbers = [name for name, value in report.items() if isinstance(value, float)]
    lines = [f"{name:14} {report[name]:.2f}" for name in numbers]
    lines += [f"{name:14} {text}" for name, text in report["signatures"].items()]
    lines += [f"{name}: 95 % between {low:.2f} and {high:.2f}" for name, (low, high) in report["intervals"].items()]
    if "by_length" in report:
        lines += ["", "words of source   texts    BLEU   exact"]
        lines += [
            f"up to {each['longest']:<9}  {each['count']:>6}  {each['bleu']:>6.2f}  {each['exact']:>6.2f}"
            for each in report["by_length"]
        ]
    return "\n".join(lines)


def _references(pair: dict[str, Any]) -> list[str]:
    return [pair["gold"]] if isinstance(pair["gold"], str) else list(pair["gold"])


def _streams(pairs: Sequence[dict[str, Any]]) -> list[Any]:
    """Returns the first reference of all, the second of all, ...; None where a text has fewer, as for sacrebleu."""
    return list(itertools.zip_longest(*map(_references, pairs)))


def _right(pair: dict[str, Any]) -> bool:
    return pair["predicted"].strip() in [text.strip() for text in _references(pair)]


def _bleus(pairs: Sequence[dict[str, Any]], tokenize: str) -> np.ndarray:
    """Returns BLEU of corpora of as many texts, drawn again: sums of what sacrebleu counts in each text."""
    import sacrebleu

    bleu = sacrebleu.BLEU(tokenize=tokenize, effective_order=True)  # which changes no count
    each = [bleu.sentence_score(pair["predicted"], _references(pair)) for pair in pairs]
    counts_NC = np.array([[*score.counts, *score.totals, score.sys_len, score.ref_len] for score in each])
    orders = len(each[0].counts)
    found = []
    again = bootstrap(np.ones(len(pairs), int), lambda drawn: drawn @ counts_NC)
    for counts in again.round().astype(int).tolist():
        said, gold = counts[-2:]
        corpus = bleu.compute_bleu(counts[:orders], counts[orders:-2], said, gold, smooth_method="exp")
        found.append(corpus.score)
    return np.array(found)


class _Words:
    """Words for ROUGE in any script: the package's own tokenizer drops every letter beyond a to z.

    Where a script puts no spaces between words a character is one, with the marks on it.
    """

    def __init__(self, stemmed: bool):
        from nltk.stem import porter

        self.stem = porter.PorterStemmer().stem if stemmed else str

    def tokenize(self, text: str) -> list[str]:
        import regex

        words = regex.findall(rf"(?V1){UNSPACED}\p{{M}}*|[[\p{{L}}\p{{M}}\p{{N}}]--{UNSPACED}]+", text.lower())
        return [self.stem(word) if len(word) > STEMMED else word for word in words]

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Scores of texts against hand counts and the packages' own examples; answers against one search for each text."""

import json
import math

import jax
import numpy as np
import pytest
import sacrebleu
import scipy.stats
import sklearn.metrics
from rouge_score import rouge_scorer

from seqjax.data import tokenizers
from seqjax.data.pipeline import Data, Dataset
from seqjax.data.sources import from_records
from seqjax.decoding.beam import beam_search
from seqjax.decoding.generate import generate
from seqjax.decoding.samplers import Greedy
from seqjax.errors import UserError
from seqjax.evaluation.tasks.answers import Answers
from seqjax.evaluation.texts import OTHER, answers, format_text_report, parsed_report, text_report
from seqjax.experiment import resolve
from seqjax.models.model import build, initialise
from seqjax.models.rnn import RNNConfig
from seqjax.models.seq2seq import Seq2SeqConfig
from seqjax.objectives.continuation import Continuation
from seqjax.objectives.text_to_text import TextToText
from seqjax.training.finish import finish
from seqjax.training.run import train


def pairs(*texts):
    return [{"source": s, "gold": g, "predicted": p} for s, g, p in texts]


def test_bleu_by_hand():
    """The precisions of 1 to 4 words are 5/6, 3/5, 2/4 and 1/3, and six words for seven are a penalty of e^(1 - 7/6)."""
    texts = ("the cat sat on the red mat", "the cat sat on a mat")
    report = text_report(pairs(("s", *texts)), tokenize="none")
    words, said = (text.split() for text in texts)
    logs = 0.0
    for n in range(1, 5):
        grams = [tuple(said[i : i + n]) for i in range(len(said) - n + 1)]
        gold = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
        logs += math.log(sum(min(grams.count(g), gold.count(g)) for g in set(grams)) / len(grams)) / 4
    assert report["bleu"] == pytest.approx(100 * math.exp(1 - 7 / 6 + logs))
    assert report["length_ratio"] == pytest.approx(6 / 7)
    assert "tok:none" in report["signatures"]["bleu"]


def test_rouge_by_hand_in_any_script():
    report = text_report(pairs(("s", "Ein großes Haus!", "ein haus")))
    assert report["rouge1"] == pytest.approx(100 * 2 * (1.0 * 2 / 3) / (1.0 + 2 / 3))
    assert report["rouge2"] == 0.0
    assert report["rougeL"] == report["rouge1"]
    assert text_report(pairs(("s", "дом", "дом")))["rouge1"] == 100.0


def test_rouge_of_scripts_without_spaces():
    """Five characters of six are the same, and three of five neighbours: 今天 天天 天气."""
    report = text_report(pairs(("s", "今天天气很好", "今天天气不好")))
    assert report["rouge1"] == report["rougeL"] == pytest.approx(100 * 5 / 6)
    assert report["rouge2"] == pytest.approx(100 * 3 / 5)
    assert text_report(pairs(("s", "用GPT写, 2026年", "用gpt写。2026年")))["rouge2"] == 100.0  # 用 gpt 写 2026 年
    thai = text_report(pairs(("s", "ที่นี่", "ที่โน่น")))["rouge1"]  # ที่ นี่ and ที่ โ น่ น
    assert thai == pytest.approx(100 * 2 * (1 / 4) * (1 / 2) / (1 / 4 + 1 / 2))


@pytest.mark.parametrize("stemmed", [False, True])
def test_rouge_of_english_is_that_of_the_package(stemmed):
    texts = [
        ("The cats were running.\nThey stopped at 3 houses!", "A cat runs.\nIt stopped, at a house"),
        ("the second one\nthe first line comes", "the first line came\nand a second one"),
        ("generalizations of oscillators", "a general oscillation\nof oscillators"),
    ]
    names = ["rouge1", "rouge2", "rougeL", "rougeLsum"]
    scorer = rouge_scorer.RougeScorer(names, use_stemmer=stemmed)
    report = text_report([{"gold": gold, "predicted": said} for gold, said in texts], stemmed=stemmed)
    for name in names:
        each = [scorer.score(gold, said)[name].fmeasure for gold, said in texts]
        assert report[name] == pytest.approx(100 * np.mean(each), rel=1e-12), name
    assert report["rougeL"] != report["rougeLsum"]


SEVERAL = [
    ("a cat sat on the mat today", ["the cat sat on the red mat", "a cat was sitting on the mat", "there was a cat"]),
    ("no dogs here", ["there are no dogs here"]),
    ("birds fly over the old house", ["birds flew over that house", "birds fly over the old house"]),
]


@pytest.mark.parametrize("kept", [3, 2, 1])
def test_several_references_are_those_of_the_packages(kept):
    """Of one text up to three, of another one only; `kept` texts are scored."""
    texts = SEVERAL[:kept]
    report = text_report([{"source": "s", "gold": gold, "predicted": said} for said, gold in texts])
    said = [text for text, _ in texts]
    first, second, third = (
        [gold[i] if i < len(gold) else None for _, gold in texts] for i in range(3)
    )  # as sacrebleu wants them
    assert report["bleu"] == sacrebleu.corpus_bleu(said, [first, second, third]).score
    assert report["chrf"] == sacrebleu.corpus_chrf(said, [first, second, third]).score
    scorer = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL"])
    for name in ("rouge1", "rouge2", "rougeL"):
        best = [max(scorer.score(gold, text)[name].fmeasure for gold in golds) for text, golds in texts]
        assert report[name] == pytest.approx(100 * sum(best) / len(best))
    assert report["exact"] == pytest.approx(100 * (kept == 3) / kept)
    assert ("nrefs:3" if kept == 1 else "nrefs:var") in report["signatures"]["bleu"]
    assert report["by_length"][0]["count"] == 1
    alone = text_report([{"gold": gold[0], "predicted": said} for said, gold in texts])
    assert alone["bleu"] != report["bleu"]


@pytest.mark.parametrize("objective", [Continuation(references=True), TextToText(references=True)])
def test_records_with_one_text_are_references_of_one_answer(objective):
    records = from_records([{"text": "a", "pair": ["b", "c"]}, {"text": "d", "pair": "e"}, {"text": "a", "pair": "f"}])
    tokenizer = tokenizers.build("bytes", list)
    data = Dataset(Data(length=12, layout="pad", eval_batch=4), objective, tokenizer, lambda _: records)
    kind = Seq2SeqConfig if objective.sources else RNNConfig
    model = build(kind(vocab_size=tokenizer.size, width=16))
    found = answers(model, data, initialise(model, jax.random.key(0)), "test")
    assert [(each["source"], each["gold"]) for each in found] == [("a", ["b", "c", "f"]), ("d", ["e"])]
    (batch,) = data.evaluation("test", 0)  # training and its loss read each pair
    pairs = [tokenizer.decode(batch["targets"][row][batch["weights"][row] > 0][:-1].tolist()) for row in range(4)]
    assert pairs == ["b", "c", "e", "f"]


def test_exact_and_parts_by_length():
    texts = [(" ".join("x" * n), f"right {n}", f"right {n}" if n < 5 else "wrong") for n in range(1, 9)]
    report = text_report(pairs(*texts))
    assert report["exact"] == 50.0
    assert [part["exact"] for part in report["by_length"]] == [100.0, 100.0, 0.0, 0.0]
    assert [part["longest"] for part in report["by_length"]] == [2, 4, 6, 8]
    assert "up to 8" in format_text_report(report)
    perfect = text_report(pairs(("a", "one two three four five", "one two three four five")))
    assert perfect["bleu"] == pytest.approx(100.0)
    assert perfect["chrf"] == pytest.approx(100.0)


def test_answers_that_are_classes():
    """Against scikit-learn's; what is no class is wrong, and is no class in an average."""
    gold = ["yes", "yes", "no", "no", "no"]
    said = ["yes ", "maybe", "no", "yes", "no"]
    found = parsed_report([{"gold": a, "predicted": b} for a, b in zip(gold, said, strict=True)], "class")
    assert found["answer_accuracy"] == 0.6
    options = {"average": "macro", "labels": ["no", "yes"], "zero_division": 0}
    wanted = sklearn.metrics.f1_score(gold, [text.strip() for text in said], **options)
    assert found["macro"]["f1"] == pytest.approx(wanted)
    assert list(found["per_class"]) == ["no", "yes"]
    assert found["labels"] == ["no", "yes", OTHER]
    assert found["confusion"] == [[2, 1, 0], [0, 1, 1], [0, 0, 0]]
    assert found["intervals"]["macro_f1"][1] == 1.0
    assert "(other)" in Answers(TextToText(judged="class")).formatted(found)


def test_answers_that_are_numbers():
    gold, said = ["1.0", "2.4", "5.0", "3.0"], ["1.2", "2.0", "4.8", "nan is none"]
    found = parsed_report([{"gold": a, "predicted": b} for a, b in zip(gold, said, strict=True)], "number")
    wanted = scipy.stats.pearsonr([1.0, 2.4, 5.0, 3.0], [1.2, 2.0, 4.8, -1.0])[0]
    assert found["pearson"] == pytest.approx(wanted)
    with pytest.raises(UserError, match=r"objective.judged=number has one right answer"):
        TextToText(judged="number", references=True)


def test_intervals_are_those_of_drawing_again():
    """Against sacrebleu's own, half of whose width it calls the confidence."""
    rng = np.random.default_rng(0)
    gold = [" ".join(rng.choice(list("abcdefgh"), 12)) for _ in range(150)]
    said = [text if rng.random() < 0.4 else text[:11] + text[11:].replace("a", "b") for text in gold]
    found = text_report([{"gold": [text, "x"], "predicted": answer} for text, answer in zip(gold, said, strict=True)])
    low, high = found["intervals"]["bleu"]
    wanted = sacrebleu.BLEU().corpus_score(said, [gold, ["x"] * 150], n_bootstrap=1000)
    confidence = json.loads(wanted.format(width=3, is_json=True, signature="of:it"))
    assert low < found["bleu"] < high
    np.testing.assert_allclose((high - low) / 2, confidence["confidence_var"], rtol=0.15)
    share = found["exact"] / 100
    low, high = found["intervals"]["exact"]
    assert high - low == pytest.approx(2 * 196 * np.sqrt(share * (1 - share) / 150), abs=2.0)


def test_impossible_scores_are_refused():
    with pytest.raises(UserError, match="nothing to score"):
        text_report([])
    with pytest.raises(UserError, match="bleu tokenizer 'word' is not one of"):
        text_report(pairs(("a", "b", "c")), tokenize="word")


def test_a_run_that_goes_on_later_is_not_scored_yet(tmp_path):
    outcome = finish(train(resolve("addition_lstm", ["parallel.devices=1"], tiny=True), tmp_path, True, until=1))
    assert outcome["status"] == "interrupted"
    assert "report" not in outcome
    assert (tmp_path / "report.html").exists()


@pytest.mark.parametrize("ratio", [0.5, 1.0, 2.0])
def test_sources_are_cut_as_in_training(ratio):
    """Both texts of the middle record are too long for their parts of the row."""
    texts = [
        ("short", "also short"),
        ("a source that is long " * 2, "and a target that is longer " * 3),
        ("x" * 50, "y"),
    ]
    records = from_records([{"text": text, "pair": pair} for text, pair in texts])
    tokenizer = tokenizers.build("bytes", list)
    config = Data(length=12, layout="pad", eval_batch=3)
    data = Dataset(config, TextToText(ratio=ratio), tokenizer, lambda _: records)
    (batch,) = data.evaluation("test", 0)
    room, new = data.objective.places(data.objective.row_length(12))
    for row, (text, pair) in enumerate(texts):
        source = batch["source"][row][batch["source_segments"][row] > 0]
        target = batch["targets"][row][batch["weights"][row] > 0]
        assert source.tolist() == [*tokenizer.encode(text)[: room - 1], tokenizer.eos]
        assert target.tolist() == [*tokenizer.encode(pair)[: new - 1], tokenizer.eos]


@pytest.mark.parametrize("beams", [1, 3])
def test_answers_are_those_of_each_text_alone(beams):
    texts = ["a", "bcd", "", "efghij", "kl", "a much longer text than others", "m"]
    records = from_records([{"text": text, "pair": text[::-1]} for text in texts])
    tokenizer = tokenizers.build("bytes", list)
    objective = TextToText(beams=beams, ratio=0.5)
    data = Dataset(Data(length=12, layout="pad", eval_batch=3), objective, tokenizer, lambda _: records)
    model = build(Seq2SeqConfig(vocab_size=tokenizer.size, width=16, init_scale=1.0))
    params = initialise(model, jax.random.key(0))
    found = answers(model, data, params, "test")
    assert [each["source"] for each in found] == texts
    assert [each["gold"] for each in found] == [text[::-1] for text in texts]
    for each in found:
        source = [*tokenizer.encode(each["source"])[:11], tokenizer.eos]
        options = {"sources": [source], "new": 6, "end": tokenizer.eos, "size": tokenizer.size}
        if beams == 1:
            (alone,) = generate(model, params, sampler=Greedy(), **options)
        else:
            alone = beam_search(model, params, beams=beams, **options)[0][0].tokens
        assert each["predicted"] == tokenizer.decode(alone)
    assert answers(model, data, params, "test", limit=2) == found[:2]

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""What a run says of unlabelled texts is what evaluation says of the same texts with labels."""

import gzip
import json
import os
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import jax
import numpy as np
import pytest

import launch
from seqjax.data import tokenizers
from seqjax.data.pipeline import Data, Dataset
from seqjax.data.records import Joined
from seqjax.data.sources import Source, from_records, open_split
from seqjax.errors import UserError
from seqjax.evaluation.evaluate import predictor
from seqjax.evaluation.predict import TOGETHER, asked, predict
from seqjax.evaluation.retrieval import vectors
from seqjax.evaluation.tasks.table import known_task
from seqjax.evaluation.texts import answers
from seqjax.experiment import Experiment, resolve
from seqjax.models.model import initialise
from seqjax.models.rnn import RNNConfig
from seqjax.models.seq2seq import Seq2SeqConfig
from seqjax.objectives.clm import CLM
from seqjax.objectives.continuation import Continuation
from seqjax.objectives.question_answering import QuestionAnswering
from seqjax.objectives.supervised import Classification, Tagging
from seqjax.objectives.text_to_text import TextToText
from seqjax.objectives.two_towers import InBatchNegatives
from seqjax.training import checkpoint, record
from seqjax.training.parallel import Devices, Parallel
from seqjax.training.run import train
from seqjax.training.step import State

TEXTS = ["abc de", "x", "a much longer text than the others are", "zz y", "de abc"]
BYTES = tokenizers.build("bytes", list)


def setting(objective, model=None, **data):
    """Returns (experiment, parameters) of a model that nobody has trained."""
    model = model or RNNConfig(vocab_size=BYTES.size, width=16, layers=1, bidirectional=True, init_scale=1.0)
    experiment = Experiment(data=Data(**{"length": 24, "layout": "pad", "eval_batch": 2} | data), model=model)
    experiment = Experiment(data=experiment.data, model=model, objective=objective, parallel=Parallel(devices=1))
    return experiment, initialise(objective.build(model), jax.random.key(0))


def evaluated(experiment, params, records):
    dataset = Dataset(experiment.data, experiment.objective, BYTES, lambda _: from_records(records))
    model = experiment.objective.build(experiment.model)
    return predictor(model, dataset, Devices(experiment.parallel))(params, "test")


@pytest.mark.parametrize("paired", [False, True])
def test_classes(paired):
    experiment, params = setting(Classification(labels=("no", "yes"), pool="mean"))
    records = [{"text": text, "label": "no"} | ({"pair": text[::-1]} if paired else {}) for text in TEXTS]
    expected = [each["predicted"] for each in evaluated(experiment, params, records)]
    texts = [(text, text[::-1]) for text in TEXTS] if paired else TEXTS
    found = list(predict(experiment, params, BYTES, iter(texts)))
    assert [each["label"] for each in found] == expected
    assert [each["text"] for each in found] == TEXTS
    assert len(set(expected)) == 2
    for each in found:
        np.testing.assert_allclose(sum(each["probabilities"].values()), 1.0, rtol=1e-5)
        assert each["probability"] == each["probabilities"][each["label"]] == max(each["probabilities"].values())
    assert [each["cut"] for each in found] == [(paired and len(text) > 10) or len(text) > 22 for text in TEXTS]


@pytest.mark.parametrize("crf", [False, True])
def test_tags(crf):
    experiment, params = setting(Tagging(labels=("O", "B-A", "I-A"), crf=crf))
    records = [{"words": text.split(), "tags": ["O"] * len(text.split())} for text in TEXTS]
    expected = [each["predicted"] for each in evaluated(experiment, params, records)]
    found = list(predict(experiment, params, BYTES, TEXTS))
    assert [each["words"] for each in found] == [text.split() for text in TEXTS]
    assert [each["tags"] for each in found] == expected
    for each in found:
        for entity in each["entities"]:
            assert entity["text"] == " ".join(each["words"][entity["start"] : entity["stop"]])
    assert any(each["entities"] for each in found)


@pytest.mark.parametrize("alone", [False, True])
def test_answers(alone):
    kind, objective, places = (RNNConfig, Continuation(), 12) if alone else (Seq2SeqConfig, TextToText(ratio=0.5), 24)
    model = kind(vocab_size=BYTES.size, width=16, init_scale=1.0)
    experiment, params = setting(objective, model)
    records = from_records([{"text": text, "pair": text} for text in TEXTS])
    dataset = Dataset(experiment.data, experiment.objective, BYTES, lambda _: records)
    expected = [each["predicted"] for each in answers(experiment.objective.build(model), dataset, params, "test")]
    found = list(predict(experiment, params, BYTES, TEXTS))
    assert [each["answer"] for each in found] == expected
    assert [each["cut"] for each in found] == [len(text) >= places for text in TEXTS]


def test_what_cannot_be_asked_is_refused():
    experiment, params = setting(Classification(labels=("no", "yes")))
    for texts, message in [
        (["a", ("b", "c")], "text 2: expected one text, found"),
        (["a", ("b", "c", "d")], "text 2: expected one text, found"),
        ([("b", "c", "d")], "text 1: expected one text or a pair of texts, found"),
        ([("b", "c"), "a"], "text 2: expected a pair of texts, as the first is, found 'a'"),
        (["a", " "], "text 2: expected text, found nothing"),
    ]:
        with pytest.raises(UserError, match=message):
            list(predict(experiment, params, BYTES, texts))
    with pytest.raises(UserError, match="text 1: expected a text 'context', found question"):
        reads(Source(), QuestionAnswering(), {"question": "Who?"})
    experiment, params = setting(CLM(), RNNConfig(vocab_size=BYTES.size, width=16, layers=1))
    with pytest.raises(UserError, match="fine-tune it first"):
        list(predict(experiment, params, BYTES, ["a"]))


def test_the_command(tmp_path, capsys):
    run = str(tmp_path / "run")
    train(
        resolve("quickstart_package", ["parallel.devices=1", "run.steps=1", "optimizer.warmup=0"], True),
        tmp_path / "run",
        True,
    )
    (tmp_path / "in.txt").write_text("".join(f"{text}\n" for text in TEXTS))
    out = str(tmp_path / "out.jsonl")
    assert launch.main(["predict", run, "--file", str(tmp_path / "in.txt"), "--out", out]) == 0
    written = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [each["text"] for each in written] == TEXTS
    capsys.readouterr()
    assert launch.main(["predict", run, "--text", TEXTS[0], "--text", TEXTS[3], "--json"]) == 0
    shown = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [each["label"] for each in shown] == [written[0]["label"], written[3]["label"]]
    for words, message in [
        (["--file", "nowhere"], "cannot read nowhere"),
        ([], "give either --text"),
        (["--text", "a", "--file", "b"], "give either --text"),
        (["--text", "a", "--out", out], "is there already"),
        (["--text", ""], "text 1: expected text"),
    ]:
        assert launch.main(["predict", run, *words]) == 2
        assert message in capsys.readouterr().err


def reads(source, objective, *texts):
    """Returns what a model reads of texts."""
    return [each.read for each in asked(source, objective, ((f"text {i}", text) for i, text in enumerate(texts, 1)))]


@pytest.mark.parametrize("name", ["sst2_t5", "mrpc_t5", "stsb_t5"])
def test_a_text_is_asked_with_the_words_of_training(name, tmp_path):
    """What a model reads of a text is what it read of the same text in the training data."""
    made = resolve(name, [])
    (tmp_path / "data.tsv").write_text("a\tb\tscore\nabc de\tx y\t1\n")
    columns = {"train": f"tsv:{tmp_path / 'data.tsv'}", "text": "a", "pair": "b", "label": "score", "holdout": 0.0}
    source = replace(made.data.source, **columns)
    (row,) = open_split(source, "train")
    one = source.task.columns == ("text",)
    record = {"a": "abc de", "b": "x y"}
    text = "abc de" if one else ("abc de", "x y")
    assert reads(source, made.objective, text, record, {"text": "abc de", "pair": "x y"}) == [row["text"]] * 3
    experiment, params = setting(TextToText(ratio=0.5), Seq2SeqConfig(vocab_size=BYTES.size, width=16), source=source)
    experiment = replace(experiment, data=replace(experiment.data, length=80))
    (found,) = predict(experiment, params, BYTES, [text])
    bare = replace(experiment, data=replace(experiment.data, source=Source()))
    (expected,) = predict(bare, params, BYTES, [row["text"]])
    assert (found["answer"], found["asked"], found["text"]) == (expected["answer"], row["text"], "abc de")
    assert one or found["pair"] == "x y"
    assert known_task(made.objective).line(found) == found["answer"]
    wrong = ("a", "b", "c") if not one else ("a", "b")
    with pytest.raises(UserError, match=r"text 1: expected (one text|a pair of texts), found"):
        reads(source, made.objective, wrong)


def test_a_text_of_several_columns_is_joined_as_in_training():
    made = resolve("xcopa", ["objective.labels=0,1"])
    row = {"premise": "it rained", "question": "effect", "choice1": "wet", "choice2": "dry", "label": "0"}
    (wanted,) = Joined(from_records([row]), made.data.source.joined)
    parts = tuple(row[name] for name in ("premise", "question", "choice1", "choice2"))
    others = {"text": wanted["text"], "choices": ["wet", "dry"]}
    found = reads(made.data.source, made.objective, parts, row, others)
    assert found == [(wanted["text"], *wanted["choices"])] * 3 == [("it rained effect", "wet", "dry")] * 3
    with pytest.raises(UserError, match="text 1: expected premise, question and its 2 choices, found"):
        reads(made.data.source, made.objective, ("it rained", "wet", "dry"))


def test_a_column_of_training_is_read_as_that_and_a_part_of_a_text_as_itself():
    """Also where the second text of training stood in a column called "text"."""
    source, towers = resolve("search_stdlib", []).data.source, InBatchNegatives(group=2)
    assert source.pair == "text" != source.text
    assert reads(source, towers, "a b") == reads(source, towers, {"text": "a b"}) == ["a b"]
    record = {source.text: "a b", "text": "c"}
    assert reads(source, towers, ("a b", "c"), record, {"text": "a b", "pair": "c"}) == [("a b", "c")] * 3
    asking = replace(source, text="question")
    assert (
        reads(asking, QuestionAnswering(), ("Who?", "I."), {"question": "Who?", "text": "I."}) == [("Who?", "I.")] * 2
    )
    assert reads(Source(), Classification(labels=("no", "yes")), {"": "7", "text": "a"}) == ["a"]  # a column of no name


def test_a_second_text_that_training_always_had_must_be_there():
    source, classes = Source(text="question1", pair="question2"), Classification(labels=("no", "yes"))
    with pytest.raises(UserError, match="text 1: expected a text 'question2' beside the first, found question1, other"):
        reads(source, classes, {"question1": "a", "other": "b"})
    with pytest.raises(UserError, match="text 1: expected a pair of texts, found 'a'"):
        reads(source, classes, "a")
    assert reads(source, InBatchNegatives(group=2), {"question1": "a"}) == ["a"]  # whose vector is asked for


def test_words_of_a_column_and_characters_with_their_places_are_parted_as_in_training(tmp_path):
    tags = Tagging(labels=("O", "B-A", "I-A"))
    assert (
        reads(Source(words="tokens"), tags, {"tokens": "EU rejects"}, {"words": "EU rejects"})
        == [("EU", "rejects")] * 2
    )
    saved(tmp_path / "run", tags, source=Source("conll:x", placed=True))
    run, out = str(tmp_path / "run"), tmp_path / "out"
    (tmp_path / "in.conll").write_text("科0\tO\n技1\tO\n", encoding="utf-8")
    assert launch.main(["predict", run, "--file", str(tmp_path / "in.conll"), "--out", str(out)]) == 0
    assert rows_of(out)[0]["words"] == ["科", "技"]


def test_chinese_words_are_what_they_were_in_training():
    source, tags = resolve("weibo_ner", []).data.source, Tagging(labels=("O", "B-A", "I-A"))
    assert reads(source, tags, "我爱 北京") == [tuple("我爱北京")]
    with pytest.raises(UserError, match="text 2: expected spaces between words, found '我爱北京'"):
        reads(Source(), tags, "我 爱 北京", "我爱北京")
    with pytest.raises(UserError, match="expected spaces between words"):
        reads(Source(), tags, "北京大学的学生们都很喜欢 天安门")
    assert reads(Source(), tags, {"words": ["我爱北京"]}, "Saint-Jean-de-Luz") == [
        ("我爱北京",),
        ("Saint-Jean-de-Luz",),
    ]
    experiment, params = setting(tags, source=source)
    (found,) = predict(experiment, params, BYTES, ["我爱北京"])
    assert found["words"] == list("我爱北京") and len(found["tags"]) == 4
    assert all(entity["text"] in found["text"] for entity in found["entities"])


def saved(folder, objective, model=None, source=None):
    """Writes a run that nobody has trained; returns (experiment, parameters)."""
    experiment, params = setting(objective, model, source=source or Source())
    record.describe(folder, experiment, BYTES, 0, {})
    checkpoints = checkpoint.Checkpoints(folder, experiment.run)
    empty = {"none": jax.numpy.zeros((), jax.numpy.int32)}
    state = State(jax.numpy.zeros((), jax.numpy.int32), params, empty)
    checkpoints.save(state, 0, SimpleNamespace(get_state=dict), experiment, None)
    checkpoints.close()
    return experiment, params


def rows_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


FILES = {
    "in.txt": "abc de\tx\r\nzz y\tab\r\n",
    "in.tsv": "pair\tsentence\tidx\nx\tabc de\t1\nab\tzz y\t2\n",
    "in.csv": 'pair,sentence\nx,"abc de"\n"ab",zz y\n',
    "in.jsonl": '{"text": "abc de", "pair": "x"}\n{"sentence": "zz y", "pair": "ab"}\n',
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("zipped", [False, True])
def test_files_of_each_kind_say_the_same(name, zipped, tmp_path):
    source = Source(train="tsv:x", text="sentence", pair="pair")
    experiment, params = saved(tmp_path / "run", Classification(labels=("no", "yes"), pool="mean"), source=source)
    path = tmp_path / (name + ".gz" * zipped)
    path.write_bytes(gzip.compress(FILES[name].encode()) if zipped else FILES[name].encode("utf-8-sig"))
    assert launch.main(["predict", str(tmp_path / "run"), "--file", str(path), "--out", str(tmp_path / "out")]) == 0
    assert rows_of(tmp_path / "out") == list(predict(experiment, params, BYTES, [("abc de", "x"), ("zz y", "ab")]))


BLANKS = {
    "in.txt": "abc de\tx\n\n \nzz y\tab\n\n",
    "in.tsv": "sentence\tpair\nabc de\tx\n\n\t\nzz y\tab\n\n",
    "in.csv": 'sentence,pair\nabc de,x\n\n"",\nzz y,ab\n\n',
    "in.jsonl": '{"text": "abc de", "pair": "x"}\n\n \n{"sentence": "zz y", "pair": "ab"}\n\n',
}


@pytest.mark.parametrize("name", BLANKS)
def test_a_blank_line_of_a_file_of_any_kind_has_a_result_without_a_prediction(name, tmp_path):
    source = Source(train="tsv:x", text="sentence", pair="pair")
    experiment, params = saved(tmp_path / "run", Classification(labels=("no", "yes"), pool="mean"), source=source)
    (tmp_path / name).write_text(BLANKS[name])
    run, out = str(tmp_path / "run"), tmp_path / "out"
    assert launch.main(["predict", run, "--file", str(tmp_path / name), "--out", str(out)]) == 0
    first, second = predict(experiment, params, BYTES, [("abc de", "x"), ("zz y", "ab")])
    assert rows_of(out) == [first, {"text": ""}, {"text": ""}, second, {"text": ""}]


@pytest.mark.parametrize("name", ["in.tsv", "in.csv"])
def test_a_ragged_line_is_refused_though_training_left_such_lines_out(name, tmp_path, capsys):
    between = "\t" if name == "in.tsv" else ","
    saved(tmp_path / "run", Classification(labels=("no", "yes"), pool="mean"), source=Source(ragged="skip"))
    (tmp_path / name).write_text("\n".join(between.join(line) for line in (("text", "b"), "ab", "a", "cd")))
    run, out = str(tmp_path / "run"), tmp_path / "out"
    assert launch.main(["predict", run, "--file", str(tmp_path / name), "--out", str(out)]) == 2
    assert f"{name}:3: expected 2 columns (text, b), found 1; give it as many" in capsys.readouterr().err
    assert not out.exists()


def test_a_file_of_columns_of_words_is_tagged(tmp_path):
    experiment, params = saved(tmp_path / "run", Tagging(labels=("O", "B-A", "I-A")))
    (tmp_path / "in.conll").write_text("EU B-ORG\nrejects O\n\nalone\n")
    run, out = str(tmp_path / "run"), tmp_path / "out"
    assert launch.main(["predict", run, "--file", str(tmp_path / "in.conll"), "--out", str(out)]) == 0
    assert rows_of(out) == list(predict(experiment, params, BYTES, ["EU rejects", "alone"]))


def test_what_is_wrong_in_a_file_is_said_before_anything_is_predicted(tmp_path, capsys):
    saved(tmp_path / "run", Classification(labels=("no", "yes"), pool="mean"))
    for name, content, message in [
        ("a.txt", "a\n" * 200 + "b\tc\n", "a.txt:201: expected one text, found ('b', 'c')"),
        ("a.jsonl", '{"text": "a"}\n{"text": " "}\n', "a.jsonl:2: expected text, found nothing"),
        ("b.jsonl", '{"text": "a"}\n\n{"txt": "a"}\n', "b.jsonl:3: expected a text 'text', found txt"),
        ("a.tsv", "text\tb\na\n", "a.tsv:2: expected 2 columns"),
        ("a.csv", "words\na\n", "a.csv:2: expected a text 'text', found words"),
        ("b.txt", "a\nb\n\udcff\n", "b.txt:3: expected utf-8 text, found byte 0xff"),
        ("c.txt", "", "c.txt:1: expected at least one text"),
    ]:
        path = tmp_path / name
        path.write_bytes(content.encode("utf-8", "surrogateescape"))
        assert launch.main(["predict", str(tmp_path / "run"), "--file", str(path), "--out", str(tmp_path / "out")]) == 2
        assert message in capsys.readouterr().err
        assert not list(tmp_path.glob("out*"))


def test_a_file_is_read_as_it_is_predicted_of_and_a_blank_line_stays(tmp_path, capsys):
    """From a pipe, whose writer waits until the first results are there: none of it is collected."""
    experiment, params = saved(tmp_path / "run", Classification(labels=("no", "yes"), pool="mean"))
    count = TOGETHER * experiment.data.eval_batch
    pipe, seen = tmp_path / "pipe.txt", []
    os.mkfifo(pipe)

    def write():
        with open(pipe, "w") as out:
            out.write("ab\n\n" + "cd\n" * (2 * count))
            out.flush()
            for _ in range(300):
                seen[:] = (tmp_path / "out.partial").read_text().splitlines()
                if seen:
                    break
                out.write("x" * 9000 + "\n")  # more than the reader has asked for
                out.flush()
                time.sleep(0.1)

    writer = threading.Thread(target=write)
    writer.start()
    run = str(tmp_path / "run")
    assert launch.main(["predict", run, "--file", str(pipe), "--out", str(tmp_path / "out")]) == 0
    writer.join()
    assert seen
    first, blank, third, *_ = rows_of(tmp_path / "out")
    assert blank == {"text": ""}
    assert [first, third] == list(predict(experiment, params, BYTES, ["ab", "cd"]))
    (tmp_path / "in.txt").write_text("ab\n\ncd\n")
    capsys.readouterr()
    assert launch.main(["predict", run, "--file", str(tmp_path / "in.txt"), "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out.splitlines()[-1]) == [first, blank, third]
    assert said.err.splitlines()[-3:][1] == ""


def test_retrieval_gives_vectors_similarities_and_what_is_nearest(tmp_path, capsys):
    model = RNNConfig(vocab_size=BYTES.size, width=16, bidirectional=True, init_scale=1.0)
    experiment, params = saved(tmp_path / "run", InBatchNegatives(group=2), model)
    records = [{"text": text, "pair": text[::-1]} for text in TEXTS if len(text) < 10]
    texts = [each["text"] for each in records]
    data = Dataset(experiment.data, experiment.objective, BYTES, lambda _: from_records(records))
    both = vectors(experiment.objective.build(model), data, Devices(Parallel(devices=1)))(params, "test")
    first_ND, second_ND = both[:2]
    found = list(predict(experiment, params, BYTES, texts))
    np.testing.assert_allclose([each["vector"] for each in found], first_ND, atol=1e-5)
    pairs = list(predict(experiment, params, BYTES, [(text, text[::-1]) for text in texts]))
    np.testing.assert_allclose([each["similarity"] for each in pairs], np.sum(first_ND * second_ND, axis=1), atol=1e-5)
    (tmp_path / "among.txt").write_text("".join(f"{text[::-1]}\n" for text in texts))
    run = ["predict", str(tmp_path / "run"), "--text", texts[1], "--among", str(tmp_path / "among.txt"), "--json"]
    assert launch.main(run) == 0
    (near,) = json.loads(capsys.readouterr().out.splitlines()[-1])
    order = np.argsort(-(first_ND[1] @ second_ND.T), kind="stable")
    assert [each["text"] for each in near["nearest"]] == [texts[i][::-1] for i in order]
    assert [each["number"] - 1 for each in near["nearest"]] == order.tolist()
    (tmp_path / "nothing.txt").write_text("\n")
    for words, message in [
        (["--text", "a", "--among", str(tmp_path / "nothing.txt")], "nothing.txt:1: expected texts to find in"),
        (["--text", "a\tb", *run[-3:-1]], "text 1: expected one text to find others for, found a pair"),
    ]:
        assert launch.main(["predict", str(tmp_path / "run"), *words]) == 2
        assert message in capsys.readouterr().err

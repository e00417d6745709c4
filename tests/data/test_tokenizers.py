# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Tokenizers: what comes back, what is saved, and that readers agree with the libraries whose files they read."""

import gzip
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sentencepiece
import tokenizers as library

from seqjax.data import tokenizers
from seqjax.data.tokenizers import Tokenizer
from seqjax.errors import UserError

CORPUS = [
    "The quick brown fox jumps over the lazy dog, and the dog does not mind.\n\nNaïve café!",
    "Pack my box with five dozen liquor jugs; the five boxing wizards jump quickly.",
    "the the the the quick quick <unk> of sphinx of black quartz, judge my vow",
] * 3
TRAINED = ["bytes", "chars", "words:12", "bpe:300", "wordpiece:120", "wordpiece-cased:120", "unigram:80"]
ODD = ["", " ", "two  blanks \n\t end ", "naïve 北京 🙂\u200d\x00", "\ufeffmark", "[MASK] [CLS] [PAD]<unk>"]


def texts() -> list[str]:
    return CORPUS


def never() -> list[str]:
    pytest.fail("the training text was asked for")


@pytest.fixture(scope="module", params=TRAINED)
def trained(request: pytest.FixtureRequest) -> Tokenizer:
    return tokenizers.build(request.param, texts)


# What every tokenizer promises.


def test_special_ids_come_first_and_text_never_becomes_one(trained: Tokenizer):
    assert (trained.pad, trained.unk, trained.bos, trained.eos, trained.mask) == (0, 1, 2, 3, 4)
    assert [trained.id_to_piece(index) for index in (0, 2, 3, 4)] == ["[PAD]", "[CLS]", "[SEP]", "[MASK]"]
    for ids in trained.encode_batch(ODD + ["[CLS]", "a [MASK] b", "[PAD]"]):
        assert not {0, 2, 3, 4} & set(ids)
        assert all(0 <= index < trained.size for index in ids)


def test_a_batch_is_its_texts_one_by_one(trained: Tokenizer):
    assert trained.encode_batch(CORPUS + ODD) == [trained.encode(text) for text in CORPUS + ODD]


def test_saving_loading_and_pickling_keep_ids_and_hash(trained: Tokenizer, tmp_path: Path):
    trained.save(tmp_path / "deep" / "folder")
    loaded = tokenizers.load(tmp_path / "deep" / "folder")
    for copy in (loaded, pickle.loads(pickle.dumps(trained)), tokenizers.build(str(tmp_path / "deep/folder"), never)):
        assert copy.hash == trained.hash
        assert copy.size == trained.size
        assert copy.encode_batch(CORPUS + ODD) == trained.encode_batch(CORPUS + ODD)
        assert [copy.decode(ids) for ids in copy.encode_batch(CORPUS)] == [
            trained.decode(ids) for ids in trained.encode_batch(CORPUS)
        ]
        assert np.array_equal(copy.word_starts, trained.word_starts)


def test_decoding_leaves_out_special_tokens(trained: Tokenizer):
    ids = trained.encode("the dog")
    assert trained.decode([2, *ids, 4, 3, 0, 0]) == trained.decode(ids)
    assert trained.decode(np.array(ids, np.int32)).strip() in ("the dog", "the <unk>")
    with pytest.raises(ValueError, match="is not in a vocabulary"):
        trained.decode([trained.size])


def test_spans_are_where_the_ids_come_from(trained: Tokenizer):
    for text, (ids, spans) in zip([*CORPUS, *ODD], trained.encode_spans([*CORPUS, *ODD]), strict=True):
        assert ids == trained.encode(text)
        assert spans.shape == (len(ids), 2)
        assert (np.diff(spans.ravel()[::2]) >= 0).all()  # in order
        assert (spans[:, 0] <= spans[:, 1]).all()
        assert not len(spans) or spans.max() <= len(text)
        for index, (start, stop) in zip(ids, spans.tolist(), strict=True):
            piece = trained.decode([index]).strip().removeprefix("##")
            if piece.isalnum() and (piece + text[start:stop]).isascii():
                assert text[start:stop].strip().lower() == piece.lower()
    assert len(trained.encode_spans(["\ud800 x"])[0][0]) == len(trained.encode("\ud800 x"))


def test_every_word_has_ids(trained: Tokenizer):
    words = ["The", "", "quick", "fo x", "\u200b", "北京", "end."]
    ids, index = trained.encode_words(words)
    assert len(ids) == len(index)
    assert index == sorted(index)
    assert set(index) == set(range(len(words)))


def test_lone_surrogates_become_something(trained: Tokenizer):
    assert trained.encode("the \ud800 dog") == trained.encode("the ? dog")


def test_word_starts_group_a_text_into_its_words(trained: Tokenizer):
    text = "the quick brown fox"
    starts = trained.word_starts
    assert starts.dtype == bool
    assert starts.shape == (trained.size,)
    ids = trained.encode(text)
    assert int(starts[ids[1:]].sum()) == 3  # the first begins a word whatever it is


def test_the_hash_depends_on_the_texts(trained: Tokenizer, request: pytest.FixtureRequest):
    spec = request.node.callspec.params["trained"]
    assert tokenizers.build(spec, texts).hash == trained.hash
    other = tokenizers.build(spec, lambda: [*CORPUS, "zebra zebra zebra zebra @"]).hash
    assert (other == trained.hash) == (spec == "bytes")


def test_training_gives_the_same_in_another_process():
    program = (
        "import json, sys; from seqjax.data import tokenizers; specs, texts = json.load(sys.stdin)\n"
        "print(json.dumps([tokenizers.build(spec, lambda: texts).hash for spec in specs]))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONHASHSEED": "7"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps([TRAINED, CORPUS]),
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert json.loads(done.stdout) == [tokenizers.build(spec, texts).hash for spec in TRAINED]
    assert done.stderr == ""


# Each of those made here.


@pytest.mark.parametrize("spec", ["bytes", "chars", "bpe:300"])
def test_text_comes_back_exactly(spec: str):
    tokenizer = tokenizers.build(spec, lambda: CORPUS + ODD)
    for text in CORPUS + ODD:
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_bytes_are_offset_by_the_special_ids_and_need_no_text():
    tokenizer = tokenizers.build("bytes", never)
    assert tokenizer.encode("Aé") == [5 + 0x41, 5 + 0xC3, 5 + 0xA9]
    assert tokenizer.size == 261
    assert tokenizer.decode([5 + 0xC3]) == "\ufffd"  # half of a character


def test_chars_that_were_not_seen_are_unknown():
    tokenizer = tokenizers.build("chars", lambda: ["ba\n"])
    assert [tokenizer.id_to_piece(index) for index in range(5, tokenizer.size)] == ["\n", "a", "b"]
    assert tokenizer.encode("abc\n") == [6, 7, 1, 5]


def test_words_are_the_commonest_and_the_corpus_keeps_its_own_unknown_word():
    tokenizer = tokenizers.build("words:3", lambda: ["b b a a c <unk> <unk> <unk> <unk> d d d"])
    assert [tokenizer.id_to_piece(index) for index in range(tokenizer.size)] == [
        "[PAD]", "<unk>", "[CLS]", "[SEP]", "[MASK]", "d", "a", "b",
    ]  # fmt: skip
    assert tokenizer.encode(" a <unk>\nc  d ") == [6, 1, 1, 5]
    assert tokenizer.decode([6, 1, 5, 3]) == "a <unk> d"


def test_wordpiece_lowers_case_and_marks_what_continues_a_word():
    tokenizer = tokenizers.build("wordpiece:120", texts)
    pieces = [tokenizer.id_to_piece(index) for index in tokenizer.encode("Quicker THE")]
    assert pieces[0] == "quick"
    assert pieces[1].startswith("##")
    assert pieces[-1] == "the"
    assert "".join(piece.removeprefix("##") for piece in pieces[:-1]) == "quicker"
    assert tokenizer.decode(tokenizer.encode("The QUICK dog")) == "the quick dog"
    cased = tokenizers.build("wordpiece-cased:120", texts)
    assert cased.decode(cased.encode("The quick dog")) == "The quick dog"


def test_wordpiece_trains_what_the_library_trains():
    # The library numbers pieces in hash order; the set of them is the same where no two pairs are equally common.
    corpus = ["abab abab abab abab abc abc abc xab xab y"]
    reference = library.Tokenizer(library.models.WordPiece(unk_token="[UNK]"))
    reference.normalizer = library.normalizers.BertNormalizer(lowercase=True)
    reference.pre_tokenizer = library.pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    reference.train_from_iterator(
        corpus, library.trainers.WordPieceTrainer(vocab_size=15, special_tokens=special, show_progress=False)
    )
    tokenizer = tokenizers.build("wordpiece:15", lambda: corpus)
    assert {tokenizer.id_to_piece(index) for index in range(tokenizer.size)} == set(reference.get_vocab())


def test_unigram_reads_the_name_of_a_special_piece_as_text():
    tokenizer = tokenizers.build("unigram:60", lambda: [*CORPUS, "[M] [A] [S] [K] " * 9])
    assert tokenizer.decode(tokenizer.encode("the [MASK] of")) == "the [MASK] of"
    assert len(tokenizer.encode("[MASK]")) > 1


def test_words_in_running_text_and_word_by_word_agree_for_byte_pairs():
    tokenizer = tokenizers.build("bpe:300", texts)
    ids, index = tokenizer.encode_words(["the", "quick", "dog,"])
    assert ids == tokenizer.encode("the quick dog,")
    assert [index.index(word) for word in range(3)] == [0, *(np.flatnonzero(tokenizer.word_starts[ids[1:]]) + 1)]


# Readers, against the libraries.

BERT = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "quick", "##er", "##s", "na", "##ive", ",", "北", "The"]


@pytest.mark.parametrize(("kind", "lowercase"), [("bert", True), ("bert-cased", False)])
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_bert_vocabulary_agrees_with_the_library(tmp_path: Path, kind: str, lowercase: bool, ending: str):
    data = ("\n".join(BERT) + "\n").encode("utf-8")
    path = tmp_path / f"vocab.txt{ending}"
    path.write_bytes(gzip.compress(data) if ending else data)
    plain = tmp_path / "plain.txt"
    plain.write_bytes(data)
    reference = library.BertWordPieceTokenizer(str(plain), lowercase=lowercase)
    tokenizer = tokenizers.build(f"{kind}:{path}", never)
    for text in ["The quicker, naïve 北京 the quicks", "quickest the"]:
        assert tokenizer.encode(text) == reference.encode(text, add_special_tokens=False).ids
    assert tokenizer.size == len(BERT)
    assert (tokenizer.pad, tokenizer.unk, tokenizer.bos, tokenizer.eos, tokenizer.mask) == (0, 1, 2, 3, 4)
    if lowercase:
        assert tokenizers.build(str(path), never).hash == tokenizer.hash


@pytest.fixture(scope="module")
def trained_bpe() -> library.Tokenizer:
    reference = library.ByteLevelBPETokenizer()
    reference.train_from_iterator(CORPUS, vocab_size=320, special_tokens=["<|endoftext|>"], show_progress=False)
    return reference


@pytest.mark.parametrize(("ids", "merges"), [("encoder.json", "vocab.bpe"), ("vocab.json.gz", "merges.txt.gz")])
def test_gpt2_files_agree_with_the_library(tmp_path: Path, trained_bpe: library.Tokenizer, ids: str, merges: str):
    trained_bpe.save_model(str(tmp_path))
    for old, new in (("vocab.json", ids), ("merges.txt", merges)):
        data = (tmp_path / old).read_bytes()
        (tmp_path / old).unlink()
        (tmp_path / new).write_bytes(gzip.compress(data) if new.endswith(".gz") else data)
    tokenizer = tokenizers.build(f"gpt2:{tmp_path}", never)
    for text in CORPUS + ODD:
        assert tokenizer.encode(text) == trained_bpe.encode(text).ids
        assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.bos == tokenizer.eos == trained_bpe.token_to_id("<|endoftext|>")
    assert (tokenizer.pad, tokenizer.unk, tokenizer.mask) == (-1, -1, -1)
    assert trained_bpe.token_to_id("<|endoftext|>") not in tokenizer.encode("<|endoftext|>")
    assert tokenizers.build(str(tmp_path), never).hash == tokenizer.hash


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_a_tokenizer_file_agrees_with_the_library(tmp_path: Path, trained_bpe: library.Tokenizer, ending: str):
    data = trained_bpe._tokenizer.to_str().encode("utf-8")
    path = tmp_path / f"tokenizer.json{ending}"
    path.write_bytes(gzip.compress(data) if ending else data)
    tokenizer = tokenizers.build(str(path), never)
    assert tokenizer.encode_batch(CORPUS) == [trained_bpe.encode(text).ids for text in CORPUS]


def test_a_sentencepiece_model_agrees_with_the_library(tmp_path: Path):
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS), model_prefix=str(tmp_path / "m"), vocab_size=70, hard_vocab_limit=False,
        pad_id=3, minloglevel=2, user_defined_symbols=["[MASK]"],
    )  # fmt: skip
    reference = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "m.model"))
    tokenizer = tokenizers.build(f"sentencepiece:{tmp_path}/m.model", never)
    for text in CORPUS + ODD[:4]:
        assert tokenizer.encode(text) == reference.encode(text)
        assert tokenizer.decode(reference.encode(text)) == reference.decode(reference.encode(text))
    assert tokenizer.size == reference.get_piece_size()
    assert (tokenizer.unk, tokenizer.bos, tokenizer.eos, tokenizer.pad) == (0, 1, 2, 3)
    assert tokenizer.mask == reference.piece_to_id("[MASK]")
    assert tokenizers.build(str(tmp_path / "m.model"), never).hash == tokenizer.hash
    assert [tokenizer.id_to_piece(index)[0] == "▁" for index in tokenizer.encode("the dog")] == list(
        tokenizer.word_starts[tokenizer.encode("the dog")]
    )


# Errors.


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("wordpeice:100", r"unknown tokenizer 'wordpeice'; did you mean 'wordpiece'"),
        ("nothing", r"unknown tokenizer 'nothing'; write one of bytes, chars, words:N"),
        ("bpe", r"'bpe' needs a size, for example bpe:8000"),
        ("bpe:many", r"expected a number of ids after the colon, found 'many'"),
        ("bpe:8__0", r"expected a number of ids after the colon, found '8__0'"),
        ("bpe:261", r"261 ids are too few; it needs at least 262"),
        ("wordpiece:20", r"20 ids are too few; the characters of the text alone need \d+"),
        ("unigram:8", r"does not give 8 ids: Vocabulary size is smaller than required_chars"),
        ("words:0", r"expected at least 1 word"),
        ("bert:{}/none.txt", r"cannot read .*none.txt: No such file"),
        ("{}/tokenizer.json", r"cannot read .*tokenizer.json: No such file"),
        ("bert:{}", r"cannot read .*: Is a directory"),
        ("bert:{}/twice.txt", r"twice.txt: expected a different piece on each line, found 'a' more than once"),
        ("bert:{}/plain.txt", r"plain.txt: expected a BERT vocabulary.*found no line \[UNK\]"),
        ("bert:{}/latin.txt", r"latin.txt: expected UTF-8 text, found byte 0xe9"),
        ("bert:{}/plain.txt.gz", r"plain.txt.gz: expected gzip data"),
        ("{}/plain.json", r"plain.json: expected a tokenizer of the tokenizers library"),
        ("sentencepiece:{}/plain.txt", r"plain.txt: expected a SentencePiece model"),
        ("gpt2:{}", r"expected encoder.json or vocab.json in"),
        ("{}", r"the folder holds no tokenizer.json"),
        ("gpt2:{}/gpt2", r"merges.txt:2: expected two pieces to merge, found 'one'"),
        ("gpt2:{}/list", r"vocab.json: expected an object from pieces to ids"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, spec: str, message: str):
    for name, data in {
        "twice.txt": b"[UNK]\na\na\n", "plain.txt": b"a\nb\n", "latin.txt": b"[UNK]\n\xe9\n", "plain.txt.gz": b"a",
        "plain.json": b"{}", "gpt2/vocab.json": b'{"a": 0}', "gpt2/merges.txt": b"#version: 0.2\none\n",
        "list/vocab.json": b"[]", "list/merges.txt": b"",
    }.items():  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=message) as error:
        tokenizers.build(spec.format(tmp_path), texts)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("spec", [spec for spec in TRAINED if spec != "bytes"])
def test_no_text_to_learn_from_is_said(spec: str):
    with pytest.raises(UserError, match="learns from the training text, and that is empty"):
        tokenizers.build(spec, lambda: ["", " \n"])


def test_a_damaged_or_absent_saved_tokenizer_is_said(tmp_path: Path):
    with pytest.raises(UserError, match=r"holds no saved tokenizer: tokenizer_meta.json is missing"):
        tokenizers.load(tmp_path)
    tokenizers.build("bpe:300", texts).save(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(UserError, match="is damaged"):
        tokenizers.load(tmp_path)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_can_encode():
    tokenizer = tokenizers.build("bpe:300", texts)
    expected = tokenizer.encode_batch(CORPUS * 50)
    child = os.fork()
    if not child:
        os._exit(0 if tokenizer.encode_batch(CORPUS * 50) == expected else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""How a tokenizer comes to its vocabulary: trained on text, or read from a published file."""

import gzip
import io
import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from seqjax.config import unknown
from seqjax.data import tokenizers as own
from seqjax.data.tokenizer_engines import NONE, SPECIAL_NAMES, SPECIAL_PIECES, Bytes, Library, SentencePiece
from seqjax.errors import UserError

Texts = Callable[[], Iterable[str]]
TRAINED = ("words", "bpe", "wordpiece", "wordpiece-cased", "unigram")
READ = ("bert", "bert-cased", "gpt2", "sentencepiece")
_OWN = {name: place for place, name in enumerate(SPECIAL_NAMES)}

# What published vocabularies call their special tokens, in the order of preference.
_NAMES = {
    "pad": ("[PAD]", "<pad>", "<|pad|>"),
    "unk": ("[UNK]", "<unk>"),
    "bos": ("[CLS]", "<s>", "<bos>", "<|begin_of_text|>", "<|endoftext|>"),
    "eos": ("[SEP]", "</s>", "<eos>", "<|end_of_text|>", "<|endoftext|>"),
    "mask": ("[MASK]", "<mask>"),
}


def build(spec: str, texts: Texts) -> own.Tokenizer:
    """Returns the tokenizer of a spec; see `seqjax.data.tokenizers.build`."""
    if spec == "bytes":
        return own.Tokenizer(Bytes(), _OWN)
    if spec == "chars":
        return own.Tokenizer(Library(_chars(texts)), _OWN)
    kind, colon, rest = spec.partition(":")
    if colon and kind in TRAINED:
        return own.Tokenizer(_train(kind, _number(spec, rest), texts, spec), _OWN)
    if colon and kind in READ:
        return _read(kind, Path(rest).expanduser(), spec)
    path = Path(spec).expanduser()
    plain = path.name.removesuffix(".gz")
    if plain.endswith(".model"):
        return _read("sentencepiece", path, spec)
    if plain.endswith("vocab.txt"):
        return _read("bert", path, spec)
    if plain.endswith(".json") and plain not in ("vocab.json", "encoder.json"):
        return _read_json(path, spec)
    if path.is_dir():
        return _read_folder(path, spec)
    if kind in TRAINED and not colon:
        raise UserError(f"tokenizer '{spec}' needs a size, for example {spec}:8000")
    known = ["bytes", "chars", *(f"{name}:N" for name in TRAINED), *(f"{name}:PATH" for name in READ)]
    near = unknown("tokenizer", kind, ["bytes", "chars", *TRAINED, *READ])
    raise UserError(
        f"{near if 'did you mean' in near else f'unknown tokenizer {spec!r}'}; write one of " + ", ".join(known)
    )


def _number(spec: str, text: str) -> int:
    if not re.fullmatch(r"[0-9]+(_[0-9]+)*", text):
        raise UserError(f"tokenizer '{spec}': expected a number of ids after the colon, found '{text}'")
    return int(text)


def _some(texts: Texts, spec: str) -> Iterator[str]:
    """Yields the training texts; raises UserError where there are none."""
    found = False
    for text in texts():
        found = found or bool(text.strip())
        # Half of a surrogate pair, which JSON can hold and UTF-8 cannot.
        yield text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
    if not found:
        raise UserError(f"tokenizer '{spec}' learns from the training text, and that is empty")


def _chars(texts: Texts) -> Tokenizer:
    alphabet = sorted(set().union(*map(set, _some(texts, "chars"))))
    tokenizer = Tokenizer(models.WordLevel(_numbered(alphabet), unk_token=SPECIAL_PIECES[1]))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), behavior="isolated")
    tokenizer.decoder = decoders.Fuse()
    return tokenizer


def _train(kind: str, size: int, texts: Texts, spec: str) -> Library | SentencePiece:
    if kind == "words":
        return Library(_words(size, texts, spec))
    least = len(SPECIAL_PIECES) + (257 if kind == "bpe" else 2)
    if size < least:
        raise UserError(f"tokenizer '{spec}': {size} ids are too few; it needs at least {least}")
    if kind == "unigram":
        return _unigram(size, texts, spec)
    tokenizer = _bpe(size, texts, spec) if kind == "bpe" else _wordpiece(size, texts, spec, kind == "wordpiece")
    if tokenizer.get_vocab_size() > size:
        raise UserError(
            f"tokenizer '{spec}': {size} ids are too few; the characters of the text alone need "
            f"{tokenizer.get_vocab_size()}"
        )
    return Library(tokenizer)


def _bpe(size: int, texts: Texts, spec: str) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(_some(texts, spec), _pair_trainer(size, alphabet))
    return tokenizer


def _pair_trainer(size: int, alphabet: list[str]) -> trainers.BpeTrainer:
    # With every character in the alphabet, ids and so the order of equally common pairs do not depend on hash order.
    return trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=alphabet, special_tokens=list(SPECIAL_PIECES), show_progress=False
    )


def _wordpiece(size: int, texts: Texts, spec: str, lowercase: bool) -> Tokenizer:
    """Trains byte pairs over characters, of which those inside a word ("##x") are characters of their own.

    That is what the library's WordPiece trainer does too, but it numbers the "##x" in hash order, which changes from
    run to run, and with it the vocabulary.
    """
    tokenizer = _bert(models.WordPiece(unk_token=SPECIAL_PIECES[1]), lowercase)
    count: Counter[str] = Counter()
    for text in _some(texts, spec):
        count.update(
            word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(tokenizer.normalizer.normalize_str(text))
        )
    inner = {
        letter: chr(0xF0000 + place) for place, letter in enumerate(sorted({c for word in count for c in word[1:]}))
    }
    outer = {mark: letter for letter, mark in inner.items()}
    marked = {word[0] + "".join(inner[letter] for letter in word[1:]): number for word, number in count.items()}
    alphabet = sorted({letter for words in (count, marked) for word in words for letter in word})
    pairs = Tokenizer(models.BPE())
    pairs.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    pairs.train_from_iterator((f"{word} " * number for word, number in marked.items()), _pair_trainer(size, alphabet))
    vocabulary = {}
    for piece, index in pairs.get_vocab().items():
        prefix = "##" if piece[0] in outer else ""
        vocabulary[piece if index < len(SPECIAL_PIECES) else prefix + "".join(outer.get(c, c) for c in piece)] = index
    tokenizer.model = models.WordPiece(vocabulary, unk_token=SPECIAL_PIECES[1])
    return tokenizer


def _unigram(size: int, texts: Texts, spec: str) -> SentencePiece:
    """Trains with the `sentencepiece` library: the `tokenizers` library's unigram trainer differs from run to run."""
    import sentencepiece

    model = io.BytesIO()
    settings: dict[str, Any] = {"vocab_size": size, "hard_vocab_limit": False, "num_threads": 1, "minloglevel": 2}
    for name, place in _OWN.items():
        settings |= {f"{name}_id": place, f"{name}_piece": SPECIAL_PIECES[place]} if name != "mask" else {}
    settings["control_symbols"] = [SPECIAL_PIECES[_OWN["mask"]]]  # takes the next id
    # The trainer leaves out "sentences" above 4 kB, so it gets lines.
    lines = (line for text in _some(texts, spec) for line in text.split("\n") if line.strip())
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=lines, model_writer=model, model_type="unigram", **settings
        )
    except RuntimeError as error:
        reason = str(error).rsplit("] ", 1)[-1]
        raise UserError(f"tokenizer '{spec}': the text does not give {size} ids: {reason}") from None
    return SentencePiece(model.getvalue())


def _words(size: int, texts: Texts, spec: str) -> Tokenizer:
    if size < 1:
        raise UserError(f"tokenizer '{spec}': expected at least 1 word")
    count = Counter(word for text in _some(texts, spec) for word in text.split())
    for special in (*SPECIAL_PIECES, "<unk>"):
        count.pop(special, None)
    common = sorted(count, key=lambda word: (-count[word], word))[:size]
    # The unknown word is written as corpora that mark it themselves (Penn Treebank) write it: the two are one event.
    vocabulary = _numbered(common)
    vocabulary["<unk>"] = vocabulary.pop(SPECIAL_PIECES[1])
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(Regex("^"), " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return tokenizer


def _numbered(pieces: Iterable[str]) -> dict[str, int]:
    return {piece: index for index, piece in enumerate([*SPECIAL_PIECES, *pieces])}


def _bert(model: models.WordPiece, lowercase: bool) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def _read(kind: str, path: Path, spec: str) -> own.Tokenizer:
    if kind == "sentencepiece":
        return _read_sentencepiece(path, spec)
    if kind == "gpt2":
        return _read_gpt2(path, spec)
    lines = _bytes(path, spec).decode("utf-8", "strict").replace("\r\n", "\n").removesuffix("\n").split("\n")
    vocabulary = {piece: index for index, piece in enumerate(lines)}
    if len(vocabulary) != len(lines):
        twice = next(piece for piece, number in Counter(lines).items() if number > 1)
        raise UserError(f"{path}: expected a different piece on each line, found {twice!r} more than once")
    if "[UNK]" not in vocabulary:
        raise UserError(f"{path}: expected a BERT vocabulary, one piece a line, found no line [UNK]")
    tokenizer = _bert(models.WordPiece(vocabulary, unk_token="[UNK]"), lowercase=kind == "bert")
    return own.Tokenizer(Library(tokenizer), _special(vocabulary))


def _read_gpt2(folder: Path, spec: str) -> own.Tokenizer:
    ids, merges = (
        _first(folder, ("encoder.json", "vocab.json"), spec),
        _first(folder, ("vocab.bpe", "merges.txt"), spec),
    )
    vocabulary = _json(ids, spec)
    pairs = []
    for number, line in enumerate(_bytes(merges, spec).decode("utf-8").split("\n"), 1):
        parts = line.rstrip("\r").split(" ")
        if line.strip() and not (number == 1 and line.startswith("#version")):
            if len(parts) != 2:
                raise UserError(f"{merges}:{number}: expected two pieces to merge, found {line!r:.60}")
            pairs.append((parts[0], parts[1]))
    try:
        tokenizer = Tokenizer(models.BPE(vocabulary, pairs))
    except Exception as error:
        raise UserError(f"{folder}: expected the vocabulary and the merges of GPT-2, found {error}") from None
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return own.Tokenizer(Library(tokenizer), _special(vocabulary))


def _read_sentencepiece(path: Path, spec: str) -> own.Tokenizer:
    data = _bytes(path, spec)
    try:
        engine = SentencePiece(data)
    except Exception as error:
        raise UserError(f"{path}: expected a SentencePiece model, found something else ({error})") from None
    return own.Tokenizer(engine, engine.special())


def _read_json(path: Path, spec: str) -> own.Tokenizer:
    data = _bytes(path, spec)
    try:
        tokenizer = tokenizers.Tokenizer.from_str(data.decode("utf-8"))
    except Exception as error:
        raise UserError(f"{path}: expected a tokenizer of the tokenizers library, found {error}") from None
    return own.Tokenizer(Library(tokenizer), _special(tokenizer.get_vocab(with_added_tokens=True)))


def _read_folder(folder: Path, spec: str) -> own.Tokenizer:
    names = {path.name.removesuffix(".gz") for path in folder.iterdir()}
    if own.META in names:
        return own.load(folder)
    if "tokenizer.json" in names:
        return _read_json(_first(folder, ("tokenizer.json",), spec), spec)
    if names & {"vocab.bpe", "merges.txt"}:
        return _read_gpt2(folder, spec)
    raise UserError(f"tokenizer '{spec}': the folder holds no tokenizer.json, and no vocab.json with merges.txt")


def _special(vocabulary: dict[str, int]) -> dict[str, int]:
    return {
        name: next((vocabulary[piece] for piece in pieces if piece in vocabulary), NONE)
        for name, pieces in _NAMES.items()
    }


def _first(folder: Path, names: Iterable[str], spec: str) -> Path:
    for name in names:
        for ending in ("", ".gz"):
            if (folder / (name + ending)).is_file():
                return folder / (name + ending)
    raise UserError(f"tokenizer '{spec}': expected {' or '.join(names)} in {folder}, found neither")


def _json(path: Path, spec: str) -> dict[str, int]:
    try:
        value = json.loads(_bytes(path, spec))
    except ValueError as error:
        raise UserError(f"{path}: expected JSON, found {error}") from None
    if not isinstance(value, dict) or not all(isinstance(index, int) for index in value.values()):
        raise UserError(f"{path}: expected an object from pieces to ids")
    return value


def _bytes(path: Path, spec: str) -> bytes:
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if path.suffix == ".gz" else data
        data if path.name.endswith(".model") else data.decode("utf-8")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"{path}: expected gzip data, found {error}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: expected UTF-8 text, found byte 0x{error.object[error.start]:02x}") from None
    except OSError as error:
        raise UserError(f"tokenizer '{spec}': cannot read {path}: {error.strerror or error}") from None
    return data

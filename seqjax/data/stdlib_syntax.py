# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""What the syntax of a Python file says: documentation, passages, the role of each word, summaries of functions."""

import ast
import inspect
import itertools
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

ROLES = ("FUNCTION", "CLASS", "ARGUMENT", "CALL", "ATTRIBUTE", "KEYWORD", "IMPORT")
TAGS = ("O", *(f"B-{role}" for role in ROLES), "I-IMPORT")  # only an imported name has several words
Definition = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
Function = (ast.FunctionDef, ast.AsyncFunctionDef)

PASSAGE_LINES = 16
PASSAGE_CHARACTERS = 800
SUMMARY_CHARACTERS = 1500  # of the function: longer ones are left out
MIN_WORDS, FULL_WORDS, MAX_WORDS = 8, 24, 64  # of a passage with roles


@dataclass(frozen=True)
class SourceFile:
    """One file of the corpus.

    Attributes:
      path: relative to the library's folder, with "/" between the parts.
      package: the first part of the path, without ".py".
      text: its source.
      split: "train", "validation" or "test".
    """

    path: str
    package: str
    text: str
    split: str


def documentation(tree: ast.Module) -> str:
    """Returns the docstrings of a module that are long enough to be prose, cleaned, in order, blank lines between."""
    nodes = [tree, *(node for node in statements(tree) if isinstance(node, Definition))]
    texts = [inspect.cleandoc(ast.get_docstring(node, clean=False) or "").strip() for node in nodes]
    return "\n\n".join(dict.fromkeys(text for text in texts if len(text) >= 30 and " " in text))


def passages(file: SourceFile, tree: ast.Module) -> list[str]:
    """Returns pieces of about 16 lines of the file, without the lines that would name its package.

    Those are import statements and lines that hold the package's name as a word, in any case. Blank lines go too.
    """
    imported: set[int] = set()
    for node in statements(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            imported.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    named = re.compile(rf"(?<![a-z]){re.escape(file.package)}(?![a-z])", re.IGNORECASE)
    lines = [
        line.rstrip()
        for number, line in enumerate(file.text.split("\n"), 1)
        if line.strip() and number not in imported and not named.search(line)
    ]
    pieces = []
    for start in range(0, len(lines), PASSAGE_LINES):
        piece = inspect.cleandoc("\n" + "\n".join(lines[start : start + PASSAGE_LINES]))
        piece = piece[:PASSAGE_CHARACTERS].rsplit("\n", 1)[0] if len(piece) > PASSAGE_CHARACTERS else piece
        if len(piece) >= 160:
            pieces.append(piece)
    return pieces


def roles(file: SourceFile, tree: ast.Module, count: int) -> list[tuple[list[str], list[str]]]:
    """Returns at most `count` passages, spread over the file, of 8 to 64 words each, as (words, BIO tags).

    A passage begins with a statement and ends with one, unless that is cut at 64 words. A word is a token; comments,
    docstrings and line ends are none. A string that is long or has blanks in it is the word '...', so that no word
    holds white space. A dotted name that is imported is one IMPORT of several words.
    """
    lines = file.text.split("\n")
    starts = sorted({node.lineno for node in statements(tree) if not _is_docstring(node)})
    chosen: list[list[list[tokenize.TokenInfo]]] = []
    used: set[int] = set()  # the lines on which statements of a passage start
    end = 0  # the line up to which the passages so far go
    for place in range(min(count, len(starts))):
        start = starts[place * len(starts) // min(count, len(starts))]
        if start <= end:
            continue
        passage: list[list[tokenize.TokenInfo]] = []
        size = 0
        for statement in _logical_lines(lines, start):
            if passage and size + len(statement) > MAX_WORDS:
                break
            passage.append(statement[:MAX_WORDS])
            size += len(passage[-1])
            end = statement[-1].end[0]
            if size >= FULL_WORDS:
                break
        if size >= MIN_WORDS:
            chosen.append(passage)
            used.update(statement[0].start[0] for statement in passage)
    tags = _role_of_places(lines, tree, used)
    out = []
    for passage in chosen:
        pairs = [pair for statement in passage for pair in _roles_in(statement, tags)]
        out.append(([_word(token) for token, _ in pairs], [role for _, role in pairs]))
    return out


def summaries(file: SourceFile, tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yields (source of a function without its docstring, first sentence of that docstring)."""
    lines = file.text.split("\n")
    for node in statements(tree):
        if not isinstance(node, Function) or len(node.body) < 2:
            continue
        summary = _first_sentence(ast.get_docstring(node) or "")
        doc, last = node.body[0], node.end_lineno or node.lineno
        # A body that shares a line with the docstring cannot be cut out by lines.
        if not summary or node.body[1].lineno <= (doc.end_lineno or doc.lineno):
            continue
        kept = lines[node.lineno - 1 : doc.lineno - 1] + lines[doc.end_lineno : last]
        text = inspect.cleandoc("\n" + "\n".join(line.rstrip() for line in kept if line.strip()))
        if len(text) <= SUMMARY_CHARACTERS and summary not in text:
            yield text, summary


def questions(file: SourceFile, tree: ast.Module) -> Iterator[tuple[str, str, list[tuple[str, int]]]]:
    """Yields (question, source of a function, its answer and the character at which that begins there, or none).

    What a function with a single `return` returns, and what the default of each argument is. One that returns nothing
    and an argument without a default have no answer.
    """
    lines = file.text.split("\n")
    starts = list(itertools.accumulate((len(line) + 1 for line in lines), initial=0))

    def place(line: int, byte: int) -> int:
        return starts[line - 1] + len(lines[line - 1].encode("utf-8")[:byte].decode("utf-8"))

    def ends(node: ast.stmt | ast.expr) -> tuple[int, int]:
        return place(node.lineno, node.col_offset), place(node.end_lineno or 0, node.end_col_offset or 0)

    for node in statements(tree):
        if not isinstance(node, Function):
            continue
        first, last = ends(node)
        if last - first > SUMMARY_CHARACTERS:
            continue
        for question, value in [*_returned(node), *_defaults(node)]:
            start, stop = (first, first) if value is None else ends(value)
            answers = [] if value is None else [(file.text[start:stop], start - first)]
            yield question, file.text[first:last], answers


def _returned(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[tuple[str, ast.expr | None]]:
    """Yields what a function returns, None for nothing; not of one with several ends, or others inside."""
    inner = list(ast.walk(node))
    returns = [each for each in inner if isinstance(each, ast.Return)]
    unclear = any(isinstance(each, (*Definition, ast.Lambda, ast.Yield, ast.YieldFrom)) for each in inner[1:])
    if len(returns) <= 1 and not unclear:
        yield f"What does {node.name} return?", returns[0].value if returns else None


def _defaults(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[tuple[str, ast.expr | None]]:
    """Yields the default of each argument but `self` and `cls`, None where it has none."""
    plain = [*node.args.posonlyargs, *node.args.args]
    missing = [None] * (len(plain) - len(node.args.defaults))
    values = [*missing, *node.args.defaults, *node.args.kw_defaults]
    for argument, value in zip([*plain, *node.args.kwonlyargs], values, strict=True):
        if argument.arg not in ("self", "cls"):
            yield f"What is the default of {argument.arg} in {node.name}?", value


def _first_sentence(docstring: str) -> str:
    """Returns the first sentence of the first paragraph, or "" where that is not one of 3 or more words."""
    paragraph = " ".join(docstring.strip().split("\n\n")[0].split())
    sentence = re.split(r"(?<=[.!?])\s+(?=[A-Z\"'(`])", paragraph)[0]
    is_prose = len(sentence.split()) >= 3 and 15 <= len(sentence) <= 200 and ">>>" not in sentence
    return sentence if is_prose else ""


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _logical_lines(lines: list[str], start: int) -> Iterator[list[tokenize.TokenInfo]]:
    """Yields the word tokens of each logical line from line `start` (from 1) on, docstrings left out.

    Lines go to the tokenizer without their indentation, so that it can begin and stop anywhere.
    """
    skip = {tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING, tokenize.ENDMARKER}
    rest = itertools.chain((line.lstrip() + "\n" for line in lines[start - 1 :]), itertools.repeat(""))
    statement: list[tokenize.TokenInfo] = []
    try:
        for token in tokenize.generate_tokens(rest.__next__):
            if token.type == tokenize.NEWLINE:
                if any(part.type != tokenize.STRING for part in statement):
                    yield statement
                statement = []
            elif token.type not in skip:
                line, column = token.start
                text = lines[start + line - 2]
                place = (start + line - 1, column + len(text) - len(text.lstrip()))
                statement.append(token._replace(start=place, end=(start + token.end[0] - 1, token.end[1])))
    except (tokenize.TokenError, SyntaxError):  # never inside a whole statement of a file that parses
        return


def _word(token: tokenize.TokenInfo) -> str:
    is_plain = token.type in (tokenize.NAME, tokenize.OP, tokenize.NUMBER)
    return token.string if is_plain or (len(token.string) <= 24 and len(token.string.split()) == 1) else "'...'"


def _role_of_places(lines: list[str], tree: ast.Module, used: set[int]) -> dict[tuple[int, int], str]:
    """Returns the role that the tree gives to a token, by its (line from 1, character from 0).

    Only statements that start on one of the lines `used` are looked at, and of compound ones only the head.
    """
    tags: dict[tuple[int, int], str] = {}

    def place(line: int, byte: int) -> tuple[int, int]:
        # The syntax tree counts UTF-8 bytes, the tokens count characters.
        text = lines[line - 1]
        return line, byte if text.isascii() else len(text.encode("utf-8")[:byte].decode("utf-8", "ignore"))

    stack = [part for node in _blocks(tree) for line, part in _head(node) if line in used]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.JoinedStr):  # older versions of Python give an f-string neither tokens nor true places
            continue
        if isinstance(node, ast.arg):
            tags[place(node.lineno, node.col_offset)] = "ARGUMENT"
        elif isinstance(node, ast.keyword) and node.arg:
            tags[place(node.lineno, node.col_offset)] = "KEYWORD"
        elif isinstance(node, ast.Attribute):
            line, column = place(node.end_lineno or 0, node.end_col_offset or 0)
            tags.setdefault((line, column - len(node.attr)), "ATTRIBUTE")  # unless it is the name of a call
        elif isinstance(node, ast.Call):
            line, column = place(node.func.end_lineno or 0, node.func.end_col_offset or 0)
            name = getattr(node.func, "attr", None) or getattr(node.func, "id", None)
            if name:
                tags[line, column - len(name)] = "CALL"
        stack += ast.iter_child_nodes(node)
    return tags


def _roles_in(
    statement: list[tokenize.TokenInfo], tags: dict[tuple[int, int], str]
) -> Iterator[tuple[tokenize.TokenInfo, str]]:
    """Yields each token of a logical line with its BIO tag.

    What the tree has no place for is told by the words before it: the names that `def` and `class` define, and the
    dotted names that `import` and `from` take.
    """
    importing = statement[0].string in ("import", "from")
    before, inside = "", False
    for token in statement:
        role = tags.get(token.start)
        tag = f"B-{role}" if role else "O"
        if before in ("def", "class") and token.type == tokenize.NAME:
            tag = "B-FUNCTION" if before == "def" else "B-CLASS"
        elif importing and before:
            if token.string in ("import", "as", ",", "(", ")", "*", ";"):
                inside = False
            else:
                tag, inside = "I-IMPORT" if inside else "B-IMPORT", True
        yield token, tag
        before = token.string


def statements(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yields every statement in the order of the source; much quicker than `ast.walk`, which visits expressions too."""
    return (node for node in _blocks(tree) if isinstance(node, ast.stmt))


def _blocks(tree: ast.Module) -> Iterator[ast.AST]:
    """Yields every statement, and the `except` and `case` clauses, which have heads too."""
    stack: list[ast.AST] = list(reversed(tree.body))
    while stack:
        node = stack.pop()
        yield node
        for name in ("finalbody", "orelse", "handlers", "cases", "body"):
            stack += reversed(getattr(node, name, None) or [])


def _head(node: ast.AST) -> Iterator[tuple[int, ast.AST]]:
    """Yields (line on which its logical line starts, child) for the children of a statement that hold no statements."""
    decorators = getattr(node, "decorator_list", [])
    yield from ((child.lineno, child) for child in decorators)
    line = node.pattern.lineno if isinstance(node, ast.match_case) else getattr(node, "lineno", 0)
    for child in ast.iter_child_nodes(node):
        if child not in decorators and not isinstance(child, (ast.stmt, ast.ExceptHandler, ast.match_case)):
            yield line, child

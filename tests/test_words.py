"""Docstrings keep to plain technical English and to the glossary of CONTRIBUTING.md."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import futureagi_async


if TYPE_CHECKING:
    from collections.abc import Iterator


PACKAGE = Path(futureagi_async.__file__).parent
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
MODULES = sorted(each.relative_to(PACKAGE) for each in PACKAGE.rglob("*.py"))

BANNED = re.compile(
    r"""\b(?:
        tell|tells|told | say|says|said | give|gives|gave | look|looks|looked|looking
        | anew | somebody | who(?:m)?ever | purse | doubt\w* | settle\w* | begun
        | bear|bears|borne | tak(?:e|es|en)\ up | turned\ away | comes?\ to\ (?:its|an)\ end
        | the\ rest | the\ whole(?!\ number) | as\ if | fan-outs? | patience
    )\b""",
    re.VERBOSE | re.IGNORECASE,
)

NO_VERBS = frozenset({"what", "how", "whether", "where", "when", "which", "who", "why"})
"""Words with which neither a noun nor an imperative begins; ruff (D401) knows more."""


def tree(module: Path) -> ast.Module:
    return ast.parse((PACKAGE / module).read_text(encoding="utf-8"))


def strings(module: Path) -> Iterator[tuple[int, str]]:
    """Yield the docstrings of a module, those of attributes included."""
    for node in ast.walk(tree(module)):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield node.lineno, text


def first_words(module: Path, kinds: tuple[type, ...]) -> Iterator[tuple[int, str]]:
    """Yield the first word of each docstring of such nodes."""
    for node in ast.walk(tree(module)):
        if isinstance(node, kinds) and not is_property(node):
            words = (ast.get_docstring(node) or "").split()
            if words:
                yield node.lineno, words[0].rstrip(".,;:")


def is_property(node: ast.AST) -> bool:
    decorators = getattr(node, "decorator_list", ())
    return any("property" in ast.unparse(each) for each in decorators)


@pytest.fixture(scope="module")
def verbs() -> frozenset[str]:
    """The words with which docstrings of functions begin."""
    return frozenset(
        word for module in MODULES for _, word in first_words(module, FUNCTIONS)
    )


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_docstrings_have_no_banned_word(module):
    found = [
        f"{module}:{line + text[: match.start()].count(chr(10))}: {match[0]}"
        for line, text in strings(module)
        for match in BANNED.finditer(text)
    ]

    assert not found, "\n".join(found)


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_docstrings_of_functions_begin_with_a_verb(module):
    found = [
        f"{module}:{line}: {word}"
        for line, word in first_words(module, FUNCTIONS)
        if word.lower() in NO_VERBS
    ]

    assert not found, "\n".join(found)


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_docstrings_of_classes_begin_with_a_noun(module, verbs):
    found = [
        f"{module}:{line}: {word}"
        for line, word in first_words(module, (ast.ClassDef,))
        if word.lower() in NO_VERBS or (word[-1:] == "s" and word[:-1] in verbs)
    ]

    assert not found, "\n".join(found)

"""The tree's own Python, as the house's tests read it."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("lesions", "trainables", "search_spaces", "platform", "dashboards")


@cache
def files(*folders: str) -> dict[str, ast.Module]:
    """Every Python file under some of the root's folders, parsed, by its path from the root."""
    found = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text()) for path in found}


def module_of(path: str) -> str:
    """The dotted name of a file: that of its folder for an `__init__`."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def words_of(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """(line, text) of each name and each string of the code; docstrings are none of it."""
    docstrings = {id(node.value) for node in ast.walk(tree) if _is_text(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str) and id(node) not in docstrings:
                yield node.lineno, node.value
            continue
        for field in ("id", "attr", "arg", "name", "asname", "module"):
            if isinstance(text := getattr(node, field, None), str):
                yield getattr(node, "lineno", 0), text


def _is_text(node: ast.AST) -> bool:
    """A string that stands by itself: of a module, class or function, or below an attribute."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def names(text: str, name: str) -> bool:
    """Whether a word or a part of one is this name: "pdnet" in "PDNetSystem" and "pdnet-3"."""
    return re.search(re.escape(name), text, re.IGNORECASE) is not None


def imports_of(path: str, tree: ast.Module, modules: set[str]) -> set[str]:
    """The modules of the tree that a file imports when it is itself imported, or for its types."""
    found = set()
    for node in _at_import(tree.body):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= inner & modules
            if not inner <= modules:
                found.add(node.module)
    return (found & modules) - {module_of(path)}


def _at_import(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run at import, and those under TYPE_CHECKING."""
    for node in body:
        yield node
        for field in ("body", "orelse", "finalbody"):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from _at_import(getattr(node, field, []))

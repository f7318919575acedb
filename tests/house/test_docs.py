"""What the docs say is there, and the page on systems is the system that the tests run."""

import doctest
import importlib
import re

import pytest

from tests.house.source import ROOT, files, module_of

PAGES = ["README.md", "CONTRIBUTING.md", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))]
TOY = ROOT / "tests/house/toy.py"


def code_of(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


def test_the_page_on_systems_is_the_toy() -> None:
    """Block after block, but for blank lines."""
    said = "\n".join(code_of("docs/system.md"))
    assert [line for line in said.splitlines() if line] == [
        line for line in TOY.read_text().splitlines() if line
    ]


@pytest.mark.parametrize("page", PAGES)
def test_files_that_a_page_names_are_there(page: str) -> None:
    text = (ROOT / page).read_text()
    rooms = "lesions|trainables|search_spaces|platform|dashboards|tests|docs|cluster"
    named = re.findall(rf"`((?:{rooms})/[\w/.-]*)`", text)
    linked = [link for link in re.findall(r"\]\(([^)#:]+)", text) if not link.startswith("http")]
    gone = [name for name in named if not (ROOT / name).exists()]
    gone += [link for link in linked if not ((ROOT / page).parent / link).exists()]
    assert [name for name in gone if "NAME" not in name] == []


@pytest.mark.parametrize("page", PAGES)
def test_modules_that_a_page_names_are_there(page: str) -> None:
    """`trainables.loop.fit`: a module, and what it has."""
    text = (ROOT / page).read_text()
    found = re.findall(r"`((?:lesions|trainables|dashboards|platform)(?:\.\w+)+)`", text)
    for name in (name for name in found if not name.endswith((".csv", ".json"))):
        module, rest = name, list[str]()
        while not _is_module(module):
            module, _, last = module.rpartition(".")
            rest.insert(0, last)
        found = importlib.import_module(module)
        for part in rest:
            found = getattr(found, part)


def _is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.with_suffix(".py").exists() or path.is_dir()


EXAMPLES = [
    module_of(path) for path in files("lesions", "trainables") if ">>>" in (ROOT / path).read_text()
]


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_in_docstrings(name: str) -> None:
    done = doctest.testmod(importlib.import_module(name))
    assert done.attempted > 0
    assert done.failed == 0


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 4

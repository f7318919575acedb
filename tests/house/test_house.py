"""The house's own rules: who may name whom, how long a file is, what a new system edits."""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from difflib import unified_diff
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.house.source import ROOMS, ROOT, files, imports_of, module_of, names, words_of
from trainables.registry import SYSTEMS

MOST_LINES = 300
TOY = ROOT / "tests/house/toy.py"
LINES_OF_A_SYSTEM = 50


@pytest.mark.parametrize("folder", ["platform", "dashboards", "lesions"])
@pytest.mark.parametrize("system", SYSTEMS.values(), ids=lambda system: system.name)
def test_no_code_outside_names_a_system(folder: str, system: object) -> None:
    """Nor one of its parts, nor what its paper's methods are called."""
    own = {system.name, system.title, *system.parts}
    found = [
        f"{path}:{line}: {text!r}"
        for path, tree in files(folder).items()
        for line, text in words_of(tree)
        if any(names(text, name) for name in own)
    ]
    assert found == []


def test_no_file_is_longer_than_300_lines() -> None:
    lengths = {path: len((ROOT / path).read_text().splitlines()) for path in files(*ROOMS, "tests")}
    assert {path: length for path, length in lengths.items() if length > MOST_LINES} == {}


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Also where the import is for types alone."""
    trees = files(*ROOMS, "tests")
    modules = {module_of(path) for path in trees}
    graph = {module_of(path): imports_of(path, tree, modules) for path, tree in trees.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' ← '.join(error.args[1])}")


FORBIDDEN = {
    "lesions": ("trainables", "search_spaces", "platform", "dashboards", "torch", "ray", "mlflow"),
    "trainables": ("search_spaces", "platform", "dashboards", "mlflow", "optuna", "tests"),
    "search_spaces": ("lesions", "trainables", "platform", "dashboards", "torch", "ray", "mlflow"),
    "dashboards": ("platform.running", "platform.tracking", "trainables", "torch", "ray"),
}


@pytest.mark.parametrize("room", FORBIDDEN)
def test_a_room_imports_what_it_may(room: str) -> None:
    """Anywhere, inside of functions too."""
    found = [
        f"{path}:{line}: {module}"
        for path, tree in files(room).items()
        for line, module in everything_imported(tree)
        if any(f"{module}.".startswith(f"{one}.") for one in FORBIDDEN[room])
    ]
    assert found == []


def test_dashboards_know_optuna_in_one_place() -> None:
    """Where runs become a study; what is shown of a sweep needs no searcher."""
    found = {
        path
        for path, tree in files("dashboards").items()
        for _, module in everything_imported(tree)
        if module.partition(".")[0] == "optuna"
    }
    assert found == {"dashboards/plots/study.py"}


def everything_imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.module or ""


def test_no_system_imports_another() -> None:
    packages = {system: type(of).__module__.partition(".")[2] for system, of in SYSTEMS.items()}
    found = [
        f"{path}:{line}: {module}"
        for package in packages.values()
        for path, tree in files(f"trainables/{package}").items()
        for line, module in everything_imported(tree)
        for other in set(packages.values()) - {package}
        if f"{module}.".startswith(f"trainables.{other}.")
    ]
    assert found == []


def test_what_lies_at_the_top_of_platform_is_a_command() -> None:
    for path, tree in files("platform").items():
        if path.count("/") == 1 and Path(path).name not in ("__init__.py", "__main__.py"):
            made = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
            assert "main" in made, path


def test_the_toy_has_at_most_fifty_lines() -> None:
    """Beside its imports, blank lines and the line that says what it is."""
    tree = ast.parse(TOY.read_text())
    lines = {number for number, line in enumerate(TOY.read_text().splitlines(), 1) if line.strip()}
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom) or node is tree.body[0]:
            lines -= set(range(node.lineno, (node.end_lineno or 0) + 1))
    assert len(lines) <= LINES_OF_A_SYSTEM


# What adding the toy to the house does to files that are there: (file, before, after).
EDITS = (
    (
        "trainables/registry.py",
        r"from trainables.tables import PaperTable\n",
        "from trainables.tables import PaperTable\nfrom trainables.toy import Toy\n",
    ),
    ("trainables/registry.py", r"^(OWN: .*)\)\n", r"\1, Toy)\n"),
    ("search_spaces/__init__.py", r"^(NAMES = .*)\)\n", r'\1, "toy")\n'),
)
SPACE = """
from optuna.distributions import FloatDistribution

def space(config):
    return {"training.learning_rate": FloatDistribution(1e-4, 0.1, log=True)}
"""
ADDED = """
from search_spaces import SPACES
from trainables.registry import find_system, find_table, word_of

system = find_system("toy")
assert type(system).__module__ == "trainables.toy"
assert word_of(system) == "toy"
assert find_table("toy-1")[0] is system
assert SPACES["toy"].space(system.presets()["tiny"]())
"""


def test_adding_a_system_edits_at_most_two_existing_lines(tmp_path: Path) -> None:
    """The toy as a package of the house: its line in the registry, and its space's."""
    for folder in ("lesions", "trainables", "search_spaces"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("sample"))
    (tmp_path / "trainables/toy.py").write_text(TOY.read_text())
    (tmp_path / "search_spaces/toy.py").write_text(SPACE)
    edited = added = 0
    for file, before, after in EDITS:
        path = tmp_path / file
        old = path.read_text()
        new, found = re.subn(before, after, old, flags=re.MULTILINE)
        assert found == 1, f"{file} has not the line {before!r}"
        path.write_text(new)
        lines = list(unified_diff(old.splitlines(), new.splitlines(), n=0, lineterm=""))[2:]
        edited += sum(line.startswith("-") for line in lines)
        added += sum(line.startswith("+") for line in lines)
    assert (edited, added) == (2, 3)
    done = subprocess.run(
        [sys.executable, "-c", ADDED], cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr

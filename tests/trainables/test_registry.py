"""Systems by name: this repository's, an installed package's, and any class's."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lesions import InputError
from tests.platform.made import Millimetres
from trainables.pdnet import PDNetSystem
from trainables.registry import (
    SYSTEMS,
    find_system,
    find_table,
    find_variant,
    named_system,
    names,
    tables,
    word_of,
)

MADE = "tests.platform.made"
ELSEWHERE = """
from tests.platform.made import Millimetres
class Elsewhere(Millimetres):
    name = title = "elsewhere"
"""


@pytest.fixture(autouse=True)
def named_anew() -> Iterator[None]:
    before = dict(SYSTEMS)
    yield
    SYSTEMS.clear()
    SYSTEMS.update(before)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path, with a module and a distribution that names a system of it."""
    (tmp_path / "from_elsewhere.py").write_text(ELSEWHERE)
    folder = tmp_path / "from_elsewhere-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: from-elsewhere\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(
        "[lesion_platform.systems]\n"
        "elsewhere = from_elsewhere:Elsewhere\n"
        "broken = from_elsewhere:Absent\n"
        "other = from_elsewhere:Elsewhere\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "from_elsewhere", raising=False)
    return tmp_path


def test_a_class_is_named_by_its_module_and_known_by_its_name_afterwards() -> None:
    with pytest.raises(InputError, match="there is no system 'millimetres'"):
        find_system("millimetres")
    system = named_system(f"{MADE}:Millimetres")
    assert type(system) is Millimetres
    assert named_system(f"{MADE}:Millimetres") is system
    assert find_system("millimetres") is named_system("millimetres") is system
    assert word_of(system) == f"{MADE}:Millimetres"
    assert "millimetres-1" in tables(), "its tables are known from then on"
    assert find_table("millimetres-1")[0] is system


def test_this_repositorys_systems_go_by_their_names() -> None:
    pdnet = named_system("pdnet")
    assert word_of(pdnet) == "pdnet"
    assert named_system("trainables.pdnet:PDNetSystem") is pdnet


def test_an_entry_point_names_a_system(installed: Path) -> None:
    assert "elsewhere" in names()
    with pytest.raises(InputError, match="there is no system 'elsewhere'"):
        find_system("elsewhere")
    assert "from_elsewhere" not in sys.modules, "to look a name up imports nothing"
    system = named_system("elsewhere")
    assert system.name == "elsewhere"
    word = word_of(system)
    assert word == "from_elsewhere:Elsewhere"
    SYSTEMS.pop("elsewhere")
    assert named_system(word).name == "elsewhere", "as a worker finds it"


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("broken", "from_elsewhere:Absent cannot be imported: AttributeError"),
        ("other", "the entry point 'other' names a system that calls itself 'elsewhere'"),
    ],
)
def test_an_entry_point_that_is_wrong_is_told(installed: Path, word: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        named_system(word)


WRONG = {
    "nothing_here:Toy": "there is no module 'nothing_here' (it is looked for in the current",
    "tests.nothing_here:Toy": "there is no module 'tests.nothing_here' (it is looked for",
    f"{MADE}:Absent": f"the module {MADE} has no 'Absent' (choose of {MADE}:Millimetres, ",
    "tests.discs:Absent": "the module tests.discs has no 'Absent' (it has no system at all)",
    f"{MADE}:NoSystem": f"{MADE}:NoSystem is no system (name a class that extends ",
    f"{MADE}:Any": f"{MADE}:Any is no system",
    f"{MADE}:Taken": f"the system {MADE}:Taken calls itself 'pdnet', as pdnet does (give the",
    f"{MADE}:NoName": f"the system {MADE}:NoName has no name (give the class `name`: letters",
    f"{MADE}:Unmade": f"the system {MADE}:Unmade cannot be made: TypeError: ",
    "trainables.system:System": "the system trainables.system:System has no name",
    "needs_more:Toy": "needs_more cannot be imported: ModuleNotFoundError: No module named 'absent",
    "cut_off:Toy": "cut_off cannot be imported: SyntaxError: ",
    ":Toy": "':Toy' names no class (say package.module:Class)",
    "a/b:Toy": "'a/b:Toy' names no class",
    "..made:Toy": "'..made:Toy' names no class",
    f"{MADE}:": f"'{MADE}:' names no class",
    "nobody": "there is no system 'nobody' (choose of pdnet",
}


@pytest.mark.parametrize("word", WRONG)
def test_what_is_no_system_is_one_sentence(
    word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "needs_more.py").write_text("import absent_package\n")
    (tmp_path / "cut_off.py").write_text("class Toy(\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    before = dict(SYSTEMS)
    with pytest.raises(InputError) as caught:
        named_system(word)
    assert str(caught.value).startswith(WRONG[word])
    assert len(str(caught.value).splitlines()) == 1
    assert before == SYSTEMS


def test_a_variant_is_found_by_name() -> None:
    class Bare(PDNetSystem):
        def variants(self) -> dict[str, object]:  # type: ignore[override]
            return {}

    with pytest.raises(InputError, match=r"pdnet has no variant 'x' \(it has none\)"):
        find_variant(Bare(), "x")

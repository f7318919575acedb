"""The words of --model and --with: what they stand for, in any order, and what they cannot be."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from lesions import InputError
from platform.command_line.models import checkpoints, checkpoints_of_any
from platform.tracking.store import Store
from tests.boxed import Boxed, save
from tests.discs import Checkpoints
from tests.platform.registered import trained
from trainables.registry import SYSTEMS

PDNET, BOXED = SYSTEMS["pdnet"], Boxed()
NOWHERE = Path("/nowhere")


@pytest.fixture
def boxed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkpoint of a system without parts."""
    monkeypatch.setitem(SYSTEMS, BOXED.name, BOXED)
    return save(BOXED, tmp_path / "boxed")


def test_folders_in_any_order(two_checkpoints: Checkpoints, boxed: Path) -> None:
    first, second = two_checkpoints
    for words in ((first, second), (second, first)):
        found = checkpoints(PDNET, [*map(str, words)], NOWHERE)
        assert {part: one.folder for part, one in found.items()} == {
            "stage1": first, "stage2": second
        }  # fmt: skip
        assert [*found] == ["stage1", "stage2"]
    alone = checkpoints(BOXED, [str(boxed)], NOWHERE)
    assert {part: one.folder for part, one in alone.items()} == {"": boxed}
    system, found = checkpoints_of_any([str(second), str(first)], NOWHERE)
    assert (system.name, [*found]) == ("pdnet", ["stage1", "stage2"])


def test_the_words_of_another_model_say_its_system(
    store: Store, storage: Path, two_checkpoints: Checkpoints, boxed: Path
) -> None:
    """An alias of a whole model whose name is not its system's, and one of a part beside it."""
    for checkpoint in two_checkpoints:
        trained(store, checkpoint.name, checkpoint, register_as="liver")
    trained(store, "box", boxed, register_as="box")
    trained(store, "other", boxed, register_as="liver-2")
    system, found = checkpoints_of_any(["liver@champion"], storage)
    assert system.name == "pdnet"
    assert [one.registered for one in found.values()] == ["liver-stage1:1", "liver-stage2:1"]
    system, found = checkpoints_of_any(["liver@champion", str(two_checkpoints[1])], storage)
    assert [one.registered for one in found.values()] == ["liver-stage1:1", None]
    for word in ("box@champion", "box:1"):
        system, found = checkpoints_of_any([word], storage)
        assert (system.name, found[""].registered) == ("boxed", "box:1")
    with pytest.raises(InputError, match="there is no registered model 'lung'"):
        checkpoints_of_any(["lung@champion"], storage)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], r"which stage1 is to answer\? \(say --model NAME@ALIAS, NAME:VERSION or a"),
        (["1"], r"which stage2 is to answer\?"),
        (["2"], r"which stage1 is to answer\?"),
        (["1", "1"], "two models are named for stage1"),
        (["boxed"], "boxed: holds a model of boxed, not of pdnet"),
        (["a:1"], "--model is 'a:1' .*versions are each part's own: NAME-stage1:1"),
        (["a@champion", "b@champion"], "a@champion and b@champion both stand for all parts"),
        (["absent"], "absent: no checkpoint"),
    ],
)
def test_what_they_cannot_be(
    two_checkpoints: Checkpoints, boxed: Path, words: Sequence[str], message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(boxed.parent)
    places = {"1": str(two_checkpoints[0]), "2": str(two_checkpoints[1])}
    with pytest.raises(InputError, match=message):
        checkpoints(PDNET, [places.get(word, word) for word in words], NOWHERE)


def test_a_part_registered_by_another_ones_name(
    store: Store, storage: Path, two_checkpoints: Checkpoints, boxed: Path
) -> None:
    trained(store, "box", boxed, register_as="odd-stage1")
    with pytest.raises(InputError, match="holds a model of boxed, not of pdnet"):
        checkpoints(PDNET, ["odd@champion"], storage)

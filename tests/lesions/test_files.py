"""Files: written whole, read bounded, locked without harm; names that are no paths."""

import contextlib
import json
import multiprocessing
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesions import InputError
from lesions.files import READABLE_BY, locked, make_folder, replace_with, write_text
from lesions.names import check_name, inside
from lesions.readers.bounded import open_regular, parse_json, read_bytes, read_json


def write_often(path: Path, letter: str) -> None:
    for _ in range(100):
        write_text(path, letter * 100_000)


def test_two_writers_leave_one_whole_file(tmp_path: Path) -> None:
    """Each read finds one writer's text, whole: with one partial name 91 of 400 were torn."""
    path = tmp_path / "answer"
    write_text(path, "a" * 100_000)
    writers = [multiprocessing.Process(target=write_often, args=(path, x)) for x in "ab"]
    for writer in writers:
        writer.start()
    read = 0
    while any(writer.is_alive() for writer in writers) or read < 400:
        text = path.read_text()
        assert text in ("a" * 100_000, "b" * 100_000)
        read += 1
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert list(tmp_path.iterdir()) == [path]


def test_no_link_is_followed(tmp_path: Path) -> None:
    """Not one that bears a name that could be foretold, and not one in the file's own place."""
    victim = tmp_path / "victim"
    victim.write_text("mine")
    folder = make_folder(tmp_path / "shared")
    for name in ("answer.json.partial", "partial-answer.json", ".answer.json.partial"):
        (folder / name).symlink_to(victim)
    (folder / "answer.json").symlink_to(victim)
    write_text(folder / "answer.json", "ours")
    assert victim.read_text() == "mine"
    assert (folder / "answer.json").read_text() == "ours"
    assert not (folder / "answer.json").is_symlink()


def test_a_lock_neither_empties_nor_follows(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_text("kept")
    with locked(path):
        assert path.read_text() == "kept"
    (tmp_path / "link").symlink_to(tmp_path / "made")
    with pytest.raises(InputError, match="cannot be locked"), locked(tmp_path / "link"):
        pass
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("readers", "file", "folder"),
    [(None, 0o600, 0o700), ("owner", 0o600, 0o700), ("group", 0o640, 0o750), ("all", 0o644, 0o755)],
)
def test_who_may_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, readers: str | None, file: int, folder: int
) -> None:
    monkeypatch.delenv(READABLE_BY, raising=False)
    if readers:
        monkeypatch.setenv(READABLE_BY, readers)
    for umask in (0o000, 0o022, 0o077):
        before = os.umask(umask)
        try:
            path = tmp_path / f"{umask}" / "below" / "file"
            write_text(path, "")
        finally:
            os.umask(before)
        assert stat.S_IMODE(path.stat().st_mode) == file
        assert {stat.S_IMODE(one.stat().st_mode) for one in path.parents[:2]} == {folder}


def test_readers_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(READABLE_BY, "everybody")
    with pytest.raises(InputError, match="LESION_READABLE_BY is 'everybody'"):
        write_text(tmp_path / "file", "")


def test_a_file_where_a_folder_belongs(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(OSError, match="out"), replace_with(tmp_path / "out" / "file"):
        pass


def fifo(path: Path) -> None:
    os.mkfifo(path)


def zeros(path: Path) -> None:
    path.symlink_to("/dev/zero")


def folder(path: Path) -> None:
    path.mkdir()


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(100 << 30)


SPECIAL = {fifo: "not a regular", zeros: "not a regular", folder: "not a regular",
           sparse: "has 107374182400 bytes"}  # fmt: skip


@pytest.mark.timeout(20)
@pytest.mark.parametrize("make", SPECIAL)
def test_special_files_are_refused_at_once(tmp_path: Path, make: "type[object]") -> None:
    make(tmp_path / "file")
    for read in (open_regular(tmp_path / "file").__enter__, lambda: read_bytes(tmp_path / "file")):
        with pytest.raises(InputError, match=SPECIAL[make]) as found:
            read()
        assert str(tmp_path / "file") in str(found.value)


def test_links_to_files_are_read(tmp_path: Path) -> None:
    """Data sets are made of them."""
    (tmp_path / "there").write_bytes(b"x")
    (tmp_path / "here").symlink_to(tmp_path / "there")
    assert read_bytes(tmp_path / "here") == b"x"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is no JSON"),
        (b'{"a": ', "is no JSON"),
        (b"[1]", "is no JSON of an object"),
        (b'{"a": "\xff"}', "is not UTF-8"),
        (b"[" * 100_000, "is no JSON"),
        (b"9" * 10_000, "is no JSON"),
    ],
)
def test_damaged_json(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(InputError, match=f"run.json: {said}"):
        read_json(tmp_path / "run.json", dict)


@given(st.dictionaries(st.text(), st.integers()))
def test_json_comes_back(content: dict[str, int]) -> None:
    assert parse_json(json.dumps(content), dict, "content.json") == content


@pytest.mark.parametrize("name", ["a", "pdnet-2", "sweep_1.5+x", "größe", "1", "Ω"])
def test_names(name: str) -> None:
    assert inside(Path("runs"), name, ".html") == Path("runs") / f"{name}.html"


NO_NAMES = (
    "", ".", "..", "../x", "/etc/passwd", "a/b", "a\\b", "-rf", ".hidden", "a\n", "a\0", " a",
    "a b", "~", "$HOME", "x" * 201, "\udc80", "\u202ea", "a'b",
)  # fmt: skip


@pytest.mark.parametrize("name", NO_NAMES)
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(InputError, match="is no name"):
        check_name(name)


@given(st.text())
def test_no_name_leaves_its_folder(name: str) -> None:
    with contextlib.suppress(InputError):
        path = inside(Path("/runs/reports"), name, ".html")
        assert Path(os.path.normpath(path)).parent == Path("/runs/reports")

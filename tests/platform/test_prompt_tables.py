"""A table of prompts over a real cluster: answers as one by one, and bad rows set aside."""

import csv
import json
import os
import signal
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest

from lesions.readers.png import decode_labels, encode_slice
from tests.boxed import Boxed, save
from tests.discs import Checkpoints, dice, middle_of, slice_with_discs
from tests.lesions.readers import dicom_files
from tests.lesions.readers.test_prompt_table import Row, write_table
from tests.platform.conftest import (
    Cluster,
    command,
    open_to,
    ray_workers,
    started,
    wait_until,
)
from trainables.answering.batch import DEATHS

HU, CORNERS = slice_with_discs(100)
STACK = np.stack([np.roll(HU, 20, axis=1), HU, np.roll(HU, 15, axis=0)])


def images(folder: Path) -> None:
    """One lesion slice as a PNG, in a DICOM series and in a NIfTI file, and a damaged file."""
    folder.mkdir(exist_ok=True)
    (folder / "slice.png").write_bytes(encode_slice(HU))
    (folder / "cut.png").write_bytes(encode_slice(HU)[:900])
    dicom_files.save_all(dicom_files.series(STACK), folder / "ct")
    ras = STACK[:, ::-1, ::-1].transpose(2, 1, 0)
    nibabel.save(nibabel.Nifti1Image(ras, np.diag([0.7, 0.8, 2.5, 1.0])), folder / "ct.nii.gz")


def rows() -> list[Row]:
    a, b, c, d = map(middle_of, CORNERS)
    return [
        ("", "slice.png", "", *a, 0.5, 0.8),
        ("left", "ct", 1, *c, "", ""),
        ("", "cut.png", "", 5, 5, 1, 1),
        ("right", "ct", 1.0, *b, "", ""),
        ("out", "ct.nii.gz", 1, 144, 5, "", ""),
        ("", "ct", 3, *b, "", ""),
        ("left", "ct", 1, *d, "", ""),
        ("../up", "ct", 1, *d, "", ""),
        ("", "slice.png", "", "here", 5, 1, 1),
        ("d.1", "ct.nii.gz", 1, *d, "", ""),
    ]


def words(two: Checkpoints, table: Path, out: Path) -> tuple[object, ...]:
    return ("pdnet", "--model", *two, "--table", table, "--out", out)


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def answer_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "answer.json").read_text())
    return {name: value for name, value in found.items() if name != "seconds"}


def written(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("answer.json")}


@pytest.mark.ray
def test_a_table_is_answered_as_one_by_one(
    ray_cluster: Cluster,
    two_checkpoints: Checkpoints,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    images(data)
    table = write_table(data, rows())
    fp32 = ("--precision", "fp32")  # an actor has one core: in bf16 that alone moves endpoints
    assert command("predict", *words(two_checkpoints, table, out), *fp32) == 0
    shown = capsys.readouterr().out
    assert "10 rows: 0 answered before, 7 to answer, 3 set aside" in shown
    assert (
        f"4 answered (4 measured): {out / 'answers.csv'}\n6 rejected: {out / 'rejected.csv'}"
        in shown
    )

    answers = read(out / "answers.csv")
    assert [row["folder"] for row in answers] == ["000001", "left", "right", "d.1"]
    for row, given in zip(answers, [rows()[at] for at in (0, 1, 3, 9)], strict=True):
        folder = out / row["folder"]
        found = answer_of(folder)
        assert (row["id"], row["image"]) == given[:2]
        assert (float(row["x"]), float(row["y"])) == given[3:5]
        assert float(row["long_mm"]) == found["recist"]["long_axis"]["mm"]
        assert float(row["area_mm2"]) == found["mask"]["area_mm2"] > 0
        spreads = [end["spread_mm"] for axis in found["recist"].values() for end in axis["ends"]]
        assert float(row["spread_max_mm"]) == max(spreads)
        assert row["found"] == str(found["found"])
        assert (row["status"], row["doubt"]) == (found["status"], found.get("doubt", ""))
        assert {*found["files"].values(), "answer.json", "overlay.png"} == {
            path.name for path in folder.iterdir()
        }
        if row["folder"] == "right":
            continue  # the same series again
        one = tmp_path / "one" / row["folder"]
        more = ("--slice", 1) if given[2] else ("--spacing", *given[5:])
        assert command(
            "predict", *words(two_checkpoints, table, one)[:4], "--out", one,
            "--image", data / str(given[1]), "--click", f"{given[3]},{given[4]}", *more, *fp32,
        ) == 0  # fmt: skip
        alone = answer_of(one)
        named = {"recist": 0, "tracking": 0}  # a lesion that nobody calls anything is known once
        assert {**alone, **named} == {**found, **named}
        for axis, measured in found["recist"].items():
            assert alone["recist"][axis]["mm"] == pytest.approx(measured["mm"], abs=2e-3)
            for end, same in zip(alone["recist"][axis]["ends"], measured["ends"], strict=True):
                assert end == pytest.approx(same, abs=2e-3)
        for name in ("mask.png", "mask.nii.gz", "overlay.png"):
            assert (one / name).exists() == (folder / name).exists()
        for name in {"mask.png", "mask.nii.gz"} & {path.name for path in one.iterdir()}:
            assert (one / name).read_bytes() == (folder / name).read_bytes()
    reasons = {int(row["row"]): row["reason"] for row in read(out / "rejected.csv")}
    assert [*reasons] == [3, 5, 6, 7, 8, 9]
    for number, reason in (
        (3, "the PNG is truncated"), (5, "the click 144,5 lies outside its 144 × 112 pixels"),
        (6, "there is no slice 3 (it has 0…2, from the feet)"), (7, "the id left is row 2's"),
        (8, "the id '../up' is no name of a folder"), (9, "x is 'here', not a number"),
    ):  # fmt: skip
        assert reason in reasons[number]
    assert not (tmp_path / "up").exists()
    assert {path.name for path in out.iterdir() if path.is_dir()} == {
        "images", *(row["folder"] for row in answers)
    }  # fmt: skip
    assert [row["dicom"] for row in answers] == ["", "images/left", "images/left", ""]
    seg = pydicom.dcmread(out / "images" / "left" / "mask.dcm")
    assert [one.TrackingUID for one in seg.SegmentSequence] == [
        row["tracking_uid"] for row in answers[1:3]
    ]

    # What was answered is not asked again: this cluster is never looked for.
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    before = written(out)
    write_table(data, [rows()[at] for at in (0, 1, 3, 9)])
    assert command("predict", *words(two_checkpoints, table, out), *fp32) == 0
    assert "4 rows: 4 answered before, 0 to answer, 0 set aside" in capsys.readouterr().out
    assert written(out) == before
    assert pydicom.dcmread(out / "images" / "left" / "mask.dcm") == seg
    assert read(out / "answers.csv") == answers
    assert read(out / "rejected.csv") == []
    write_table(data, [rows()[1]])
    assert command("predict", *words(two_checkpoints, table, out), *fp32) == 0
    assert [row["dicom"] for row in read(out / "answers.csv")] == ["left"]
    assert not (out / "images" / "left").exists(), "one lesion has its own alone"


@pytest.mark.slow
@pytest.mark.ray
def test_odd_names_and_what_lies_in_their_places_end_nothing(
    ray_cluster: Cluster, two_checkpoints: Checkpoints, tmp_path: Path
) -> None:
    """Ids like our files', images like formulas, and folders that are something else."""
    data, out = tmp_path / "jane" / "data", tmp_path / "jane" / "out"
    for name in ("=1+1", "+1", "-1"):
        data.mkdir(parents=True, exist_ok=True)
        (data / f"{name}.png").write_bytes(encode_slice(HU))
    (data / "@cut.png").write_bytes(encode_slice(HU)[:900])
    (out / "pipe").mkdir(parents=True)
    for folder in (out, out / "pipe"):
        folder.chmod(0o700)
    os.mkfifo(out / "pipe" / "answer.json", 0o600)
    os.mkfifo(out / "pipe" / DEATHS, 0o600)
    (out / "file").touch(0o600)
    for name in ("answers.csv", "rejected.csv"):
        (out / name).mkdir()
    place = (*middle_of(CORNERS[0]), 0.5, 0.8)
    given = [
        ("answers.csv.partial", "=1+1.png", "", *place),
        ("rejected.csv.partial", "+1.png", "", *place),
        ("pipe", "-1.png", "", *place),
        ("file", "-1.png", "", *place),
        ("", "@cut.png", "", *place),
    ]
    table = write_table(data, given)
    assert command("predict", *words(two_checkpoints, table, out)) == 0
    answers = {row["id"]: row["image"] for row in read(out / "answers.csv")}
    assert answers == {
        "answers.csv.partial": "'=1+1.png", "rejected.csv.partial": "'+1.png", "pipe": "'-1.png"
    }  # fmt: skip
    rejected = [(row["row"], row["image"], row["reason"]) for row in read(out / "rejected.csv")]
    assert rejected[0] == ("4", "'-1.png", "its folder file cannot be made: File exists")
    assert rejected[1][:2] == ("5", "'@cut.png")
    assert len(rejected) == 2
    assert open_to(0o077, out) == []
    for path in out.rglob("*"):
        assert not path.is_file() or b"jane" not in path.read_bytes(), path


@pytest.mark.slow
@pytest.mark.ray
def test_a_table_of_boxes_and_one_of_clicks_for_another_model(
    ray_cluster: Cluster, two_checkpoints: Checkpoints, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """The columns follow from what the system is told, or the model that makes its boxes."""
    data, out = tmp_path / "data", tmp_path / "out"
    images(data)
    model = save(Boxed(), tmp_path / "model")
    given: list[Row] = [
        ("a", "slice.png", "", 5, 5, 70, 55, 0.5, 0.8),
        ("b", "ct", 1, 70, 60, 60, 90, "", ""),
        ("c", "ct", 1, 70, 60, 70, 90, "", ""),
    ]
    boxes = ("id", "image", "slice", "x0", "y0", "x1", "y1", "spacing_x", "spacing_y")
    command_words = ("tests.boxed:Boxed", "--model", model, "--out", out)
    table = write_table(data, given, boxes)
    assert command("predict", *command_words, "--table", table) == 0
    assert "Given are the slice and a box." in capsys.readouterr().out
    first, second = read(out / "answers.csv")
    assert [first[name] for name in ("x0", "y0", "x1", "y1")] == ["5.0", "5.0", "70.0", "55.0"]
    assert (second["x0"], second["x1"]) == ("60.0", "70.0"), "corners in order"
    assert float(first["long_mm"]) > 0
    assert (first["spread_max_mm"], first["found"]) == ("", "True")
    (bad,) = read(out / "rejected.csv")
    assert bad["row"] == "3"
    assert "has no area" in bad["reason"]

    clicks: list[Row] = [("a", "slice.png", "", *middle_of(CORNERS[0]), 0.5, 0.8)]
    table = write_table(data, clicks)
    other = ("--with", *two_checkpoints)
    assert command("predict", *command_words, *other, "--table", table) == 0
    assert "1 rows: 0 answered before, 1 to answer" in capsys.readouterr().out
    (row,) = read(out / "answers.csv")
    assert [float(row["x"]), float(row["y"])] == [*middle_of(CORNERS[0])]
    made = answer_of(out / "a")["made"]
    assert (made["kind"], made["made_by"]["system"]) == ("box", "pdnet")
    assert dice(decode_labels((out / "a" / "mask.png").read_bytes()), CORNERS[0]) > 0.8
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")  # never looked for
    assert command("predict", *command_words, *other, "--table", table) == 0
    assert "1 rows: 1 answered before, 0 to answer" in capsys.readouterr().out


@pytest.mark.ray
def test_a_table_without_one_good_row(
    ray_cluster: Cluster, two_checkpoints: Checkpoints, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    table = write_table(tmp_path / "data", [("a", "absent.png", "", "", 5, 1, 1)])
    assert command("predict", *words(two_checkpoints, table, tmp_path / "out")) == 2
    assert "no row could be answered (see " in capsys.readouterr().err
    assert [row["reason"] for row in read(tmp_path / "out" / "rejected.csv")] == ["x is empty"]


@pytest.mark.slow
@pytest.mark.ray
def test_a_killed_batch_goes_on(
    ray_cluster: Cluster, two_checkpoints: Checkpoints, tmp_path: Path
) -> None:
    data, out, log = tmp_path / "data", tmp_path / "out", tmp_path / "log"
    images(data)
    many = [("", "ct", 1, *middle_of(CORNERS[n % 4]), "", "") for n in range(80)]
    given = words(two_checkpoints, write_table(data, many), out)
    with started(log, "predict", *given, address=ray_cluster.address) as driver:
        wait_until(lambda: len(written(out)) > 3, 120, "some answers")
        ray_workers(ray_cluster, "AnswerActor")[0].kill()
        wait_until(lambda: len(written(out)) > 25, 120, "answers after a worker's death")
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
    before = written(out)
    assert len(before) < len(many), "killed in the middle"
    assert not (out / "answers.csv").exists()
    assert command("predict", *given) == 0
    after = written(out)
    assert len(after) == len(read(out / "answers.csv")) == len(many)
    assert {path: after[path] for path in before} == before, "nothing is done again"

    changed = [("", "ct", 1, 30, 30, "", ""), ("", "ct", 9, 1, 1, "", ""), *many[2:4]]
    write_table(data, changed)
    (out / "000003" / "mask.dcm").unlink()
    assert command("predict", *given) == 0
    last = written(out)
    redone = {path.parent.name for path in after if last.get(path) != after[path]}
    assert redone == {"000001", "000002", "000003"}
    assert not (out / "000002").exists(), "its row cannot be answered any more"
    assert (out / "000003" / "mask.dcm").exists()
    assert [row["folder"] for row in read(out / "answers.csv")] == ["000001", "000003", "000004"]

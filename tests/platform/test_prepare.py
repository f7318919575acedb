"""`prepare` over Ray: counts that add up, the same bytes however it ran, kills, full disks."""

import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest

from lesions import InputError
from lesions.masks import PSEUDO_MASKS
from lesions.prepared.manifest import claim, write_manifest
from lesions.prepared.part import masks_in
from lesions.prepared.prepared_set import PreparedSet
from lesions.prepared.preparing import ROWS_PER_PART, Plan, parts_of, prepare_part
from lesions.readers.deeplesion import read_table
from lesions.sample import ROOT as SAMPLE
from tests.platform.conftest import (
    Cluster,
    command,
    sample_rows,
    started,
    wait_until,
    write_source,
)

BAD: dict[str, tuple[str, str]] = {
    "no such slice": ("File_name", "000001_01_01_001.png"),
    "climbs out": ("File_name", "../../etc_01_01_001.png"),
    "too few numbers": ("Measurement_coordinates", "1, 2, 3"),
    "not a number": ("Measurement_coordinates", "a, 2, 3, 4, 5, 6, 7, 8"),
    "NaN": ("Measurement_coordinates", "NaN, 2, 3, 4, 5, 6, 7, 8"),
    "outside": ("Measurement_coordinates", "1, 2, 3, 4, 5, 6, 7, 800"),
    "zero length": ("Measurement_coordinates", "9, 9, 9, 9, 5, 6, 7, 8"),
    "other size": ("Image_size", "512, 512"),
    "no spacing": ("Spacing_mm_px_", "0, 0, 0"),
    "window upside down": ("DICOM_windows", "275, -175"),
    "no such split": ("Train_Val_Test", "4"),
    "noisy": ("Possibly_noisy", "1"),
}


def files_of(root: Path) -> dict[str, bytes]:
    """The parts; what a writer that was killed has left is swept away a day later."""
    parts = sorted(root.glob("parts/[!.]*"))
    return {path.name: path.read_bytes() for path in parts}


def prepared_in_process(source: Path, out: Path, masks: Iterable[str]) -> dict[str, Any]:
    plan = Plan(source=source, out=out, masks=tuple(masks))
    rows = read_table(source)
    claim(plan)
    for number, part in enumerate(parts := parts_of(rows)):
        prepare_part({"part": number, "rows": part}, plan)
    return write_manifest(plan, len(rows), len(parts))


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 good rows (two parts) with every kind of bad row between them."""
    good = sample_rows(train=20, validation=10, test=10)
    bad = [good[0] | {column: text} for column, text in BAD.values()]
    return write_source(tmp_path_factory.mktemp("mixed"), good[:25] + bad + good[25:])


@pytest.fixture(scope="module")
def over_ray(ray_cluster: Cluster, mixed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The mixed table with every mask there is, prepared by two nodes."""
    out = tmp_path_factory.mktemp("over_ray")
    words = ["--source", mixed, "--out", out, "--masks", ",".join(PSEUDO_MASKS)]
    assert command("prepare", *words) == 0
    return out


@pytest.mark.ray
def test_every_row_is_accepted_or_told_why_not(over_ray: Path) -> None:
    manifest = json.loads((over_ray / "manifest.json").read_text())
    assert manifest["read"] == 40 + len(BAD)
    assert (manifest["accepted"], manifest["rejected"]) == (40, len(BAD))
    assert sum(manifest["reasons"].values()) == len(BAD)
    rejected = pq.read_table(over_ray / "rejected.parquet").to_pylist()
    assert [set(row) for row in rejected] == [{"file", "row", "reason"}] * len(BAD)
    assert [row["row"] for row in rejected] == list(range(26, 26 + len(BAD)))
    assert all(row["reason"] for row in rejected)
    assert len(PreparedSet(over_ray)) == 40


@pytest.mark.ray
def test_the_bytes_do_not_depend_on_who_made_them(
    over_ray: Path, mixed: Path, tmp_path: Path
) -> None:
    """Two workers, or this process alone."""
    here = prepared_in_process(mixed, tmp_path, PSEUDO_MASKS)
    assert here["fingerprint"] == PreparedSet(over_ray).fingerprint
    assert files_of(tmp_path) == files_of(over_ray)


@pytest.mark.ray
def test_a_second_call_does_nothing(
    over_ray: Path, mixed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor does one that asks for masks that the set has."""
    times = {path: path.stat().st_mtime_ns for path in over_ray.rglob("*")}
    for masks in (",".join(PSEUDO_MASKS), "ellipse"):
        words = ["--source", mixed, "--out", over_ray, "--masks", masks]
        assert command("prepare", *words) == 0
        assert {path: path.stat().st_mtime_ns for path in over_ray.rglob("*")} == times
        assert "40 lesions of 52 rows" in capsys.readouterr().out


@pytest.mark.ray
def test_another_plan_on_the_same_folder_is_refused(
    over_ray: Path, mixed: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert command("prepare", "--source", mixed, "--out", over_ray, "--keep-noisy") == 2
    assert "prepared otherwise (choose another --out, or remove it)" in capfd.readouterr().err


@pytest.mark.slow  # the next one is killed too, and test_prepare_pairs.py's
@pytest.mark.ray
def test_a_kill_loses_no_finished_part(ray_cluster: Cluster, tmp_path: Path) -> None:
    source = write_source(tmp_path / "source", sample_rows()[: 6 * ROWS_PER_PART])
    out, log = tmp_path / "out", tmp_path / "log"
    words = ("--source", source, "--out", out)
    with started(log, "prepare", *words, address=ray_cluster.address) as driver:
        wait_until(lambda: len([*out.glob("parts/*.parquet")]) >= 2, 60, "two parts")
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
    assert not (out / "manifest.json").exists()
    with pytest.raises(InputError, match="no whole prepared set"):
        PreparedSet(out)
    kept = {path: path.stat().st_mtime_ns for path in out.glob("parts/*.parquet")}
    assert 2 <= len(kept) < 6
    assert command("prepare", *words) == 0
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert PreparedSet(out).manifest["accepted"] == 6 * ROWS_PER_PART


@pytest.mark.ray
def test_a_set_is_given_further_masks_and_survives_a_kill(
    ray_cluster: Cluster, tmp_path: Path
) -> None:
    source = write_source(tmp_path / "source", sample_rows()[: 4 * ROWS_PER_PART])
    out, log = tmp_path / "out", tmp_path / "log"
    before = prepared_in_process(source, out, ["ellipse"])
    words = ("--source", source, "--out", out, "--masks", "grabcut_i,recist")

    def given() -> int:
        return sum("recist" in (masks_in(path) or ()) for path in out.glob("parts/*.parquet"))

    with started(log, "prepare", *words, address=ray_cluster.address) as driver:
        wait_until(lambda: given() >= 1, 60, "a part with the further masks")
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
    assert given() < 4
    assert PreparedSet(out).manifest == before
    assert command("prepare", *words) == 0
    assert PreparedSet(out).manifest["masks"] == ["ellipse", "grabcut_i", "recist"]
    assert given() == 4


@pytest.mark.ray
def test_a_full_disk_is_told(
    ray_cluster: Cluster, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = write_source(tmp_path / "source", sample_rows(test=2))
    words = ("--source", source, "--out", tmp_path / "out")
    with small_disk(tmp_path / "out", "16k"):
        assert command("prepare", *words) == 2
        said = capfd.readouterr().err
        assert "No space left on device" in said
        assert "make room and run the same command again" in said
        assert "Traceback" not in said
        mount("remount,size=64m", tmp_path / "out")
        assert command("prepare", *words) == 0


def mount(options: str, folder: Path) -> None:
    words = ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a small disk")


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    folder.mkdir()
    mount(f"size={size}", folder)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.ray
def test_nihs_own_table_is_counted_row_by_row(
    ray_cluster: Cluster, shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """5,953 rows, 79 slices: what is absent is rejected with that reason, and counted."""
    source = shared_data / "deeplesion"
    assert command("prepare", "--source", source, "--out", tmp_path, "--masks", "ellipse") == 0
    manifest = PreparedSet(tmp_path).manifest
    assert manifest["read"] == 5953 == manifest["accepted"] + manifest["rejected"]
    assert 0 < manifest["accepted"] <= 79
    assert manifest["reasons"]["the slice is absent"] > 5800
    reasons = Counter(
        row["reason"].partition(":")[0]
        for row in pq.read_table(tmp_path / "rejected.parquet").to_pylist()
    )
    assert reasons == manifest["reasons"]
    assert f"{reasons['the slice is absent']} rejected" in capsys.readouterr().out


MISTAKES: dict[str, tuple[list[str], str]] = {
    "mask": (["--masks", "snakes,magic"], "no pseudo mask 'magic' (choose of "),
    "source": (["--source", "/nowhere"], "/nowhere/DL_info.csv: there is no such file"),
    "out": (["--out", "/dev/null/below"], "/dev/null/below: cannot be written"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line(
    mistake: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words, said = MISTAKES[mistake]
    given = ["--source", str(SAMPLE), "--out", str(tmp_path / "out"), *words]
    assert command("prepare", *given) == 2
    shown = capfd.readouterr().err
    assert shown.startswith("error: ")
    assert said in shown
    assert len(shown.splitlines()) == 1


@pytest.mark.parametrize("text", ["", "File_name\n", None])
def test_a_table_without_rows_is_told(
    text: str | None, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    header = ",".join(sample_rows()[0]) + "\n"
    (tmp_path / "DL_info.csv").write_text(header if text is None else text)
    assert command("prepare", "--source", tmp_path, "--out", tmp_path / "out") == 2
    shown = capfd.readouterr().err
    assert "no rows" in shown if text is None else "lacks the columns" in shown
    assert len(shown.splitlines()) == 1


@pytest.mark.ray
def test_a_table_without_a_good_row_is_told(
    ray_cluster: Cluster, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    row = sample_rows()[0] | dict([BAD["noisy"]])
    source = write_source(tmp_path / "source", [row])
    assert command("prepare", "--source", source, "--out", tmp_path / "out") == 2
    shown = capfd.readouterr()
    assert "1 rejected: flagged as possibly noisy" in shown.out
    assert "no row was accepted" in shown.err


def memory_after_each_pass(folder: Path, passes: int) -> list[int]:
    """Resident bytes of this process after each time that it has prepared the whole sample."""
    used = []
    for number in range(passes):
        plan = Plan(source=SAMPLE, out=folder / str(number), masks=("ellipse",))
        for part, rows in enumerate(parts_of(read_table(SAMPLE))):
            prepare_part({"part": part, "rows": rows}, plan)
        used.append(psutil.Process().memory_info().rss)
    return used


@pytest.mark.slow
def test_memory_does_not_grow_with_the_data(tmp_path: Path) -> None:
    """A worker holds one part, however many it makes; the driver holds packed rows alone."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        used = pool.submit(memory_after_each_pass, tmp_path, 5).result()
    written = sum(path.stat().st_size for path in tmp_path.rglob("*.parquet"))
    assert written > 40e6
    assert used[-1] - used[1] < written / 5
    assert max(map(len, parts_of(read_table(SAMPLE)))) < 200 * ROWS_PER_PART

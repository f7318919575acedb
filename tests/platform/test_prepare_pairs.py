"""`prepare` from volumes and masks over Ray: kills, bad pairs, the same bytes as in one process."""

import json
import os
import signal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from lesions.judging.pairs import pairs_by_name
from lesions.prepared.pairs import source_of, with_category
from lesions.prepared.prepared_set import PreparedSet
from lesions.prepared.preparing import Plan, prepare_part
from platform.running.datasets import find_data
from tests.lesions.readers.seg_files import ct_of, save_nifti, two_lesions
from tests.platform.conftest import Cluster, command, started, wait_until
from tests.platform.test_prepare import files_of

PAIRS = 40
MASK = two_lesions()


def words_of(folder: Path, out: Path) -> list[object]:
    return ["--images", folder / "*_ct.nii.gz", "--human-masks", folder / "*_mask.nii.gz",
            "--out", out, "--category", "liver"]  # fmt: skip


@pytest.fixture(scope="module")
def volumes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty pairs, the last of which is damaged."""
    folder = tmp_path_factory.mktemp("volumes")
    for number in range(PAIRS):
        save_nifti(folder / f"p{number:02d}_ct.nii.gz", ct_of(MASK))
        save_nifti(folder / f"p{number:02d}_mask.nii.gz", MASK)
    (folder / f"p{PAIRS - 1}_ct.nii.gz").write_bytes(b"no NIfTI")
    return folder


@pytest.mark.ray
def test_a_kill_loses_no_finished_part_and_a_bad_pair_ends_nothing(
    ray_cluster: Cluster, volumes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, log = tmp_path / "out", tmp_path / "log"
    with started(log, "prepare", *words_of(volumes, out), address=ray_cluster.address) as driver:
        wait_until(lambda: len([*out.glob("parts/*.parquet")]) >= 2, 60, "two parts")
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
    kept = {path: path.stat().st_mtime_ns for path in out.glob("parts/*.parquet")}
    assert 2 <= len(kept) < PAIRS
    assert not (out / "manifest.json").exists()
    assert command("prepare", *words_of(volumes, out)) == 0
    shown = capsys.readouterr().out
    assert f"{2 * (PAIRS - 1)} lesions of {PAIRS} pairs" in shown
    assert "1 rejected: no readable NIfTI" in shown
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    (aside,) = pq.read_table(out / "rejected.parquet").to_pylist()
    assert (aside["file"], aside["row"]) == ("p39", 0)

    pairs = pairs_by_name(
        f"{volumes}/*_ct.nii.gz", f"{volumes}/*_mask.nii.gz", (-160.0, 240.0)
    )  # fmt: skip
    source = source_of(volumes, with_category(pairs, "liver"))
    here = Plan(source=source, out=tmp_path / "here")
    for number, pair in enumerate(source.parts()[0]):
        prepare_part({"part": number, "rows": pair}, here)
    assert files_of(out) == files_of(tmp_path / "here")

    data = find_data(out, tmp_path, "snakes")
    assert data.description == "out, 78 test slices of 39 patients (78 liver)"
    assert data.truth == "human masks"
    assert len(PreparedSet(out, "test")) == 78


@pytest.mark.ray
def test_nothing_but_bad_pairs_is_an_error(
    ray_cluster: Cluster, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for kind in ("ct", "mask"):
        (tmp_path / f"a_{kind}.nii.gz").write_bytes(b"no NIfTI")
    assert command("prepare", *words_of(tmp_path, tmp_path / "out")) == 2
    assert "no pair was accepted" in capfd.readouterr().err


@pytest.mark.ray
@pytest.mark.slow
def test_the_real_tumours(
    ray_cluster: Cluster, shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """14 sarcomas, each one connected lesion; 2 nodules. The folders hold more files by now."""
    described = json.loads((shared_data / "sts_ct" / "lesions.json").read_text())
    for folder, names, mask, window, count in (
        ("sts_ct", [one["patient"] for one in described], "gtv", (-50, 150), 14),
        ("lidc", ["LIDC-IDRI-0001", "LIDC-IDRI-0002"], "mask_consensus", (-1500, 500), 2),
    ):
        files = tmp_path / f"{folder}-files"
        files.mkdir()
        for name in names:
            for kind in ("ct", mask):
                file = f"{name}_{kind}.nii.gz"
                (files / file).symlink_to(shared_data / folder / file)
        words = ["--images", files / "*_ct.nii.gz", "--human-masks", files / f"*_{mask}.nii.gz",
                 "--out", tmp_path / folder, "--window", *window]  # fmt: skip
        assert command("prepare", *words) == 0
        assert f"{count} lesions of {count} pairs" in capsys.readouterr().out


IMAGES = ["--images", "*_ct.nii.gz", "--human-masks", "*_gtv.nii.gz"]
MISTAKES: dict[str, tuple[list[str], str]] = {
    "nothing": ([], "say --source, or --images with --human-masks"),
    "half a pair": (IMAGES[:2], "--images and --human-masks go together"),
    "two sources": ([*IMAGES, "--source", "x"], "one of the two"),
    "category of a table": (["--source", "x", "--category", "lung"], "are for --images"),
    "noisy volumes": ([*IMAGES, "--keep-noisy"], "--keep-noisy is for --source"),
    "noise for volumes": ([*IMAGES, "--marks-noise", "0.1,0"], "--marks-noise are for --source"),
    "too much noise": (["--source", "a", "--marks-noise", "0.9,0"], "is no noise of marks"),
    "both": ([*IMAGES, "--category", "a", "--categories", "b.csv"], "--categories for each"),
    "window": ([*IMAGES, "--window", "5", "5"], "--window is not low, high: (5.0, 5.0)"),
    "no file": (IMAGES, "no file matches '*_ct.nii.gz'"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line(
    mistake: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words, said = MISTAKES[mistake]
    assert command("prepare", "--out", tmp_path / "out", *words) == 2
    shown = capfd.readouterr().err
    assert shown.startswith("error: ")
    assert said in shown
    assert len(shown.splitlines()) == 1

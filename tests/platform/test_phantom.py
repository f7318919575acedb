"""`phantom` over Ray: the same bytes however it ran, kills, and its name wherever it is shown."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from lesions import InputError
from lesions.phantom.backgrounds import SCANS
from lesions.phantom.plan import PhantomPlan
from lesions.prepared.manifest import claim as claim_set
from lesions.prepared.manifest import write_manifest
from lesions.prepared.preparing import Plan, parts_of, prepare_part
from lesions.readers.deeplesion import EXACT_MASKS, read_table
from lesions.sample import ROOT as SAMPLE
from platform.masks import MasksOptions, subject_of
from platform.phantom import PhantomOptions
from platform.running.datasets import check_one_kind, find_data
from tests.lesions.phantom.made import made
from tests.lesions.phantom.torso import write_torso
from tests.platform.conftest import Cluster, command, started, wait_until


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scans")
    write_torso(folder / "a.nii.gz", 0)
    write_torso(folder / "b.nii.gz", 1)
    return folder


def made_here(out: Path, scans: Path, lesions: int, **more: Any) -> Path:
    """By this process alone."""
    return made(PhantomPlan(out=out, scans=tuple(sorted(scans.iterdir())), lesions=lesions,
                            distractors=1, **more))  # fmt: skip


def files_of(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes()
            for path in root.rglob("*") if path.is_file()}  # fmt: skip


@pytest.mark.ray
def test_the_bytes_do_not_depend_on_who_made_them(
    ray_cluster: Cluster, scans: Path, tmp_path: Path
) -> None:
    """Two workers, or this process alone."""
    words = ("--lesions", 40, "--backgrounds", scans, "--distractors", 1)
    assert command("phantom", *words, "--out", tmp_path / "ray") == 0
    made_here(tmp_path / "here", scans, 40)
    found = files_of(tmp_path / "ray")
    assert {"DL_info.csv", "readers.csv", "phantom.csv", "phantom.json"} <= found.keys()
    assert found == files_of(tmp_path / "here")


def killed_and_resumed(cluster: Cluster, out: Path, words: tuple[object, ...], made: int) -> None:
    """Killed once so many patients are made, and started again: those are left as they are."""
    words = (*words, "--out", out)
    with started(out.with_name("log"), "phantom", *words, address=cluster.address) as driver:
        wait_until(lambda: len([*out.glob("parts/*.json")]) >= made, 60, f"{made} patients")
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
    assert not (out / "phantom.json").exists()
    kept = {path: path.stat().st_mtime_ns for path in out.glob("parts/*.json")}
    assert command("phantom", *words) == 0
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def whole(out: Path) -> dict[str, bytes]:
    """Its files, without what a kill cut off."""
    return {name: one for name, one in files_of(out).items() if not name.endswith(".partial")}


@pytest.mark.slow
@pytest.mark.ray
def test_a_kill_loses_no_finished_patient(
    ray_cluster: Cluster, scans: Path, tmp_path: Path
) -> None:
    words = ("--lesions", 400, "--backgrounds", scans, "--distractors", 1)
    killed_and_resumed(ray_cluster, tmp_path / "out", words, made=3)
    made_here(tmp_path / "here", scans, 400)
    assert whole(tmp_path / "out") == files_of(tmp_path / "here")


@pytest.mark.ray
def test_volumes_over_time_survive_a_kill(
    ray_cluster: Cluster, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A worker's volume that the kill cut short is made again; the rest is left as it is."""
    scans, out = tmp_path / "scans", tmp_path / "out"
    write_torso(scans / "a.nii.gz", 0, 16)
    words = ("--lesions", 24, "--backgrounds", scans, "--distractors", 1,
             "--volumes", "--timepoints", 2)  # fmt: skip
    killed_and_resumed(ray_cluster, out, words, made=1)
    said = "".join(capfd.readouterr().out.split())
    assert f"--images'{out}/Volumes/*_ct.nii.gz'--human-masks" in said
    assert f"whatbecameofeverylesion:{out}/followup.csv" in said
    made_here(tmp_path / "here", scans, 24, volumes=True, timepoints=2)
    assert whole(out) == files_of(tmp_path / "here")


def test_without_backgrounds_the_shipped_ct_is_taken(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    plan = PhantomOptions(lesions=10, out=tmp_path / "out").plan()
    assert [path.name[:8] for path in plan.scans] == ["CRLM-CT-", "LIDC-IDR"]
    assert "no --backgrounds: taking the shipped CT (CC BY" in capfd.readouterr().out
    attribution = (SCANS / "ATTRIBUTION.md").read_text()
    assert all(f"`{path.name}`" in attribution for path in plan.scans)


def test_a_folder_without_ct_says_what_to_do(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ("--lesions", 10, "--out", tmp_path / "out", "--backgrounds", tmp_path)
    assert command("phantom", *words) == 2
    assert "holds no CT volume (name a folder of whole CT: .nii, " in capfd.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--lesions", 0), "--lesions is 0"),
        (("--lesions", 5, "--seed", -1), "--seed is -1"),
        (("--lesions", 5, "--timepoints", 0), "--timepoints is 0; it must be 1 to 24"),
        (("--lesions", 5, "--timepoints", 25), "--timepoints is 25; it must be 1 to 24"),
    ],
)
def test_numbers_that_cannot_be_are_refused(
    words: tuple[object, ...], said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert command("phantom", *words, "--out", tmp_path, "--backgrounds", tmp_path) == 2
    assert said in capfd.readouterr().err


@pytest.fixture(scope="module")
def phantom(scans: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_here(tmp_path_factory.mktemp("made") / "forty", scans, 40)


def test_results_on_it_say_phantom(phantom: Path, prepared_sample: Path, tmp_path: Path) -> None:
    plan = Plan(source=phantom, out=tmp_path / "forty", masks=("ellipse",))
    rows = read_table(phantom)
    claim_set(plan)
    for number, part in enumerate(parts := parts_of(rows)):
        assert prepare_part({"part": number, "rows": part}, plan)["error"] == ""
    assert write_manifest(plan, len(rows), len(parts))["accepted"] == 40
    data = find_data(tmp_path / "forty", tmp_path, "ellipse")
    assert data.phantom
    assert data.name.startswith("forty (phantom)")
    assert data.tags()["lesion.truth"] == EXACT_MASKS
    assert not find_data(prepared_sample, tmp_path).phantom
    real = find_data(prepared_sample, tmp_path)
    check_one_kind([data, data])
    check_one_kind([real])
    with pytest.raises(InputError, match="never measured together with real lesions"):
        check_one_kind([real, data])
    with pytest.raises(InputError, match="prepared otherwise"):
        claim_set(Plan(source=SAMPLE, out=tmp_path / "forty"))


def test_pseudo_masks_judged_on_it_say_phantom(phantom: Path) -> None:
    assert subject_of(MasksOptions(source=phantom)).name == "forty (phantom)"

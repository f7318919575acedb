"""`masks` over Ray and MLflow: the metrics' own numbers, however many workers, and mistakes."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from mlflow import MlflowClient

from dashboards.recorded.runs import runs_of_kind
from dashboards.tables.papers import paper_rows
from lesions.judging.batches import deeplesion_batches
from lesions.judging.measuring import METRICS, Measured, measure
from lesions.lesion import Lesion
from lesions.masks import PSEUDO_MASKS, pseudo_mask
from lesions.metrics import segmentation
from lesions.prepared.remarking import MarksNoise, remarked
from lesions.readers.deeplesion import EXACT_MASKS, PHANTOM, Rejected, read_deeplesion
from lesions.sample import ROOT as SAMPLE
from lesions.writers.csv_rows import write_csv
from platform.masks import FROM_MASKS, MasksOptions, subject_of
from tests.platform.conftest import Cluster, command, open_to, sample_rows, write_source

METHODS = ("ellipse", "snakes")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six good rows, one without a human mask and one that is no lesion."""
    good = sample_rows(train=2, validation=2, test=2)
    twice, noisy = dict(good[0]), sample_rows(train=3)[2] | {"Possibly_noisy": "1"}
    return write_source(tmp_path_factory.mktemp("judged"), [*good[:3], twice, noisy, *good[3:]])


@pytest.fixture(scope="module")
def by_hand(source: Path) -> dict[str, dict[str, list[float]]]:
    """Each method's and metric's values over the lesions."""
    lesions = [one for one in read_deeplesion(source)[0] if "human" in one.masks]
    assert len(lesions) == 6
    return {method: _values(method, lesions) for method in METHODS}


def _values(method: str, lesions: list[Lesion]) -> dict[str, list[float]]:
    found = [
        segmentation(pseudo_mask(method, x.slice_hu, x.recist, x.window), x.mask("human"))
        for x in lesions
    ]
    return {metric: [each[metric] for each in found] for metric in METRICS}


@pytest.fixture(scope="module")
def judged(ray_cluster: Cluster, source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The storage of one measurement."""
    storage = tmp_path_factory.mktemp("storage")
    words = ("--source", source, "--methods", "snakes,ellipse", "--name", "six")
    assert command("masks", *words, "--storage", storage) == 0
    return storage


def runs(storage: Path, kind: str) -> list[Any]:
    client = MlflowClient(tracking_uri=f"sqlite:///{storage / 'mlflow.db'}")
    return runs_of_kind(client, client.get_experiment_by_name("masks").experiment_id, kind)


@pytest.mark.ray
def test_mlflow_has_the_metrics_own_numbers(
    judged: Path, by_hand: dict[str, dict[str, list[float]]]
) -> None:
    (parent,) = [run for run in runs(judged, "masks") if run.info.run_name == "six"]
    assert parent.info.status == "FINISHED"
    assert parent.info.run_name == "six"
    tags = parent.data.tags
    assert len(tags["lesion.data_fingerprint"]) == 64
    assert tags["lesion.git_commit"]
    assert re.search(r"judged\d*, 6 slices of \d patients", tags["lesion.data"])
    assert parent.data.metrics == {"n": 6, "set_aside": 2}
    assert parent.data.params["methods"] == "snakes,ellipse"
    assert "/" not in parent.data.params["source"]
    assert "storage" not in parent.data.params
    children = {
        run.info.run_name: run
        for run in runs(judged, "mask")
        if run.data.tags["mlflow.parentRunId"] == parent.info.run_id
    }
    assert set(children) == {*METHODS}
    for method, run in children.items():
        metrics = run.data.metrics
        assert (metrics["n"], metrics["failed"], metrics["uncertain"]) == (6, 0, 0)
        assert metrics["ms"] > 0
        for name, values in by_hand[method].items():
            assert metrics[name] == pytest.approx(np.mean(values))
            assert metrics[f"{name}_std"] == pytest.approx(np.std(values))


@pytest.mark.ray
def test_the_papers_rows_are_runs_beside_them(judged: Path) -> None:
    baselines = runs(judged, "baseline")
    assert len(baselines) == len(paper_rows("wsss"))
    names = {run.info.run_name for run in baselines}
    assert {"paper: GrabCut-R · lymph_node", "paper: GrabCut-R · deeplesion_test"} <= names


@pytest.mark.ray
def test_the_report_and_the_rows(judged: Path, by_hand: dict[str, dict[str, list[float]]]) -> None:
    html = (judged / "masks" / "six" / "report.html").read_text(encoding="utf-8")
    for method, values in by_hand.items():
        assert f"{np.mean(values['dice']):.3f} ± {np.std(values['dice']):.3f}" in html
        assert html.count(f"<strong>{method}</strong>") == 4
    for row in paper_rows("wsss", "1"):
        mean, std = row.metrics["dice"]
        assert f"{mean:.3f} ± {std:.3f}" in html
    assert html.count("data:image/png;base64,") == 8
    with (judged / "masks" / "six" / "lesions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(r["dice"]) for r in rows if r["method"] == "snakes"] == by_hand["snakes"]["dice"]
    assert [(r["row"], r["reason"]) for r in rows if r["reason"]] == [
        ("4", "no human mask in Masks_png"),
        ("5", "flagged as possibly noisy by the data set"),
    ]
    assert open_to(0o077, *judged.iterdir()) == []
    artifacts = [*(judged / "artifacts").rglob("report.html")]
    assert html in [path.read_text(encoding="utf-8") for path in artifacts]


def without_ms(found: list[Measured | Rejected]) -> list[Any]:
    return [
        one
        if isinstance(one, Rejected)
        else (one.key, one.digest, [{**s, "ms": 0} for s in one.scores.values()])
        for one in found
    ]


@pytest.mark.ray
def test_two_workers_measure_what_one_does(ray_cluster: Cluster, source: Path) -> None:
    from platform.running.judging import measure_all

    splits = ("train", "validation", "test")
    batches = deeplesion_batches(source, splits, keep_noisy=False, largest=True)
    assert len(batches) > 2
    methods = [*PSEUDO_MASKS]
    here = [measure(batch, methods) for batch in batches]
    there = [*measure_all(batches, methods, {"CPU": 2})]
    few_ahead = [*measure_all(batches, methods, {"CPU": 0.25})]
    assert [*map(without_ms, there)] == [*map(without_ms, here)] == [*map(without_ms, few_ahead)]


@pytest.mark.ray
def test_a_worker_that_dies_sets_its_batch_aside(ray_cluster: Cluster, source: Path) -> None:
    from platform.running.judging import measure_all

    class Deadly:  # defined here: travels whole, so the worker needs not import this file
        def read(self) -> Iterator[Lesion | Rejected]:
            import os

            os._exit(1)

        def aside(self, reason: str) -> list[Rejected]:
            return [Rejected(file="deadly", row=1, reason=reason)]

    good = deeplesion_batches(source, ("test",), keep_noisy=False, largest=False)
    found = [*measure_all([Deadly(), *good], METHODS, {"CPU": 2})]
    assert found[0] == [
        Rejected(file="deadly", row=1, reason="the worker ended: WorkerCrashedError")
    ]
    assert len([one for one in found[1] if isinstance(one, Measured)]) == 2


@pytest.mark.ray
def test_nifti_pairs(judged: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A hospital's own files: two lesions of one patient, and a mask that is no NIfTI."""
    image = np.full((40, 50, 8), -40, np.int16)
    mask = np.zeros((40, 50, 8), np.uint8)
    mask[5:15, 5:12, 2] = 1
    mask[25:35, 30:45, 5] = 1
    image[mask == 1] = 60
    for name, voxels in (("a_ct", image), ("a_tumour", mask), ("b_ct", image)):
        nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), tmp_path / f"{name}.nii.gz")
    (tmp_path / "b_tumour.nii.gz").write_text("no NIfTI")
    words = ["--images", tmp_path / "*_ct.nii.gz", "--human-masks", tmp_path / "*_tumour.nii.gz"]
    given = [*words, "--methods", "ellipse", "--name", "hospital", "--storage", judged,
             "--no-pictures"]  # fmt: skip
    assert command("masks", *given) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "2 slices of 1 patients. The paper measured other lesions" in shown
    assert "marks here were measured from the human masks themselves" in shown
    assert "1 set aside: no readable NIfTI" in shown
    (run,) = [r for r in runs(judged, "masks") if r.info.run_name == "hospital"]
    assert run.data.metrics == {"n": 2, "set_aside": 1}
    assert run.data.params["images"] == "*_ct.nii.gz"
    assert run.data.params["human_masks"] == "*_tumour.nii.gz"
    assert str(tmp_path) not in str(run.data)
    (logged,) = (judged / "artifacts").rglob(f"{run.info.run_id}/artifacts/*")
    assert logged.name == "lesions.csv"
    assert "data:image/png" in (judged / "masks" / "hospital" / "report.html").read_text()


@pytest.mark.ray
def test_no_human_mask_at_all_is_told(
    judged: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = write_source(tmp_path / "bare", sample_rows(test=2))
    (folder / "Masks_png").unlink()
    assert command("masks", "--source", folder, "--storage", judged) == 2
    shown = capfd.readouterr().err
    assert "error: no lesion to measure in bare: 2 no human mask in Masks_png" in shown
    assert "--source wants human masks as 8-bit PNG" in shown
    assert "bare" not in [run.data.tags["lesion.data"][:4] for run in runs(judged, "masks")]


@pytest.mark.ray
def test_a_taken_name_is_told(judged: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert command("masks", "--name", "six", "--storage", judged) == 2
    assert "there is a result 'six' already (choose another --name)" in capfd.readouterr().err


@pytest.mark.ray
def test_made_lesions_by_tissue_with_other_marks(
    judged: Path, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same slices as if they were a phantom's: another name, truth, grouping and marks."""
    folder = tmp_path / "made"
    folder.mkdir()
    for name in ("Images_png", "Masks_png"):
        (folder / name).symlink_to(source / name)
    rows = [*csv.DictReader((source / "DL_info.csv").open(newline=""))]
    with (folder / "DL_info.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], PHANTOM])
        writer.writeheader()
        writer.writerows(row | {PHANTOM: 1} for row in rows)
    write_csv(folder / "phantom.csv", ["File_name", "row", "tissue", "host"],
              ([row["File_name"], at, "rim" if at < 3 else "solid", "fat"]
               for at, row in enumerate(rows, 1)))  # fmt: skip
    words = ("--source", folder, "--methods", "ellipse,snakes", "--against", "snakes",
             "--marks-noise", "0.2,0.1", "--name", "made", "--storage", judged)  # fmt: skip
    assert command("masks", *words) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "Measured on made (phantom) (marks noise 0.2/0.1), 6 slices" in shown
    assert "Dice less that of snakes" in shown
    assert re.search(r"rim in fat 2 1 [+-]0\.\d{3}", shown)
    (run,) = [r for r in runs(judged, "masks") if r.info.run_name == "made"]
    assert run.data.tags["lesion.truth"] == EXACT_MASKS
    noise = MarksNoise(length=0.2, place=0.1)
    lesions = [remarked(x, noise) for x in read_deeplesion(source)[0] if "human" in x.masks]
    with (judged / "masks" / "made" / "lesions.csv").open(newline="") as file:
        found = [float(r["dice"]) for r in csv.DictReader(file) if r["method"] == "snakes"]
    assert found == _values("snakes", lesions)["dice"]


def test_marks_measured_from_masks_are_told() -> None:
    given = MasksOptions(source=SAMPLE, marks_from_masks=True)
    assert subject_of(given).marks == FROM_MASKS
    noisy = subject_of(MasksOptions(source=SAMPLE, marks_noise="0.1,0"))
    assert (noisy.name, noisy.marks) == ("the shipped sample (marks noise 0.1/0)", "")


PAIRS = ["--images", "*_ct.nii.gz", "--human-masks", "*_gtv.nii.gz"]
MISTAKES: dict[str, tuple[list[str], str]] = {
    "method": (["--methods", "ellipse,magic"], "there is no pseudo mask 'magic' (choose of "),
    "split": (["--splits", "exam"], "no split 'exam' (choose of train, validation, test)"),
    "source": (["--source", "/nowhere"], "/nowhere/DL_info.csv: there is no such file"),
    "name": (["--name", "../up"], "'../up' is no name"),
    "half a pair": (PAIRS[:2], "--images and --human-masks go together"),
    "two sources": ([*PAIRS, "--source", "x"], "--source, --splits and --key-slices are not for"),
    "marks of pairs": ([*PAIRS, "--marks-noise", "0.1,0"], "are not for --images"),
    "noise": (["--marks-noise", "1"], "'1' is no noise of marks"),
    "against": (["--methods", "ellipse", "--against", "best"], "no measured pseudo mask 'best'"),
    "window": (["--window", "5", "5"], "--window is not low, high: (5.0, 5.0)"),
    "no star": (["--images", "a.nii", *PAIRS[2:]], "'a.nii' does not have exactly one *"),
    "no file": (PAIRS, "no file matches '*_ct.nii.gz'"),
    "storage": (["--storage", "/dev/null/below"], "/dev/null/below: cannot be written"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line(
    mistake: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words, said = MISTAKES[mistake]
    given = [*words] if mistake == "storage" else [*words, "--storage", str(tmp_path)]
    assert command("masks", *given) == 2
    shown = capfd.readouterr().err
    assert shown.startswith("error: ")
    assert said in shown
    assert len(shown.splitlines()) == 1
    assert "Traceback" not in shown


def test_help_lists_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("masks", "--help") == 0
    shown = capsys.readouterr().out
    for option in ("source", "images", "human-masks", "label", "window", "methods", "splits",
                   "key-slices", "keep-noisy", "marks-from-masks", "marks-noise", "against",
                   "name", "storage"):  # fmt: skip
        assert f"--{option}" in shown

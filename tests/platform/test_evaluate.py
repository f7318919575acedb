"""`evaluate` over Ray: two external sets made from masks, by networks that learned discs."""

import csv
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient

from dashboards.recorded.runs import runs_of_kind
from lesions.judging.pairs import pairs_by_name
from lesions.prepared import PreparedSet
from lesions.prepared.manifest import claim, write_manifest
from lesions.prepared.pairs import source_of, with_category
from lesions.prepared.part import part_path, read_part, write_part
from lesions.prepared.preparing import Plan, prepare_part
from lesions.seen import Seen, patient_digest, slice_digest
from tests.boxed import Boxed, save
from tests.discs import WINDOW, Checkpoints, slice_with_discs
from tests.lesions.readers.seg_files import save_nifti
from tests.platform.conftest import Cluster, command, open_to
from trainables.checkpoint import RUN, TRAINED_ON


def external(folder: Path, seeds: Sequence[int], category: str) -> Path:
    """A prepared set of volumes with four discs each, all on slice 1."""
    for seed in seeds:
        hu, masks = slice_with_discs(seed)
        empty = np.zeros_like(hu)
        save_nifti(folder / f"{seed}_ct.nii", np.stack([empty, hu, empty]))
        labels = np.stack([empty, np.sum(masks, axis=0), empty])
        save_nifti(folder / f"{seed}_mask.nii", labels.astype(np.uint8))
    pairs = pairs_by_name(f"{folder}/*_ct.nii", f"{folder}/*_mask.nii", WINDOW)
    source = source_of(folder, with_category(pairs, category))
    plan = claim(Plan(source=source, out=folder / category, masks=("ellipse",)))
    for number, part in enumerate(source.parts()[0]):
        assert prepare_part({"part": number, "rows": part}, plan)["error"] == ""
    write_manifest(plan, len(pairs), len(pairs))
    return plan.out


def break_lesion(root: Path) -> None:
    """The first part's second lesion: its slice is no PNG."""
    path = part_path(root, 0)
    lesions, rejected = read_part(path)
    lesions[1] = replace(lesions[1], encoded=b"no PNG")
    write_part(path, lesions, ("human", "ellipse"), rejected)


def trained_on(checkpoint: Path, lung: Path, liver: Path) -> Path:
    """A checkpoint that says it has seen the liver's patient, and a slice of the lungs."""
    of_liver, of_lung = (PreparedSet(root, "test").rows[0]["patient"] for root in (liver, lung))
    first = PreparedSet(lung, "test")[0].slice_hu
    assert of_liver != of_lung
    seen = Seen(
        fingerprint="elsewhere", patients=frozenset({patient_digest(of_liver)}),
        slices=frozenset({slice_digest(first)}),
    )  # fmt: skip
    run = json.loads((checkpoint / RUN).read_text())
    (checkpoint / RUN).write_text(json.dumps(run | {TRAINED_ON: seen.said()}))
    return checkpoint


@pytest.mark.ray
def test_two_sets_a_bad_lesion_and_everything_it_leaves(
    ray_cluster: Cluster, two_checkpoints: Checkpoints, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    lung = external(tmp_path / "a", (103, 104, 105), "lung")
    liver = external(tmp_path / "b", (106,), "Liver")
    break_lesion(liver)
    stage1, stage2 = two_checkpoints
    stage2 = trained_on(shutil.copytree(stage2, tmp_path / stage2.name), lung, liver)
    storage = tmp_path / "store"
    words = ("pdnet", "--model", stage2, stage1, "--data", lung, liver,
             "--name", "evening", "--storage", storage)  # fmt: skip
    assert command("evaluate", *words) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "1 lesions could not be measured" in shown
    assert "15 of 15 lesions have no RECIST marks of their own" in shown

    folder = storage / "evaluations" / "evening"
    with (folder / "lesions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["data"] for row in rows] == ["lung"] * 12 + ["Liver"] * 4
    assert [row["file"] for row in rows] == [
        f"{seed}_001" for seed in (103, 104, 105, 106) for _ in range(4)
    ]
    assert "the PNG is truncated or no PNG" in rows[13]["reason"]
    assert str(tmp_path) not in (folder / "lesions.csv").read_text()
    measured = [row for row in rows if not row["reason"]]
    assert [row["trained_on"] for row in measured] == (
        ["pixels"] * 4 + ["not known"] * 8 + ["patient"] * 3
    )
    assert np.mean([float(row["dice"]) for row in measured]) > 0.85
    assert np.mean([float(row["stage2_dice"]) for row in measured]) > 0.85
    for row in measured:
        # The human mask's diameters are the lesion's own RECIST, which was measured from it.
        assert float(row["human_mask_long_mm"]) == pytest.approx(float(row["long_axis_mm"]))
        error = abs(float(row["heat_maps_long_mm"]) - float(row["human_mask_long_mm"]))
        assert error == pytest.approx(float(row["long_axis_error_mm"]))

    client = MlflowClient(tracking_uri=f"sqlite:///{storage / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("pdnet").experiment_id
    (run,) = runs_of_kind(client, experiment, "evaluate")
    assert (run.data.metrics["test_n"], run.data.metrics["failed"]) == (15, 1)
    assert run.data.metrics["n_liver"] == 3
    assert run.data.metrics["trained_on_by_pixels"] == 4
    leak = "LEAK: 3 of 15 lesions are of patients that bear the name of one"
    assert leak in shown
    assert leak in run.data.tags["lesion.trained_on"]
    assert leak in (folder / "report.html").read_text()
    dice = [float(row["dice"]) for row in measured]
    assert run.data.metrics["dice"] == pytest.approx(np.mean(dice))
    assert run.data.params["stage1.checkpoint"] == stage1.name
    assert len(run.data.params["stage2.sha256"]) == 64
    files = {item.path for item in client.list_artifacts(run.info.run_id)}
    assert files == {"report.html", "lesions.csv"}
    assert str(tmp_path) not in str(run.data)
    assert open_to(0o077, *storage.iterdir()) == []
    assert "data:image/png" in (folder / "report.html").read_text()

    assert command("evaluate", *words) == 2
    assert "there is a result 'evening' already" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.ray
def test_a_system_from_elsewhere_told_a_box(
    ray_cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has no parts, no endpoints, no paper and no diameters but those of its mask."""
    storage, lung = tmp_path / "store", external(tmp_path / "a", (103,), "lung")
    model = save(Boxed(), tmp_path / "model")
    words = ("--model", model, "--data", lung, "--name", "noon", "--storage", storage)
    assert command("evaluate", "tests.boxed:Boxed", *words) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "Given are the slice and a box." in shown
    assert "alone" not in shown
    with (storage / "evaluations" / "noon" / "lesions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["dice"]) for row in rows] == [1.0] * 4
    assert not {name for name in rows[0] if name.startswith(("heat_maps", "stage"))}
    client = MlflowClient(tracking_uri=f"sqlite:///{storage / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("boxed").experiment_id
    (run,) = runs_of_kind(client, experiment, "evaluate")
    assert run.data.metrics["dice"] == 1.0
    assert run.data.tags["lesion.system"] == "boxed"
    assert run.data.tags["lesion.protocol"] == "Given are the slice and a box."
    assert run.data.params["model.checkpoint"] == "model"
    assert "lesion.part" not in run.data.tags


@pytest.mark.slow
@pytest.mark.ray
def test_without_pictures_mlflow_has_no_page(
    ray_cluster: Cluster, two_checkpoints: Checkpoints, tmp_path: Path
) -> None:
    storage, lung = tmp_path / "store", external(tmp_path / "a", (103,), "lung")
    words = ("--model", *two_checkpoints, "--data", lung)
    assert command("evaluate", "pdnet", *words, "--no-pictures", "--storage", storage) == 0
    (report,) = storage.glob("evaluations/*/report.html")
    assert "data:image/png" in report.read_text()
    logged = [path for path in (storage / "artifacts").rglob("*") if path.is_file()]
    assert [path.name for path in logged] == ["lesions.csv"]


def test_mistakes_are_named(
    two_checkpoints: Checkpoints, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage1, stage2 = two_checkpoints
    lung = external(tmp_path / "a", (103,), "lung")
    for given, said in (
        ((stage2, "--data", lung), "which stage1 is to answer? (say --model NAME@ALIAS"),
        ((stage2, stage2, "--data", lung), "two models are named for stage2"),
        ((tmp_path, stage2, "--data", lung), "no checkpoint"),
        ((stage1, stage2, "--data", lung, tmp_path), "no whole prepared set"),
        ((stage1, stage2, "--data", lung, "--split", "train"), "the set has no train lesions"),
    ):
        words = ("--model", *given, "--storage", tmp_path / "store")
        assert command("evaluate", "pdnet", *words) == 2
        shown = capsys.readouterr().err
        assert said in shown
        assert len(shown.splitlines()) == 1

"""Co-segmentation from a set without embeddings to an answer for a box, over Ray."""

import json
import shutil
from pathlib import Path

import pytest

from dashboards.recorded.runs import runs_of_kind
from lesions.prepared.embeddings import FOLDER
from lesions.readers.png import encode_slice
from tests.discs import SPACING, slice_with_discs
from tests.platform.conftest import command
from tests.platform.mixed import mixed_set
from tests.platform.test_predict_prompts import box_of, joined
from tests.platform.test_reproduce import client_of
from trainables.checkpoint import read_best, read_run

pytestmark = [pytest.mark.ray, pytest.mark.slow]
NARROW = {
    "samples.size": 64, "pairs.draws": 8, "training.batch-size": 4,
    "training.epochs": 2, "model.encoder.vgg.width": 0.125, "model.encoder.resnet.width": 0.125,
    "model.encoder.features": 16, "model.squeeze": 16, "model.memory": 8,
}  # fmt: skip
SMALL = [str(word) for name, value in NARROW.items() for word in (f"--config.{name}", value)]
HU, (TRUTH, *_) = slice_with_discs(100)


def test_a_version_carries_what_it_compares_with(storage: Path) -> None:
    """Embedder, vectors and gates of the training lesions travel, and none of their pixels."""
    data = mixed_set(storage.parent / "source", storage.parent / "set", "grabcut_r")
    words = ("--data", data, "--storage", storage, "--name", "pairs", "--preset", "tiny", *SMALL)
    assert command("train", "coseg", *words) == 0
    assert (data / FOLDER / "vectors.parquet").is_file()
    *_, checkpoint = sorted(storage.glob("trainings/pairs/checkpoint_2*"))
    _, config = read_run(checkpoint)
    weights = read_best(checkpoint)["model"]
    assert weights["memory.count"] == 8  # of more training lesions
    assert weights["memory.vectors"].shape == (8, config.embedder.dimension)
    client = client_of(storage)
    experiment = client.get_experiment_by_name("coseg")
    assert experiment is not None
    (run,) = runs_of_kind(client, experiment.experiment_id, "train")
    for kind in ("overlays", "attention"):
        assert client.list_artifacts(run.info.run_id, f"best/{kind}")
    shutil.rmtree(data)
    image, out = storage.parent / "slice.png", storage.parent / "out"
    image.write_bytes(encode_slice(HU))
    told = ("--image", image, "--spacing", *SPACING[:2], "--box", joined(box_of(TRUTH, 1)))
    found = ("--model", "coseg@champion", "--storage", storage)
    assert command("predict", "coseg", *found, *told, "--out", out) in (0, 3)
    answer = json.loads((out / "answer.json").read_text())
    assert "no training lesions" not in answer["doubt"]

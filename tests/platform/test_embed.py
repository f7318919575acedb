"""`embed` over Ray: a vector a lesion, clusters, a page; killed it ends with the same bytes."""

import json
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

from lesions import InputError
from lesions.prepared import PreparedSet
from lesions.prepared.embeddings import FILE, FOLDER
from platform import embed as embed_module
from platform.embed import PAGE, encoder_of
from platform.running.embedding import CLUSTERS
from tests.discs import Checkpoints
from tests.platform.conftest import Cluster, command, sample_rows, started, wait_until
from tests.platform.mixed import mixed_set
from trainables.embedding.making import FIGURES, TRAINING
from trainables.embedding.saved import MODEL, read_embedder
from trainables.registry import SYSTEMS


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some 30 lesions of the sample, of many patients."""
    return mixed_set(tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("set"))


@pytest.fixture(scope="module")
def embedded(
    ray_cluster: Cluster, prepared: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The set with its embeddings."""
    root = tmp_path_factory.mktemp("whole") / "set"
    shutil.copytree(prepared, root)
    assert embed(root) == 0
    return root


def embed(root: Path, *words: object) -> int:
    own = ("--preset", "tiny") if "--model" not in words else ()
    return command("embed", "--data", root, *own, *words, "--storage", root.parent / "storage")


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.ray
def test_each_lesion_has_a_vector(embedded: Path) -> None:
    lesions = PreparedSet(embedded)
    vectors = np.stack([lesion.embedding for lesion in lesions])
    assert vectors.shape == (len(lesions), 64)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert read_embedder(embedded / FOLDER).dimension == 64
    assert sorted(path.name for path in (embedded / FOLDER).iterdir()) == [
        CLUSTERS, PAGE, MODEL, "plan.json", FILE
    ]  # fmt: skip
    figures = json.loads((embedded / FOLDER / MODEL / FIGURES).read_text())
    assert 0 <= figures["triplet_accuracy"] <= 1


@pytest.mark.ray
def test_clusters_are_of_training_lesions(embedded: Path) -> None:
    found = json.loads((embedded / FOLDER / CLUSTERS).read_text())
    assert sum(found["sizes"]) == len(PreparedSet(embedded, "train")) == found["training_lesions"]
    assert found["clusters"] == len(found["sizes"]) == found["wanted"] - found["merged"]
    assert found["seed"] == 0
    assert found["inertia"] > 0


@pytest.mark.ray
def test_a_whole_one_is_only_clustered_anew(
    embedded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (embedded / FOLDER / FILE).stat().st_mtime_ns
    assert embed(embedded, "--clusters", 3, "--no-page") == 0
    assert "are whole" in capsys.readouterr().out
    assert (embedded / FOLDER / FILE).stat().st_mtime_ns == before
    assert json.loads((embedded / FOLDER / CLUSTERS).read_text())["wanted"] == 3


@pytest.mark.ray
@pytest.mark.slow
def test_damaged_vectors_are_made_again_by_the_embedder_that_is_there(
    embedded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "set"
    shutil.copytree(embedded, root)
    path = root / FOLDER / FILE
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    with pytest.raises(InputError, match=r"platform.embed --data"):
        PreparedSet(root)[0]
    assert embed(root, "--no-page") == 0
    assert "training the embedder" not in capsys.readouterr().out
    assert path.read_bytes() == whole


@pytest.mark.ray
@pytest.mark.slow
def test_weights_out_of_reach_leave_what_is_there(
    embedded: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = files(embedded / FOLDER)
    lost = ("--preset", "paper", "--imagenet-file", tmp_path / "lost.pth")
    assert command("embed", "--data", embedded, *lost, "--storage", tmp_path) == 2
    assert "lost.pth" in capfd.readouterr().err
    assert files(embedded / FOLDER) == before


@pytest.mark.ray
@pytest.mark.slow
def test_a_kill_loses_no_epoch(
    ray_cluster: Cluster, embedded: Path, prepared: Path, tmp_path: Path
) -> None:
    root, log = tmp_path / "set", tmp_path / "log"
    shutil.copytree(prepared, root)
    words = ("--data", root, "--preset", "tiny", "--storage", tmp_path / "storage")
    with started(log, "embed", *words, address=ray_cluster.address) as driver:
        training = root / FOLDER / TRAINING
        wait_until(lambda: any(training.glob("epoch-*")), 240, "an epoch")
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
    assert PreparedSet(root).embeddings is None
    assert embed(root) == 0
    assert files(root / FOLDER / MODEL) == files(embedded / FOLDER / MODEL)
    found, whole = PreparedSet(root).embeddings, PreparedSet(embedded).embeddings
    assert found is not None
    assert whole is not None
    assert found.digest == whole.digest


@pytest.mark.ray
@pytest.mark.slow
def test_a_models_encoder_embeds(
    ray_cluster: Cluster, prepared: Path, two_checkpoints: Checkpoints, tmp_path: Path
) -> None:
    """And of its vectors there is no embedder of ours."""
    root = tmp_path / "set"
    shutil.copytree(prepared, root)
    assert embed(root, "--model", two_checkpoints[1], "--no-page") == 0
    found = PreparedSet(root).embeddings
    assert found is not None
    assert found.made_by.startswith("the encoder of ")
    with pytest.raises(InputError, match="no embedder"):
        read_embedder(root / FOLDER)


def test_a_model_without_an_encoder_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    system = SYSTEMS["stn_shn"]
    monkeypatch.setattr(
        embed_module, "checkpoints_of_any", lambda words, storage: (system, {"": None})
    )
    with pytest.raises(InputError, match="has no encoder"):
        encoder_of("a@b", tmp_path)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--clusters", 0), "--clusters is 0"),
        (("--model", "pdnet@champion", "--preset", "tiny"), "not for --model"),
        (("--preset", "huge"), "no preset 'huge'"),
    ],
)
def test_mistakes_are_told(
    words: tuple[object, ...], said: str, prepared: Path, tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert command("embed", "--data", prepared, *words, "--storage", tmp_path) == 2
    assert said in capfd.readouterr().err


def test_a_set_without_training_lesions_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = mixed_set(tmp_path / "source", tmp_path / "set", chosen=sample_rows(test=2))
    assert command("embed", "--data", data, "--preset", "tiny", "--storage", tmp_path) == 2
    assert "no training lesions" in capfd.readouterr().err

"""A system in a user's own folder: the command is told the class, and Ray's workers find it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.platform.conftest import ROOT, TINY, Cluster, command

LIVER = """
from dataclasses import dataclass, fields
from optuna.distributions import FloatDistribution
from trainables.pdnet import PDNetSystem
from trainables.pdnet.config import PDNetConfig

@dataclass(frozen=True, kw_only=True)
class LiverConfig(PDNetConfig):
    note: str = "mine"

def of(preset):
    return LiverConfig(**{field.name: getattr(preset, field.name) for field in fields(preset)})

class Liver(PDNetSystem):
    name, title, paper = "liver", "Liver", ""

    def presets(self):
        return {name: lambda make=make: of(make()) for name, make in super().presets().items()}

    def space(self, config):
        return {"training.learning_rate": FloatDistribution(1e-4, 1e-1, log=True)}
"""


@pytest.mark.slow
@pytest.mark.ray
def test_a_class_in_the_current_folder_is_swept(
    ray_cluster: Cluster, tiny_set: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    here, storage = tmp_path / "here", tmp_path / "store"
    here.mkdir()
    (here / "liver.py").write_text(LIVER)
    words = ("--system", "liver:Liver", "--storage", storage, "--data", tiny_set, "--name", "mine",
             "--trials", 1, "--no-pictures", "--config.training.epochs", 1, *TINY)  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "platform.sweep", *map(str, words)],
        cwd=here, capture_output=True, text=True, check=False, timeout=240,
        env=os.environ | {"PYTHONPATH": str(ROOT), "RAY_ADDRESS": ray_cluster.address},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    client = MlflowClient(tracking_uri=f"sqlite:///{storage / 'mlflow.db'}")
    version = client.get_model_version_by_alias("liver-stage2", "champion")
    assert version.tags["config.note"] == "mine"
    assert command("sweep", "liver", "--storage", storage, "--resume", "mine") == 2
    assert "there is no system 'liver'" in capfd.readouterr().err, "nothing read names a module"

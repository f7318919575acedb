"""A run of a system that learns by looks has its set's embedder in its config, made or found."""

from dataclasses import dataclass, fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lesions import InputError
from lesions.prepared import PreparedSet
from lesions.prepared.embeddings import FILE, FOLDER, write_vectors
from lesions.prepared.facts import FACTS
from lesions.prepared.parquet import read_table
from lesions.prepared.prepared_set import INDEX
from platform.running import embedded
from platform.running.datasets import Data
from platform.running.embedding import Wanted
from platform.running.plans import start
from platform.running.training import Training
from tests.lesions.prepared.small_set import change_index, small_set
from tests.trainables.embedding.narrow import NARROW, narrow
from trainables.configs import edited
from trainables.embedding.config import EmbeddingConfig
from trainables.embedding.network import EmbedderConfig
from trainables.embedding.saved import MODEL, WEIGHTS, save_embedder
from trainables.pdnet import PDNetSystem
from trainables.pdnet.config import tiny


@dataclass(frozen=True)
class Config:
    """A config that has room for an embedder."""

    embedder: EmbedderConfig | None = None


class Kept(PDNetSystem):
    """Keeps a figure of its embedder where it has room."""

    name = "kept"

    def by_looks(self, config: Any) -> bool:
        """But for one learning rate."""
        return bool(config.training.learning_rate != 1.0)

    def with_embedder(self, config: Any, embedder: EmbedderConfig) -> Any:
        """The config with the vectors' length, a hundredth of it."""
        return edited(config, {"samples.intensity": embedder.dimension / 100})


class Looker(PDNetSystem):
    """A system that learns by looks."""

    name = "looker"

    def by_looks(self, config: Any) -> bool:
        """Always."""
        return True

    def with_embedder(self, config: Any, embedder: EmbedderConfig) -> Any:
        """The config with the embedder."""
        return Config(embedder)


@pytest.fixture
def data(tmp_path: Path) -> Data:
    root = small_set(tmp_path / "set")
    return Data(root=root, fingerprint="", description="two", truth="human")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Wanted]:
    """What was to be embedded; in place of a training there is a network as it starts."""
    found: list[Wanted] = []

    def embed_set(wanted: Wanted, data: Data) -> None:
        found.append(wanted)
        written(wanted.data, wanted.out)
        save_embedder(wanted.out / MODEL, narrow())

    monkeypatch.setattr(embedded, "embed_set", embed_set)
    return found


def written(root: Path, out: Path) -> None:
    index = read_table(root / INDEX, FACTS)
    write_vectors(out / FILE, index, np.eye(len(index), 8, dtype=np.float32), "a test")


def looks(data: Data, preset: str = "tiny", system: PDNetSystem | None = None) -> Any:
    config, found = embedded.with_looks(system or Looker(), Config(), preset, data)
    of_set = PreparedSet(data.root).embeddings
    assert found.embeddings == (of_set.digest if config != Config() and of_set else "")
    return config


def test_other_systems_are_left_alone(data: Data, asked: list[Wanted]) -> None:
    assert looks(data, system=PDNetSystem()) == Config()
    assert asked == []


def test_a_config_that_compares_nothing_needs_none(data: Data, asked: list[Wanted]) -> None:
    config = edited(tiny(), {"training.learning_rate": 1.0})
    assert embedded.with_looks(Kept(), config, "tiny", data) == (config, data)
    assert asked == []


@pytest.mark.parametrize(("preset", "width"), [("tiny", 1 / 8), ("paper", 1.0), ("mine", 1.0)])
def test_an_embedder_is_trained_where_there_is_none(
    data: Data, asked: list[Wanted], capsys: pytest.CaptureFixture[str], preset: str, width: float
) -> None:
    config = looks(data, preset)
    assert config.embedder.weights_file == data.root / FOLDER / MODEL / WEIGHTS
    assert config.embedder.bare == NARROW
    (wanted,) = asked
    assert isinstance(wanted.by, EmbeddingConfig)
    assert wanted.by.embedder.width == width
    assert capsys.readouterr().out.count("\n") == 1


def test_one_that_is_there_is_taken(data: Data, asked: list[Wanted]) -> None:
    assert looks(data) == looks(data)
    assert len(asked) == 1


def test_vectors_of_no_embedder_are_refused(data: Data, asked: list[Wanted]) -> None:
    written(data.root, data.root / FOLDER)
    with pytest.raises(InputError, match=r"no embedder.*without --model"):
        looks(data)
    assert asked == []


def test_those_of_other_lesions_are_refused(data: Data, asked: list[Wanted]) -> None:
    looks(data)
    change_index(data.root, lambda row: row.update(patient="another"))
    with pytest.raises(InputError, match="of other lesions"):
        looks(data)


def test_a_new_run_is_planned_with_it(data: Data, asked: list[Wanted], tmp_path: Path) -> None:
    config = edited(tiny(), {"pseudo_mask": "ellipse"})
    own = {one.name: getattr(one, "default", None) for one in fields(Training)}
    options = SimpleNamespace(
        **own | {"data": data.root, "parts": (), "config": config, "name": "mine", "resume": None,
                 "resume_or_start": None, "workers": 1, "cpus_per_worker": 1.0, "register": None},
    )  # fmt: skip
    with start(Training, Kept(), "tiny", options, tmp_path) as training:
        assert training.config.samples.intensity == pytest.approx(NARROW.dimension / 100)
    assert len(asked) == 1

"""Shared places: the sample, and the development data where it is there."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from lesions.prepared import PreparedSet
from lesions.prepared.manifest import claim, write_manifest
from lesions.prepared.preparing import Plan, parts_of, prepare_part
from lesions.readers.deeplesion import read_table
from lesions.sample import ROOT as SAMPLE
from tests.discs import Checkpoints, train
from tests.once import once
from trainables.registry import SYSTEMS

# The same examples on every machine: a failure that comes and goes helps nobody.
# No deadline: a machine that is busy fails nothing.
settings.register_profile("fixed", derandomize=True, deadline=None)
settings.load_profile("fixed")

# Networks here are tiny, and threads that wait for each other starve Ray's workers beside them.
torch.set_num_threads(1)

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(autouse=True, scope="module")
def _systems() -> Iterator[None]:
    """What one module's tests have named, another's do not know."""
    known = dict(SYSTEMS)
    yield
    SYSTEMS.clear()
    SYSTEMS.update(known)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """`../shared/data`, or a skip that says so."""
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is not on this machine")
    return SHARED


@pytest.fixture(scope="session")
def prepared_sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample, prepared without Ray."""

    def prepare(out: Path) -> None:
        plan = Plan(source=SAMPLE, out=out, masks=("snakes", "ellipse"))
        rows = read_table(SAMPLE)
        claim(plan)
        parts = parts_of(rows)
        for number, part in enumerate(parts):
            assert prepare_part({"part": number, "rows": part}, plan)["error"] == ""
        write_manifest(plan, len(rows), len(parts))

    return once("prepared", prepare, tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="session")
def training_lesions(prepared_sample: Path) -> PreparedSet:
    """The sample's training lesions."""
    return PreparedSet(prepared_sample, "train")


@pytest.fixture(scope="session")
def two_checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Checkpoints:
    """Stage 1 and stage 2 of a tiny PDNet that learned discs: about 20 s on one core."""

    def learn(folder: Path) -> None:
        train(1, folder / "stage1", 90)
        train(2, folder / "stage2", 70)

    folder = once("discs", learn, tmp_path_factory.mktemp("learnt"))
    return folder / "stage1", folder / "stage2"

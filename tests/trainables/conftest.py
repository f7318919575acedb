"""Small networks train fastest on one core; and a small checkpoint, to be damaged."""

from pathlib import Path

import pytest

from tests.trainables.checkpoints import LESIONS, PLAIN
from tests.trainables.runs import a_run, one_thread
from trainables.loop import fit


@pytest.fixture(autouse=True, scope="package")
def _one_thread() -> None:
    one_thread()


@pytest.fixture(scope="package")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a network that loads faster."""
    directory = tmp_path_factory.mktemp("plain")
    fit(a_run(directory, PLAIN, LESIONS))
    return directory


@pytest.fixture
def plain_copy(plain: Path, tmp_path: Path) -> Path:
    """Its files, to be damaged."""
    for file in plain.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path

"""Small networks train fastest on one core."""

import pytest

from tests.trainables.runs import one_thread


@pytest.fixture(autouse=True, scope="package")
def _one_thread() -> None:
    one_thread()

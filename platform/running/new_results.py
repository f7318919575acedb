"""The folder of a new result: one command at a time has it, and two unnamed ones never meet."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lesions import InputError
from lesions.names import inside
from platform.running.driving import driving
from platform.running.interrupted import going_on
from platform.running.storage import given_up_if_empty, unnamed


@dataclass(frozen=True)
class NewResult:
    """A result that is being made in a folder of its own."""

    folder: Path

    @property
    def name(self) -> str:
        """The result's."""
        return self.folder.name

    @property
    def report(self) -> Path:
        """Its page."""
        return self.folder / "report.html"

    @property
    def rows(self) -> Path:
        """Its table, a row a lesion."""
        return self.folder / "lesions.csv"

    def files(self, pictures: bool) -> list[Path]:
        """What MLflow is given: the page has pictures of lesions."""
        return [self.report, self.rows] if pictures else [self.rows]


@contextmanager
def new_result(place: Path, name: str | None, prefix: str) -> Iterator[NewResult]:
    """Take the folder of a new result, which bears the result's name.

    Raises:
        InputError: there is a result of this name already, or one is being made; or it is no name.
    """
    result = NewResult(inside(place, name) if name else unnamed(place, prefix))

    def again() -> str:
        if result.report.exists():
            return f"the result is whole: {result.report}"
        return "give the same command again: nothing of it is kept"

    with given_up_if_empty(result.folder), going_on(again), driving(result.folder):
        if result.report.exists():
            raise InputError(
                f"there is a result {result.name!r} already", remedy="choose another --name"
            )
        yield result

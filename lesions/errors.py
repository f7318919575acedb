"""The one error that bad input raises: it names the file, the row and the remedy."""

import re
from pathlib import Path


class InputError(ValueError):
    """Input that a user can mend.

    Args:
        reason: what is wrong, in one sentence without a full stop.
        file: the file that is at fault, where there is one.
        row: its row (1 = the first row after the header), where there is one.
        remedy: what to do about it, in one sentence.
    """

    def __init__(
        self,
        reason: str,
        *,
        file: str | Path | None = None,
        row: int | None = None,
        remedy: str | None = None,
    ) -> None:
        self.reason, self.file, self.row, self.remedy = reason, file, row, remedy
        place = "" if file is None else f"{file}: " if row is None else f"{file}, row {row}: "
        super().__init__(printable(place) + self.advice)

    @property
    def advice(self) -> str:
        """The reason and the remedy without the place: for lists that name the file beside it."""
        return printable(self.reason + ("" if self.remedy is None else f" ({self.remedy})"))

    def __reduce__(self) -> tuple[object, ...]:
        """Keep the fields when a Ray worker sends the error to the driver."""
        return _rebuild, (self.reason, self.file, self.row, self.remedy)


def _rebuild(reason: str, file: str | None, row: int | None, remedy: str | None) -> InputError:
    return InputError(reason, file=file, row=row, remedy=remedy)


def printable(words: str) -> str:
    """Words from elsewhere as one line that a terminal only shows: no control characters."""
    return "".join(letter if letter.isprintable() else "?" for letter in words)


def spoken(part: str) -> str:
    """A part of a system, by its name, in a sentence: "stage 1" of "stage1"."""
    return re.sub(r"(?<=[a-z])(?=\d+$)", " ", part.replace("_", " "))


def shown(words: str) -> str:
    """Words from a file, fit for a message: one short line, whatever a damaged file holds."""
    line = printable(words[:101])
    return line if len(line) <= 100 else f"{line[:99]}…"

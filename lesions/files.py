"""Writing a file whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replace_with(path: Path) -> Iterator[Path]:
    """Give a partial file's path; when the block ends well it becomes `path`, in one step.

    A process that dies inside the block leaves `path` as it was.
    """
    partial = path.with_name(f"{path.name}.partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with replace_with(path) as partial:
        partial.write_text(text, encoding="utf-8")

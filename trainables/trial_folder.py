"""A trial's own folder, which all nodes see: its values, epochs, newest checkpoint, and end.

trial.json          what it is, written before it begins
history.jsonl       one line an epoch: its metrics, and when it ended
checkpoint-000007/  after epoch 7; the newest alone is kept
end.json            how it ended
error.txt           what it failed with, in full

The trial's process writes its epochs and checkpoints, the driver the rest. Whatever a kill cuts off
is told by what is left: a checkpoint comes to be in one step, before its epoch's line is written.
"""

import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

from lesions.errors import InputError
from lesions.files import FULL, make_folder, write_text
from lesions.readers.bounded import parse_json, read_bytes, read_json
from trainables.checkpoint import is_metrics, read_history, read_last

TRIAL, HISTORY, END, ERROR = "trial.json", "history.jsonl", "end.json", "error.txt"
CHECKPOINT, NEW = "checkpoint-", "new-"
AT = "timestamp"  # of an epoch's line: when it ended, seconds since 1970
_MOST_JSON = 1 << 20


@dataclass(frozen=True)
class TrialFolder:
    """One trial's.

    Attributes:
        path: it bears the trial's number.
    """

    path: Path

    def checkpoints(self) -> list[Path]:
        """Those that are kept, the newest last."""
        return sorted(self.path.glob(f"{CHECKPOINT}[0-9]*"))

    def checkpoint(self) -> Path | None:
        """The newest that can be gone on from; None where there is none that is whole."""
        for path in reversed(self.checkpoints()):
            with suppress(InputError):
                read_last(path)
                return path
        return None

    def history(self) -> list[dict[str, float]]:
        """The metrics of every epoch that is known, in order; a line that was cut off is left out.

        Epochs that only the checkpoint knows are among them, without the time.
        """
        found = self._lines()
        last = max([0, *map(_epoch_of, self.checkpoints())])
        if not found.keys() >= set(range(1, last + 1)) and (newest := self.checkpoint()):
            found = {int(epoch["epoch"]): epoch for epoch in read_history(newest)} | found
        return [found[epoch] for epoch in sorted(found)]

    def _lines(self) -> dict[int, dict[str, float]]:
        path, found = self.path / HISTORY, {}
        try:
            lines = read_bytes(path).splitlines()
        except (OSError, InputError):
            return {}
        for line in lines:
            with suppress(InputError, KeyError, ValueError):
                metrics = parse_json(line, dict, path)
                if is_metrics(metrics):
                    found[int(metrics["epoch"])] = metrics
        return found

    def go_on(self) -> Path | None:
        """Be where the newest whole checkpoint is, which is returned; what came after is undone."""
        make_folder(self.path)
        self.tidy()
        newest = self.checkpoint()
        last = 0 if newest is None else _epoch_of(newest)
        kept = [metrics for metrics in self.history() if metrics["epoch"] <= last]
        write_text(self.path / HISTORY, "".join(json.dumps(metrics) + "\n" for metrics in kept))
        return newest

    def keep(self, checkpoint: Path, epoch: int) -> None:
        """Keep what is in a checkpoint's folder; what was kept before goes when that is whole.

        Files that lie in `working` are linked: they are only ever replaced, never changed.
        """
        target = self.path / f"{CHECKPOINT}{epoch:06d}"
        new = Path(mkdtemp(prefix=NEW, dir=self.path))
        try:
            for file in checkpoint.iterdir():
                _link(file, new / file.name)
            shutil.rmtree(target, ignore_errors=True)
            new.rename(target)
        finally:
            shutil.rmtree(new, ignore_errors=True)
        for old in self.checkpoints():
            if old != target:
                shutil.rmtree(old, ignore_errors=True)

    @contextmanager
    def working(self) -> Iterator[Path]:
        """A folder to work in, which goes with the block; a kill's goes with `go_on`."""
        with TemporaryDirectory(prefix=NEW, dir=self.path) as folder:
            yield Path(folder)

    def tidy(self) -> None:
        """Take away what nobody works in any more."""
        for left in self.path.glob(f"{NEW}*"):
            shutil.rmtree(left, ignore_errors=True)

    def add(self, metrics: Mapping[str, float]) -> None:
        """Note an epoch down."""
        with open(self.path / HISTORY, "a", encoding="utf-8") as file:
            file.write(json.dumps({AT: time.time(), **metrics}) + "\n")

    def write(self, name: str, content: Mapping[str, Any]) -> None:
        """Write `TRIAL` or `END`."""
        write_text(self.path / name, json.dumps(content))

    def read(self, name: str) -> dict[str, Any] | None:
        """`TRIAL` or `END`; None where it is absent or damaged."""
        with suppress(OSError, InputError):
            return read_json(self.path / name, dict, _MOST_JSON)
        return None


def _epoch_of(checkpoint: Path) -> int:
    return int(checkpoint.name.removeprefix(CHECKPOINT))


def _link(file: Path, target: Path) -> None:
    """Have a file under another name as well; a copy of it where the disks or the system know no
    links.
    """
    try:
        target.hardlink_to(file)
    except OSError as error:
        if error.errno in FULL:
            raise
        shutil.copyfile(file, target)
        with target.open("r+b") as copy:  # on the disk before its folder gets its name
            os.fsync(copy.fileno())

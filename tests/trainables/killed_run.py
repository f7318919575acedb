"""A run to kill: python -m tests.trainables.killed_run DIRECTORY prints each finished epoch."""

import sys
from pathlib import Path

from tests.trainables.runs import a_run, ellipses, one_thread, small
from trainables.loop import Run, fit

EPOCHS = 6


def run_to_kill(directory: Path, resume: Path | None = None) -> Run:
    """What the killed process runs, to be run whole or resumed."""
    lesions = ellipses(10)
    return a_run(
        directory,
        small(epochs=EPOCHS),
        lesions[:8],
        lesions[8:],
        report=lambda metrics, checkpoint: print(int(metrics["epoch"]), flush=True),
        resume=resume,
    )


if __name__ == "__main__":
    one_thread()
    fit(run_to_kill(Path(sys.argv[1])))

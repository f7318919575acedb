"""Many damaged inputs, read in a child process; one that ends it is found and counted."""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came of one input; `failure` is "" when it was accepted or rejected by name."""

    kind: str
    seed: int
    accepted: int = 0
    reasons: tuple[str, ...] = ()
    failure: str = ""
    seconds: float = 0.0


def run(counts: Mapping[str, int]) -> list[Answer]:
    """Read the inputs 0, 1, … of each kind."""
    jobs = [(kind, seed) for kind, count in counts.items() for seed in range(count)]
    answers: list[Answer] = []
    while len(answers) < len(jobs):
        answers += _batch(jobs[len(answers) :])
    return answers


def _batch(jobs: list[tuple[str, int]]) -> list[Answer]:
    """The answers until the jobs are done or one of them has ended the child."""
    with tempfile.TemporaryFile("w+") as errors:
        child = subprocess.run(
            [sys.executable, "-m", "tests.lesions.readers.fuzz.child"],
            input=json.dumps(jobs), stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT,
            env=os.environ | {"OMP_NUM_THREADS": "1", "OPENCV_FOR_THREADS_NUM": "1"}, check=False,
        )  # fmt: skip
        answers = [Answer(**json.loads(line)) for line in child.stdout.splitlines()]
        if child.returncode != 0:
            errors.seek(0)
            kind, seed = jobs[len(answers)]
            failure = f"the process ended with {child.returncode}: {errors.read()[-2000:]}"
            answers.append(Answer(kind=kind, seed=seed, failure=failure))
    return answers


def summary(answers: Iterable[Answer]) -> str:
    """By kind: how many were accepted and rejected, the slowest, and the commonest reasons."""
    kinds: dict[str, list[Answer]] = {}
    for one in answers:
        kinds.setdefault(one.kind, []).append(one)
    lines = []
    for kind, of in kinds.items():
        rejected = Counter(_shape(reason) for one in of for reason in one.reasons)
        lines.append(
            f"{kind}: {len(of)} inputs, {sum(one.accepted for one in of)} accepted, "
            f"{rejected.total()} rejected for {len(rejected)} reasons, "
            f"{sum(one.failure != '' for one in of)} failures, "
            f"slowest {max(one.seconds for one in of):.2f} s"
        )
        lines += [f"    {count:5} × {reason}" for reason, count in rejected.most_common(6)]
    return "\n".join(lines)


def _shape(reason: str) -> str:
    """A reason without its numbers."""
    return "".join("#" if letter.isdigit() else letter for letter in reason)[:80]

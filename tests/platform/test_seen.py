"""What a run trains on goes into its checkpoints, and evaluation tells it again."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lesions import InputError
from lesions.prepared import PreparedSet
from lesions.seen import (
    BOTH,
    NEITHER,
    PATIENT,
    UNKNOWN,
    Seen,
    patient_digest,
    seen_in,
    slice_digest,
)
from platform.evaluate import mark_seen
from tests.trainables.checkpoints import CONFIG, LESIONS
from tests.trainables.runs import CPU, a_run
from trainables.checkpoint import RUN, TRAINED_ON, read_run, read_seen
from trainables.loop import fit
from trainables.workers import Job, fit_job

SEEN = Seen(fingerprint="f", patients=frozenset({"0" * 16}), slices=frozenset())


def test_the_training_lesions_of_a_set_are_what_is_seen(tiny_set: Path) -> None:
    seen = seen_in(tiny_set, PreparedSet(tiny_set).fingerprint)
    for split in ("train", "validation", "test"):
        for lesion in PreparedSet(tiny_set, split):
            word = seen.has(lesion.patient, slice_digest(lesion.slice_hu))
            assert word == (BOTH if split == "train" else NEITHER)


def test_a_checkpoint_says_what_it_was_trained_on(tmp_path: Path) -> None:
    fit(replace(a_run(tmp_path, CONFIG, LESIONS), seen=SEEN))
    assert read_seen(tmp_path) == SEEN
    assert read_run(tmp_path)[1] == CONFIG
    run = json.loads((tmp_path / RUN).read_text())
    (tmp_path / RUN).write_text(json.dumps(run | {TRAINED_ON: {"patients": 5}}))
    with pytest.raises(InputError, match="does not say what was trained on"):
        read_seen(tmp_path)
    del run[TRAINED_ON]
    (tmp_path / RUN).write_text(json.dumps(run))
    assert read_seen(tmp_path) is None, "of a version before"


def test_every_row_says_whether_it_was_trained_on() -> None:
    rows = [{"patient": "jane", "pixels": "a"}, {"patient": "joe", "pixels": "b"}]
    known = Seen(fingerprint="", patients=frozenset({patient_digest("joe")}), slices=frozenset())
    mark_seen(rows, [known, None])
    assert rows == [
        {"patient": "jane", "trained_on": UNKNOWN}, {"patient": "joe", "trained_on": PATIENT},
    ]  # fmt: skip


def test_what_a_job_says_is_seen_reaches_its_checkpoints(tiny_set: Path, tmp_path: Path) -> None:
    """As a worker trains it."""
    found: list[Seen | None] = []

    def report(metrics: object, checkpoint: Path | None) -> None:
        if checkpoint is not None:
            found.append(read_seen(checkpoint))

    job = Job(system="pdnet", config=CONFIG, data=tiny_set, seen=SEEN)
    fit_job(job, CPU, report, None, tmp_path)
    assert set(found) == {SEEN}

"""Words and numbers of lesions that the model was trained on."""

import pytest

from dashboards.tables.leaks import leak_metrics, leak_notes
from lesions.seen import BOTH, NEITHER, PATIENT, PIXELS, UNKNOWN


@pytest.mark.parametrize(
    ("words", "said", "counts"),
    [
        ([NEITHER] * 3, ["No lesion's patient, nor its slice"], (0, 0, 0)),
        ([NEITHER, PATIENT, BOTH], ["LEAK: 2 of 3 lesions are of patients",
                                    "LEAK: 1 of 3 lesions lie on slices"], (2, 1, 0)),
        ([PIXELS, NEITHER], ["LEAK: 1 of 2 lesions lie on slices"], (0, 1, 0)),
        ([UNKNOWN] * 2, ["Whether 2 of 2 lesions were trained on is not known"], (0, 0, 2)),
    ],
)  # fmt: skip
def test_each_kind_is_said_and_counted(
    words: list[str], said: list[str], counts: tuple[int, int, int]
) -> None:
    rows = [{"trained_on": word} for word in words]
    notes = list(leak_notes(rows))
    assert len(notes) == len(said)
    assert all(note.startswith(start) for note, start in zip(notes, said, strict=True))
    assert tuple(leak_metrics(rows).values()) == counts


def test_rows_that_do_not_say_give_nothing() -> None:
    assert list(leak_notes([{"dice": 0.5}])) == []
    assert leak_metrics([{"dice": 0.5}]) == {}

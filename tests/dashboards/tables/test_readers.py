"""Readers and methods against each reader, by hand; and Judges, from recorded rows."""

import math
from typing import Any

import pytest
from rich.console import Console

from dashboards.tables.papers import paper_rows
from dashboards.tables.readers import (
    OVERALL,
    AgainstReaders,
    against_cells,
    agreement_cells,
    paper_cells,
    print_readers,
    readers_notes,
    readers_records,
)
from lesions import InputError, Recist
from lesions.metrics.paired import Which
from lesions.metrics.readers import Reading, Readings
from platform.running.readings import Judges

LOCATION, LENGTH = "long_axis_location_error", "long_axis_length_error"
SPACING = (0.5, 0.5, 5.0)


def which(number: int) -> Which:
    return Which(patient=f"p{number}", file=f"{number}.png", row="1")


def longer(*more: float) -> Readings:
    """Of a lesion each, its right end so many pixels further; None has none."""
    return {
        which(at): Reading(recist=recist(one), spacing=SPACING)
        for at, one in enumerate(more) if not math.isnan(one)
    }  # fmt: skip


def recist(more: float) -> Recist:
    return Recist([[10, 10], [30 + more, 10], [20, 6], [20, 16]])


READERS = {"marks": longer(0, 0, 0), "1": longer(2, 4, 6), "2": longer(8, math.nan, math.nan)}


def test_every_one_against_every_reader_and_overall() -> None:
    view = AgainstReaders(readers=READERS, methods={"ours": [longer(0, 0, 0), longer(2, 2, 2)]})
    means = {pair: mean[LENGTH].mean for pair, mean in view.means.items()}
    assert means["1", "marks"] == means["marks", "1"] == 4
    assert means["1", "2"] == 6  # of the one lesion that both have read
    # Each lesion counts once: (2 + 6) / 2, 4 and 6.
    assert means["1", OVERALL] == pytest.approx((4 + 4 + 6) / 3)
    assert means["ours", "marks"] == 1  # over the seeds
    heading, rows = against_cells(view, LOCATION)
    assert heading == ["", "vs marks", "vs reader 1", "vs reader 2", "overall"]
    assert [row[0] for row in rows] == ["marks", "reader 1", "reader 2", "ours"]
    assert rows[0][1] == "–"
    assert rows[1][1] == "2.00 ± 0.82\n1.00 to 3.00"
    assert rows[1][3] == "3.00 ± 0.00"  # one patient: no interval
    assert view.line("1", "here").lesions == 3
    assert view.line("2", "here").method == "reader 2, ours"


def test_a_terminal_shows_intervals_below_means(capsys: pytest.CaptureFixture[str]) -> None:
    print_readers(AgainstReaders(readers=READERS), Console(width=120))
    shown = capsys.readouterr().out
    assert "2.00 ± 0.82" in shown
    assert "1.00 to 3.00" in shown
    assert "?" not in shown


def test_agreement_is_of_each_pair_once() -> None:
    view = AgainstReaders(readers=READERS, methods={"ours": [longer(0, 1, 2), longer(1, 2, 4)]})
    heading, rows = agreement_cells(view)
    found = {(row[0], row[1], row[2]): dict(zip(heading[3:], row[3:], strict=True)) for row in rows}
    assert ("marks", "reader 1", "long") in found
    assert ("reader 1", "marks", "long") not in found
    ours = found["ours", "reader 1", "long"]
    assert ours["n"] == "6"
    assert ours["bias (mm)"] == "-1.2"  # half of −2, −3, −4, −1, −2, −2 pixels
    assert len(ours["ICC"].split()) == 2  # each seed's
    assert found["marks", "reader 2", "long"]["ICC"] == "–"  # one lesion
    assert ours["axes over 45° apart"] == "0%"
    assert any("ICC" in note for note in readers_notes(view))


def test_records_are_complete() -> None:
    heading, rows = readers_records(AgainstReaders(readers=READERS))
    records = [dict(zip(heading, row, strict=True)) for row in rows]
    (one,) = [x for x in records if (x["who"], x["against"], x["metric"]) == ("1", "marks", LENGTH)]
    assert (one["n"], one["mean"], one["unit"]) == (3, 4.0, "pixel")
    assert one["low"] < 4 < one["high"]


def test_the_papers_own_have_their_columns() -> None:
    heading, rows = paper_cells(paper_rows("stn_shn", "1"), LOCATION)
    assert heading == ["", "vs DL", "vs R1", "vs R2", "overall"]
    assert rows[0] == ["reader DL", "–", "8.160 ± 10.200", "9.100 ± 11.600", "8.630 ± 10.900"]


def row(at: int, endpoints: Recist | None, own: float) -> dict[str, Any]:
    return {"patient": f"p{at}", "file": f"{at}.png", "row": 1, LENGTH: own,
            "endpoints": None if endpoints is None else endpoints.points.tolist()}  # fmt: skip


def test_a_subgroup_of_the_papers_is_a_reader_of_ours() -> None:
    judge = Judges(readers=READERS, subgroups=("vs_DL", "vs_R1", "vs_R2"))
    rows = [row(0, recist(1), 1), row(1, recist(1), 1), row(2, None, math.nan)]

    def lengths(subgroup: str) -> list[float]:
        return [one[LENGTH] for one in judge.judged(rows, subgroup)]

    assert lengths("vs_DL")[:2] == [1, 1]
    assert lengths("vs_R1")[:2] == [1, 3]
    assert lengths("vs_R2") == [7]  # the only one that he has read
    assert lengths("overall")[:2] == pytest.approx([(1 + 1 + 7) / 3, (1 + 3) / 2])
    assert math.isnan(lengths("overall")[2])  # nothing was found
    assert all(map(judge.judges, ("overall", "all", "vs_DL", "vs_R2")))


def test_rows_of_before_are_not_taken_for_what_readers_say() -> None:
    judge = Judges(readers=READERS, subgroups=("vs_DL",))
    (old,) = [row(0, recist(1), 1)]
    del old["endpoints"]
    with pytest.raises(InputError, match="kept no endpoints"):
        judge.judged([old], "overall")
    with pytest.raises(InputError, match="endpoints are damaged"):
        judge.judged([old | {"endpoints": [[1, 2], "x"]}], "overall")


def test_without_readers_rows_stay_as_they_are() -> None:
    judge = Judges(readers={}, subgroups=("vs_DL", "vs_R1"))
    rows = [row(0, recist(1), 1)]
    assert judge.judged(rows, "overall") is rows
    assert not judge.judges("vs_R1")

"""The papers' rows: figures read off the papers by hand, and what a broken file says."""

from pathlib import Path

import pytest

from dashboards.tables.papers import (
    COLUMNS,
    DATASET_COLUMNS,
    TABLES,
    PaperRow,
    _datasets,
    known_rows,
    masks_table,
    paper_rows,
    rows_by_type,
    shown_rows,
    title_of,
)
from lesions.errors import InputError

GOOD = "pdnet,1,deeplesion_test,all,PDNet,dice,0.924,0.045,fraction"
PAPERS = ("pdnet", "ahrnet", "wsss", "coseg", "stn_shn")


def find(rows: list[PaperRow], method: str, dataset: str) -> PaperRow:
    (row,) = [row for row in rows if (row.method, row.dataset) == (method, dataset)]
    return row


def write(folder: Path, *lines: str) -> Path:
    path = folder / "tables.csv"
    path.write_text("\n".join([",".join(COLUMNS), *lines]) + "\n", encoding="utf-8")
    return path


def test_pdnet_table_1() -> None:
    row = find(shown_rows("pdnet"), "PDNet", "deeplesion_test")
    assert row.metrics == {
        "precision": (0.961, 0.044),
        "recall": (0.898, 0.077),
        "dice": (0.924, 0.045),
        "long_axis_error": (1.733, 1.470),
        "short_axis_error": (1.524, 1.374),
    }
    assert (row.units["dice"], row.units["long_axis_error"]) == ("fraction", "mm")
    assert (row.measured_on, row.lesions) == ("DeepLesion test set", 1000)


def test_pdnet_external_test_set() -> None:
    rows = shown_rows("pdnet")
    assert find(rows, "nnUNet", "external_test").metrics["dice"] == (0.870, 0.054)
    row = find(rows, "PDNet", "external_test")
    assert row.metrics["long_axis_error"] == (2.174, 1.437)
    assert row.lesions == 1350


def test_rows_keep_the_papers_order_and_gaps() -> None:
    rows = shown_rows("pdnet")
    assert [row.method for row in rows] == [
        "Cai et al. (WSSS)", "Tang et al. 2018 (STN+SHN)", "Tang et al. 2020 (one click)",
        "nnUNet", "PDNet", "nnUNet", "PDNet",
    ]  # fmt: skip
    assert set(rows[0].metrics) == {"precision", "recall", "dice"}
    assert set(rows[1].metrics) == {"long_axis_error", "short_axis_error"}


def test_a_part_of_a_data_set_is_named() -> None:
    rows = paper_rows("pdnet", "2")
    row = next(row for row in rows if row.subgroup == "lymph_node" and row.method == "PDNet")
    assert row.metrics["dice"] == (0.876, 0.045)
    assert (row.measured_on, row.lesions) == ("external test set, lymph node", None)


@pytest.mark.parametrize("paper", PAPERS)
def test_every_paper_reads_with_unique_keys(paper: str) -> None:
    rows = paper_rows(paper)
    assert len({row.key for row in rows}) == len(rows) > 0
    assert all(row.metrics.keys() == row.units.keys() for row in rows)
    assert shown_rows(paper)


def test_no_row_is_lost() -> None:
    lines = TABLES.read_text(encoding="utf-8").splitlines()[1:]
    assert sum(len(row.metrics) for paper in PAPERS for row in paper_rows(paper)) == len(lines)


def test_a_missing_deviation_is_none(tmp_path: Path) -> None:
    path = write(tmp_path, "pdnet,text,deeplesion_test,all,nnUNet,dice_stage1,0.857,,fraction")
    assert paper_rows("pdnet", path=path)[0].metrics == {"dice_stage1": (0.857, None)}


def test_the_whole_of_a_test_set_is_shown() -> None:
    rows = shown_rows("stn_shn")
    assert [(row.method, row.subgroup) for row in rows][:3] == [
        ("reader DL", "overall"), ("reader R1", "overall"), ("reader R2", "overall"),
    ]  # fmt: skip
    assert len(rows) == 7
    assert rows[-1].metrics["long_axis_location_error"] == (5.58, 8.25)
    assert {row.dataset for row in shown_rows("wsss")} == {"lymph_node", "deeplesion_test"}


@pytest.mark.parametrize("paper", ["", "resnet"])
def test_a_system_without_a_paper_has_no_rows(paper: str) -> None:
    assert shown_rows(paper) == known_rows(paper) == rows_by_type(paper, ["dice"]) == []
    assert title_of(paper) == paper


@pytest.mark.parametrize(
    ("paper", "metrics", "table"),
    [
        ("pdnet", ["dice"], "2"),
        ("pdnet", ["short_axis_error", "dice"], "2"),
        ("wsss", ["dice", "dice_3d"], "4"),
        ("wsss", ["dice_3d", "dice"], "5"),
        ("wsss", ["own", "recall", "dice"], "4"),
        ("pdnet", ["vs"], None),
        ("ahrnet", ["dice"], None),
        ("stn_shn", ["long_axis_location_error"], None),
    ],
)
def test_the_table_by_lesion_type(paper: str, metrics: list[str], table: str | None) -> None:
    rows = rows_by_type(paper, metrics)
    assert rows == ([] if table is None else paper_rows(paper, table))


def test_every_paper_and_data_set_is_described() -> None:
    rows = [row for paper in PAPERS for row in known_rows(paper)]
    assert all(row.dataset not in row.measured_on for row in rows)
    assert [title_of(paper) for paper in PAPERS] == [
        "PDNet", "AHRNet", "WSSS", "co-segmentation", "STN + SHN",
    ]  # fmt: skip
    assert masks_table() == ("wsss", "1")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("pdnet,here,Here", "3 fields, not 4"),
        ("pdnet,,Here,12", "only lesions may be empty"),
        ("pdnet,here,Here,some", "lesions is no count"),
        ("pdnet,here,Here,-1", "lesions is no count"),
    ],
)
def test_a_bad_row_of_data_sets_is_named(tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "datasets.csv"
    path.write_text("\n".join([",".join(DATASET_COLUMNS), "pdnet,a,A,", line]) + "\n")
    with pytest.raises(InputError, match=f"datasets.csv, row 2: {reason}"):
        _datasets(path)


def test_wrong_names_list_the_choices() -> None:
    with pytest.raises(InputError, match=r"no paper 'pdnett'.*pdnet, .*stn_shn"):
        paper_rows("pdnett")
    with pytest.raises(InputError, match=r"no table '9'.*one of 1, 2, 3, text"):
        paper_rows("pdnet", "9")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (GOOD.replace("0.924", "much"), "mean or std is not a number"),
        (GOOD.replace("0.924", "nan"), "mean or std is not a number"),
        (GOOD.replace("0.045", "-0.045"), "mean or std is not a number"),
        (GOOD.replace("0.924", ""), "only std may be empty"),
        (GOOD.replace("dice", ""), "only std may be empty"),
        (GOOD + ",more", "10 fields, not 9"),
        (GOOD, "dice of PDNet appears twice"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, line: str, reason: str) -> None:
    with pytest.raises(InputError, match=f"tables.csv, row 2: {reason}"):
        paper_rows("pdnet", path=write(tmp_path, GOOD, line))


def test_a_bad_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent.csv: cannot be read"):
        paper_rows("pdnet", path=tmp_path / "absent.csv")
    headless = tmp_path / "headless.csv"
    headless.write_text(GOOD)
    with pytest.raises(InputError, match=r"headless.csv: the header is not"):
        paper_rows("pdnet", path=headless)

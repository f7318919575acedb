"""The worst lesion and shares of lesions, ours beside the paper's: hand-computed."""

import io
import math

import pytest
from rich.console import Console

from dashboards.tables.papers import PaperRow, known_rows, paper_rows
from dashboards.tables.results import Result, summarised
from dashboards.tables.shares import Share, share_cells, share_notes, shares
from dashboards.tables.terminal import text_table

NAMES = ("worst_dice", "fraction_dice_ge_0.80", "fraction_dice_gt_0.85")
PAPER = known_rows("ahrnet")
ROWS = {(row.dataset, row.method): row for row in paper_rows("ahrnet", "1")}
BEST, BASE = (ROWS["deeplesion_test", method] for method in ("AHRNet+RLS", "nnUNet"))
HOLDOUT = ROWS["holdout_test", "AHRNet+RLS"]
ALIKE = [0.9, 0.9, 0.8, 0.8, 0.85, 0.85]


def ours(row: PaperRow, dice: dict[int, list[float]], data: str = "here") -> Result:
    """Lesions of a patient each two."""
    rows = {
        seed: {"": [{"dice": one, "patient": f"p{at // 2}", "file": "a.png", "row": at}
                    for at, one in enumerate(values)]}
        for seed, values in dice.items()
    }  # fmt: skip
    return summarised(row.method, row.subgroup, data, {"dice": ("", "dice")}, rows, NAMES)


def test_ours_stands_beside_the_papers_own_of_its_data_set() -> None:
    result = ours(BEST, {0: [0.9, 0.8, 0.85, 0.3, 0.9, 0.9]})
    worst, least, more, *alone = shares([(BEST, result)], PAPER)
    assert (worst.value, worst.paper, worst.interval) == (0.3, 0.789, None)
    assert (least.value, least.paper) == (pytest.approx(5 / 6), 0.99)
    assert (more.value, more.paper) == (0.5, 0.92)
    # Both of two patients, one of the other: resampled, the share is from 1/2 to 1.
    assert least.interval == (0.5, 1.0)
    assert [(one.method, one.measured_on, one.metric, one.paper, one.value) for one in alone] == [
        ("nnUNet", "DeepLesion test set", "worst_dice", 0.436, None),
        ("AHRNet+RLS", "hold-out test set", "fraction_dice_ge_0.80", 0.9, None),
    ]


def test_each_data_set_has_its_own() -> None:
    pairs = [(row, ours(row, {0: ALIKE}, data)) for row, data in ((BEST, "a"), (HOLDOUT, "b"))]
    found = {(one.measured_on, one.metric): one.paper for one in shares(pairs, PAPER)}
    assert [found["a", name] for name in NAMES] == [0.789, 0.99, 0.92]
    assert [found["b", name] for name in NAMES] == [None, 0.9, None]


def test_a_value_is_the_mean_of_each_seeds() -> None:
    result = ours(BASE, {3: [0.9, 0.8, 0.5, 0.7, 0.6, 0.6], 5: [0.8, 0.8, 0.9, 0.1, 0.6, 0.6]})
    worst, least, more = shares([(BASE, result)], [])
    assert (worst.by_seed, worst.value) == ([0.5, 0.1], pytest.approx(0.3))
    assert (least.by_seed, least.value) == (pytest.approx([1 / 3, 0.5]), pytest.approx(5 / 12))
    # A patient's two lesions reach 0.80 with every seed, another's with none.
    assert least.interval == (0.0, 1.0)
    assert more.by_seed == pytest.approx([1 / 6, 1 / 6])
    assert least.cells == ("0.417", "0.000 … 1.000", "0.333 0.500", "–")
    metrics = result.metrics
    assert metrics["worst_dice"] == pytest.approx(0.3)
    assert (metrics["worst_dice_seed3"], metrics["worst_dice_seed5"]) == (0.5, 0.1)
    assert metrics["fraction_dice_ge_0.80"] == pytest.approx(5 / 12)
    assert metrics["fraction_dice_gt_0.85_seed5"] == pytest.approx(1 / 6)
    assert "worst_dice_std" not in metrics
    assert "worst_dice_seed0" not in ours(BASE, {0: ALIKE}).metrics


def test_a_lesion_without_a_dice_is_left_out_and_said() -> None:
    result = ours(BASE, {0: [0.9, math.nan, 0.5, 0.7], 1: [0.9, 0.1, 0.5, math.nan]})
    worst, least, _ = found = shares([(BASE, result)], [])
    assert worst.by_seed == [0.5, 0.1]
    assert least.by_seed == pytest.approx([1 / 3, 1 / 3])
    assert (
        "nnUNet on here: 2 of 4 lesions have no Dice with one seed or more"
        in list(share_notes(found, [result]))[1]
    )


def test_of_no_lesion_there_is_only_the_papers() -> None:
    for empty in ([], [math.nan, math.nan]):
        result = ours(BASE, {0: empty})
        assert shares([(BASE, result)], []) == []
        assert not any(name in result.metrics for name in NAMES)
        worst = shares([(BASE, result)], PAPER)[0]
        assert (worst.value, worst.paper, worst.interval) == (None, 0.436, None)
        assert worst.cells == ("–", "–", "–", "0.436")


def test_no_interval_where_patients_are_alike_or_there_is_one() -> None:
    for dices in ([0.9, 0.5, 0.9, 0.5, 0.9, 0.5], [0.9, 0.5]):
        _, least, _ = shares([(BASE, ours(BASE, {0: dices}))], [])
        assert (least.value, least.interval) == (0.5, None)


def lines_of(found: list[Share], width: int) -> list[str]:
    out = io.StringIO()
    table = text_table("Of the lesions", *share_cells(found), words=2)
    Console(file=out, width=width).print(table)
    return out.getvalue().splitlines()


def test_the_terminal_at_80_columns() -> None:
    seeds = {seed: [0.9, 0.8, 0.85, 0.3, 0.9, 0.95] for seed in (0, 1, 2)}
    pairs = [(row, ours(row, seeds, data)) for row, data in ((BEST, "sample"), (HOLDOUT, "liver"))]
    lines = lines_of(shares(pairs, PAPER), 80)
    assert max(map(len, lines)) <= 80
    assert lines[2].split() == ["Method", "Of", "lesions", "Ours", "95%", "interval", "Each",
                                "seed", "Paper"]  # fmt: skip
    shown = " ".join(" ".join(lines).split())
    for words in ("AHRNet+RLS (sample) Worst Dice 0.300 –", "Dice ≥ 0.80 0.833 0.500 … 1.000",
                  "AHRNet+RLS (liver)", "nnUNet (DeepLesion"):  # fmt: skip
        assert all(word in shown for word in words.split()), words
    (worst,) = (line for line in lines if "0.789" in line)
    assert worst.split()[:5] == ["AHRNet+RLS", "Worst", "Dice", "0.300", "–"]
    alone = lines_of(shares([(BEST, ours(BEST, {0: ALIKE}))], PAPER), 80)
    assert any(line.split()[:4] == ["AHRNet+RLS", "Worst", "Dice", "0.800"] for line in alone)
    assert any("0.436" in line and "DeepLesion" in line for line in alone)

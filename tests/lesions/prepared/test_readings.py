"""Readings in a prepared set: the source's, renewed when they change, refused when damaged."""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lesions import InputError
from lesions.prepared import PreparedSet
from lesions.prepared.manifest import write_manifest
from lesions.prepared.preparing import Plan
from lesions.prepared.readings import FILE, SCHEMA
from lesions.readers.deeplesion import TABLE, read_table
from lesions.readers.readings import COLUMNS, READERS
from lesions.sample import ROOT as SAMPLE
from tests.lesions.prepared.small_set import change_manifest, small_set


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Of a set of two lesions, whose first Ann and Bob have read."""
    source = tmp_path / "source"
    source.mkdir()
    shutil.copy(SAMPLE / TABLE, source / TABLE)
    name = read_table(SAMPLE)[0].fields["File_name"]
    rows = [f"{name},1,{who},10.5,12.5,20.5,12.5,15.5,8.5,15.5,16.5" for who in ("Bob", "Ann")]
    rows.append(rows[0].replace(",1,", ",2,"))  # the row that was rejected
    (source / READERS).write_text("\n".join([",".join(COLUMNS), *rows]))
    return Plan(source=source, out=small_set(tmp_path / "set"), masks=("ellipse",))


def test_a_set_has_its_sources_readings(plan: Plan) -> None:
    manifest = write_manifest(plan, 3, 1)
    assert manifest["readings"]["readers"] == {"Ann": 1, "Bob": 1}
    assert manifest["readings"]["aside"] == {"of a lesion that the set does not have": 1}
    lesions = PreparedSet(plan.out)
    assert lesions.readers == ["Ann", "Bob"]
    first, second = lesions
    assert sorted(first.readings) == ["Ann", "Bob"]
    assert first.readings["Ann"].points[0].tolist() == [10, 12]
    assert second.readings == {}


def test_readings_are_no_part_of_the_fingerprint_and_can_change(plan: Plan) -> None:
    before = write_manifest(plan, 3, 1)
    assert PreparedSet(plan.out)[0].readings["Ann"].points[1, 0] == 20
    assert isinstance(plan.source, Path)
    table = plan.source / READERS
    table.write_text(table.read_text().replace("20.5", "21.5"))
    after = write_manifest(plan, 3, 1)
    assert before["fingerprint"] == after["fingerprint"]
    assert before["readings"]["digest"] != after["readings"]["digest"]
    assert PreparedSet(plan.out)[0].readings["Ann"].points[1, 0] == 21
    table.unlink()
    assert "readings" not in write_manifest(plan, 3, 1)
    assert PreparedSet(plan.out)[0].readings == {}


def row(**values: object) -> dict[str, object]:
    return {"row": 1, "reader": "Ann", "recist": [1.0, 1, 5, 1, 3, 0, 3, 4]} | values


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([row(row=9), row()], "not in the order"),
        ([row(recist=[1.0, 1, 1, 1, 3, 0, 3, 4])], "a reading is no RECIST"),
        ([row(recist=[float("nan"), 1, 5, 1, 3, 0, 3, 4])], "a reading is no RECIST"),
        ([row(reader=None)], "lacks its row, reader"),
    ],
)
def test_damaged_readings_are_refused(
    plan: Plan, rows: list[dict[str, object]], reason: str
) -> None:
    write_manifest(plan, 3, 1)
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), plan.out / FILE)
    with pytest.raises(InputError, match=reason):
        PreparedSet(plan.out)[0]


def test_readings_that_are_gone_are_refused(plan: Plan) -> None:
    write_manifest(plan, 3, 1)
    (plan.out / FILE).unlink()
    with pytest.raises(InputError, match="No such file"):
        PreparedSet(plan.out)[0]


@pytest.mark.parametrize(
    "said",
    [[], {}, {"readers": {"Ann": 1}}, {"readers": {"../x": 1}, "digest": ""},
     {"readers": {f"R{at}": 1 for at in range(101)}, "digest": ""}],
)  # fmt: skip
def test_a_manifest_that_lies_of_readings_is_refused(tmp_path: Path, said: object) -> None:
    root = small_set(tmp_path)
    change_manifest(root, readings=said)
    with pytest.raises(InputError):
        PreparedSet(root)
    assert json.loads((root / "manifest.json").read_text())["readings"] == said

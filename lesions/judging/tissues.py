"""What the lesions of a phantom are made of, as its `phantom.csv` says."""

from pathlib import Path

from lesions.judging.measuring import Key
from lesions.phantom.plan import FACTS
from lesions.readers.csv_rows import read_csv


def tissues_of(root: Path) -> dict[Key, str]:
    """By file and row: tissue and host, as "rim in muscle"; empty where there is no such table.

    Raises:
        InputError: it is there and cannot be read.
    """
    if not (root / FACTS).exists():
        return {}
    columns, records = read_csv(root / FACTS)
    rows = [dict(zip(columns, record.cells, strict=False)) for record in records]
    return {
        (row["File_name"], int(row["row"])): f"{row['tissue']} in {row['host']}".replace("_", " ")
        for row in rows
        if {"File_name", "row", "tissue", "host"} <= row.keys() and row["row"].isdecimal()
    }

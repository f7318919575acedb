"""A phantom made by one process."""

import csv
from pathlib import Path

from lesions.phantom.making import claim, gather, make_patients
from lesions.phantom.plan import PhantomPlan


def items_of(plan: PhantomPlan) -> list[dict[str, int]]:
    """What `make_patients` is given of a plan."""
    return [
        {"patient": number, "lesions": count} for number, count in enumerate(plan.patients(), 1)
    ]


def made(plan: PhantomPlan) -> Path:
    """The folder of a whole data set."""
    claim(plan)
    items = items_of(plan)
    assert [one["error"] for one in make_patients(items, plan)] == [""] * len(items)
    gather(plan, len(items))
    return plan.out


def table(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))

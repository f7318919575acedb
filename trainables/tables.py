"""A paper's table as data: which configs make its rows, and which of our numbers its columns."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(frozen=True, kw_only=True)
class PaperTable:
    """What `platform.reproduce` trains and measures for one table of a paper.

    A row is as many trainings as the table has parts, such as two stages; rows may share one.

    Attributes:
        number: as in `dashboards/tables/tables.csv`, "3".
        rows: the variant that makes each part of a row, by the row's method in `tables.csv`.
        parts: each training's changes to the variant's config, by the part's name.
        columns: (part, metric of ours), by the column's metric in `tables.csv`.
        together: the parts that answer in order, as one; by a name that `columns` may have for
            a part.
        by_type: whether every method has a row for each lesion type.
        readers: where several people judge, the subgroups of its rows that are one's judgement: the
            first that of the data set's own marks. The others are overall.
        of_lesions: what is told of the lesions one by one, by its name in `tables.csv`: the lowest,
            `worst_dice`, or a share of them, `fraction_dice_ge_0.80` of Dice ≥ 0.80 and
            `fraction_dice_gt_0.85` of Dice > 0.85. What the name has in its middle is one of
            `columns`, of which more is better; its cumulative histogram is drawn. The paper's own
            value may stand in another of its tables, as "text" or "fig4".
        note: what sets ours apart from the paper's protocol, for those who read the result.
    """

    number: str
    rows: Mapping[str, Mapping[str, str]]
    parts: Mapping[str, Mapping[str, Any]]
    columns: Mapping[str, tuple[str, str]]
    together: Mapping[str, Sequence[str]] = field(default_factory=dict)
    by_type: bool = False
    readers: Sequence[str] = ()
    of_lesions: Sequence[str] = ()
    note: str = ""

    @classmethod
    def of_one_part(cls, number: str, methods: Mapping[str, str], **more: Any) -> Self:
        """The table of a system that is one thing.

        Args:
            number: its own.
            methods: the variant that makes a row, by its method.
            more: of the other fields.
        """
        rows = {method: {"": variant} for method, variant in methods.items()}
        return cls(number=number, rows=rows, parts={"": {}}, **more)

    @property
    def trainings(self) -> list[tuple[str, str]]:
        """Each (variant, part) once, in the order of the rows."""
        pairs = [(variant, part) for row in self.rows.values() for part, variant in row.items()]
        return list(dict.fromkeys(pairs))

    @property
    def measured(self) -> Iterator[tuple[str, Sequence[str]]]:
        """What the columns ask for: a part by itself, or some together; (name, parts)."""
        for name in dict.fromkeys(part for part, _ in self.columns.values()):
            yield name, self.together.get(name, (name,))

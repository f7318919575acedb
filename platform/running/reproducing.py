"""A paper's table being reproduced: its trainings with each seed, and the rows that they make."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dashboards.tables.papers import PaperRow, known_rows
from lesions import InputError
from lesions.prepared import PreparedSet
from platform.running.datasets import Data
from platform.running.plans import Planned
from platform.running.readings import Judges, readers_of
from platform.running.training import Training
from trainables.configs import edited
from trainables.registry import find_table, find_variant
from trainables.tables import PaperTable

EXTERNAL = "external_test"


@dataclass(frozen=True, kw_only=True)
class Reproducing(Planned):
    """One table being reproduced; its own fields are those of its options."""

    place = "reproductions"
    file = "reproduction.json"
    may_change = Planned.may_change | {"cpus_per_worker"}
    may_come = frozenset({"seeds", "external"})

    table: str
    workers: int
    cpus_per_worker: float
    external: Path | None = None
    pictures: bool = True
    seeds: tuple[int, ...] = ()

    @property
    def contents(self) -> PaperTable:
        """The rows, parts and columns."""
        return find_table(self.table)[1]

    @property
    def paper_rows(self) -> list[PaperRow]:
        """The paper's own rows, then those of the table that the paper lacks, without figures."""
        table = self.contents
        rows = [row for row in known_rows(self.system.paper) if row.table == table.number]
        named = {row.method for row in rows}
        return rows + [
            PaperRow(
                paper="", table=table.number, dataset="", subgroup="all", method=method,
                metrics={}, units={},
            )
            for method in table.rows
            if method not in named
        ]  # fmt: skip

    @property
    def every_seed(self) -> tuple[int, ...]:
        """With which it is trained; the config's own where none were given."""
        return self.seeds or (self.config.training.seed,)

    def seeds_with(self, given: Sequence[int]) -> tuple[int, ...]:
        """Its seeds, and those of `given` that are new; InputError where `given` lacks one."""
        if not given:
            return self.seeds
        if lacking := [seed for seed in self.every_seed if seed not in given]:
            raise InputError(
                f"{self.name} is trained with the seed {lacking[0]}, which --seeds lacks",
                remedy=f"begin with --seeds {' '.join(map(str, self.every_seed))}, and add more",
            )
        return (*self.every_seed, *(seed for seed in given if seed not in self.every_seed))

    def trainings(self, seed: int) -> list[Training]:
        """All of the table with one seed."""
        return [self.training(*pair, seed) for pair in self.contents.trainings]

    def training(self, variant: str, part: str, seed: int) -> Training:
        """The training of one part of a row; its name says a seed that is not the config's."""
        config = find_variant(self.system, variant)(self.config)
        name = f"{variant}-{part}" if part else variant
        if seed != self.config.training.seed:
            name = f"{name}-seed{seed}"
        return Training(
            name=name,
            folder=self.folder / name,
            system=self.system,
            preset=self.preset,
            config=edited(config, {**self.contents.parts[part], "training.seed": seed}),
            data=self.data,
            workers=self.workers,
            cpus_per_worker=self.cpus_per_worker,
            parts=self.parts,
            pictures=self.pictures,
        )

    def judges(self, external: Data | None) -> dict[Path, Judges]:
        """Who judges on each set that is measured on, by its folder."""
        sets = [self.data, *([external] if external else [])]
        subgroups = self.contents.readers
        return {
            data.root: Judges(
                readers=readers_of(PreparedSet(data.root, "test")) if subgroups else {},
                subgroups=subgroups,
            )
            for data in sets
        }

    def rows(self, external: Data | None) -> Iterator[tuple[PaperRow, Data]]:
        """The paper's rows that have ours beside them, and what ours is measured on; each once."""
        done = set()
        for row in self.paper_rows:
            data = external if external and row.dataset == EXTERNAL else self.data
            key = (row.method, row.subgroup, data.root)
            if row.method in self.contents.rows and key not in done:
                done.add(key)
                yield row, data

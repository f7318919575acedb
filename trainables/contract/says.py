"""What a system says of itself: names, presets, parts, variants, tables, a search space."""

import json
import re
from dataclasses import FrozenInstanceError, fields, is_dataclass
from typing import Any

import pytest

from lesions.metrics.shares import of_lesions
from lesions.names import check_name
from lesions.prompts import PROMPTS
from trainables.configs import edited, flatten
from trainables.contract.asked import Asked
from trainables.paper import paper_values
from trainables.roles import Searches
from trainables.training import TrainingConfig

WORD = "[A-Za-z0-9_]+"


class Says(Asked):
    """The part of the contract that needs no training."""

    def test_its_names(self) -> None:
        """It is called in letters, digits and _, and so are its parts."""
        assert re.fullmatch(WORD, self.system.name)
        assert self.system.title
        assert [part for part in self.system.parts if not re.fullmatch(WORD, part)] == []
        assert self.system.prompt in PROMPTS.values()

    def test_presets_are_configs(self) -> None:
        """There are "paper" and "tiny", of one type."""
        presets = self.system.presets()
        assert {"paper", "tiny"} <= set(presets)
        for make in presets.values():
            check_config(make())
            assert type(make()) is type(presets["paper"]())
            assert self.system.recipe(make())

    def test_parts_are_made_by_the_fields_that_they_name(self) -> None:
        """Whatever else the config says; a system without parts is part ""."""
        for make in self.system.presets().values():
            for part, changes in self.system.parts.items():
                assert self.system.part(edited(make(), changes)) == part
            if not self.system.parts:
                assert self.system.part(make()) == ""

    def test_variants_make_whole_configs(self) -> None:
        """From any preset's, and each has a recipe and a name for tables."""
        for name, variant in self.system.variants().items():
            check_name(name)
            for make in self.system.presets().values():
                config = variant(make())
                assert type(config) is type(make()), name
                check_config(config)
                assert self.system.recipe(config), name
                assert self.system.method(config), name

    def test_tables_name_what_there_is(self) -> None:
        """Variants, parts, fields of the config and metrics that are reported."""
        variants, config = self.system.variants(), self.system.presets()["tiny"]()
        for number, table in self.system.tables().items():
            assert table.number == number
            for method, row in table.rows.items():
                assert set(row) == set(table.parts), method
                assert set(row.values()) <= set(variants), method
            for part, changes in table.parts.items():
                check_config(edited(config, changes))
                assert not self.system.parts or part in self.system.parts
            for part, metric in table.columns.values():
                assert part in {*table.parts, *table.together}
                assert metric in self.system.reported
            for name in table.of_lesions:
                assert (told := of_lesions(name)) is not None, name
                assert told.metric in table.columns
            for parts in table.together.values():
                assert set(parts) <= set(table.parts)

    def test_its_search_space_names_fields(self) -> None:
        """Those that the config has, with the paper's values inside of the ranges."""
        space: Any = self.space or self.system
        if not isinstance(space, Searches):
            pytest.skip("it has no search space")
        for config in self.configs():
            ranges = space.space(config)
            paper = paper_values(self.system, config, ranges)
            for values in (paper, *getattr(space, "first", lambda config: ())(config)):
                assert set(values) <= set(ranges)
                check_config(edited(config, values))
                for name, value in values.items():
                    assert is_within(value, ranges[name]), f"{name} is {value}: {ranges[name]}"


def check_config(config: Any) -> None:
    """A config is frozen, says how it is trained, and goes through JSON and back."""
    assert is_dataclass(config)
    with pytest.raises(FrozenInstanceError):
        config.pseudo_mask = ""  # type: ignore[union-attr]
    flat = flatten(config)
    assert isinstance(flat["pseudo_mask"], str)
    assert {f"training.{field.name}" for field in fields(TrainingConfig)} <= set(flat)
    assert edited(config, json.loads(json.dumps(flat))) == config


def is_within(value: Any, distribution: Any) -> bool:
    """Whether a distribution of Optuna's has this value: one of its choices, or in its range."""
    if (choices := getattr(distribution, "choices", None)) is not None:
        return value in choices
    return bool(distribution.low <= value <= distribution.high)

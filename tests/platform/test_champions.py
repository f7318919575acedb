"""Which version of a model is its champion, over a real SQLite store: by figure, on equal data."""

import json
import re
from pathlib import Path

import pytest

from lesions import InputError
from platform.tracking.champions import DATA, JUDGED_BY, takes_over
from platform.tracking.store import Store
from tests.discs import Checkpoints
from tests.platform.conftest import command
from tests.platform.registered import champion, scored, trained
from trainables.checkpoint import RUN
from trainables.registry import named_system

DICE, ERROR = "lesion.val_dice", "lesion.val_long_axis_error"


def test_a_version_says_what_it_is(store: Store, two_checkpoints: Checkpoints) -> None:
    run_id = trained(store, "one", two_checkpoints[1])
    (version,) = store.client.search_model_versions("name = 'pdnet-stage2'")
    assert (version.run_id, version.source) == (run_id, f"runs:/{run_id}/best")
    wanted = {"lesion.system": "pdnet", "lesion.part": "stage2", "lesion.preset": "tiny",
              DATA: "a" * 64, "lesion.git_commit": "c0ffee", "lesion.best_epoch": "1",
              "lesion.epochs": "16", "config.model.features": "8"}  # fmt: skip
    assert {name: version.tags.get(name) for name in wanted} == wanted
    assert (version.tags["lesion.merit"], version.tags["lesion.better"]) == ("dice", "higher")
    assert float(version.tags[DICE]) == 0.0
    logged = {item.path for item in store.client.list_artifacts(run_id, "best")}
    assert logged == {"best/best.pt", "best/run.json", "best/config.json"}


def test_a_run_is_registered_once_and_a_name_may_be_given(
    store: Store, two_checkpoints: Checkpoints, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        trained(store, "one", two_checkpoints[0], register_as="liver")
    trained(store, "two", two_checkpoints[0], register_as="")
    (model,) = store.client.search_registered_models()
    assert model.name == "liver-stage1"
    assert len(store.client.search_model_versions("name = 'liver-stage1'")) == 1
    assert capsys.readouterr().out == "registered liver-stage1:1, the champion: the first version\n"


def test_a_version_that_a_kill_left_unjudged_is_judged(
    store: Store, two_checkpoints: Checkpoints
) -> None:
    trained(store, "one", two_checkpoints[0])
    store.client.delete_registered_model_alias("pdnet-stage1", "champion")
    trained(store, "one", two_checkpoints[0])
    assert not store.client.get_registered_model("pdnet-stage1").aliases, "the user took it away"
    store.client.delete_model_version_tag("pdnet-stage1", "1", "lesion.verdict")
    trained(store, "one", two_checkpoints[0])
    assert champion(store, "pdnet-stage1") == "1"


HERE = {DATA: "a", JUDGED_BY: "human masks"}
MM = {**HERE, "lesion.merit": "long_axis_error", "lesion.better": "lower"}
NO_DICE = ("oops", "nan", "inf", "1e999", "", "7.5", "9" * 400, "\x1b[2J", "0,8")


@pytest.mark.parametrize(
    ("tags", "champions", "wanted"),
    [
        ({**HERE, DICE: "0.8"}, {**HERE, DICE: "0.7"}, True),
        ({**HERE, DICE: "0.7"}, {**HERE, DICE: "0.7"}, False),
        ({**HERE, DICE: "0.6"}, {**HERE, DICE: "0.7"}, False),
        ({**HERE, DATA: "b", DICE: "0.9"}, {**HERE, DICE: "0.7"}, None),
        ({**HERE, JUDGED_BY: "snakes", DICE: "0.9"}, {**HERE, DICE: "0.7"}, None),
        ({**HERE, DICE: "0.9"}, {}, None),
        ({DICE: "0.9"}, {DICE: "0.7"}, None),
        # A Dice that is none never wins, and never stands in the way.
        *(({**HERE, DICE: text}, {**HERE, DICE: "0.7"}, False) for text in NO_DICE),
        *(({**HERE, DICE: "0.1"}, {**HERE, DICE: text}, True) for text in NO_DICE),
        *(({**HERE, DICE: text}, {**HERE, DICE: text}, False) for text in NO_DICE),
        (HERE, {**HERE, DICE: "0.7"}, False),
        ({**HERE, DICE: "0.1"}, HERE, True),
        # By an error less is better, and it is compared with no other figure.
        ({**MM, ERROR: "2.5"}, {**MM, ERROR: "3"}, True),
        ({**MM, ERROR: "3"}, {**MM, ERROR: "3"}, False),
        ({**MM, ERROR: "30.5"}, {**MM, ERROR: "3"}, False),
        ({**MM, ERROR: "-1"}, {**MM, ERROR: "3"}, False),
        ({**MM, ERROR: "30"}, {**MM, ERROR: "-1"}, True),
        ({**MM, ERROR: "0.1"}, {**HERE, DICE: "0.7"}, None),
        ({**HERE, DICE: "0.7"}, {**MM, ERROR: "0.1"}, None),
        ({**MM, ERROR: "2"}, {**MM, "lesion.better": "higher", ERROR: "1"}, None),
        ({**MM, "lesion.merit": "dice\x1b[2J", DICE: "0.8"}, {**HERE, DICE: "0.7"}, True),
    ],
)
def test_who_is_the_champion(
    tags: dict[str, str], champions: dict[str, str], wanted: bool | None
) -> None:
    assert takes_over(tags, champions) is wanted


def test_champions_follow_the_dice_and_never_other_data_in_silence(
    store: Store,
    storage: Path,
    tmp_path: Path,
    two_checkpoints: Checkpoints,
    capsys: pytest.CaptureFixture[str],
) -> None:
    holders = []
    for number, (dice, data) in enumerate([(0.5, "a"), (0.4, "a"), (0.6, "a"), (0.9, "b")], 1):
        checkpoint = scored(two_checkpoints[1], dice, tmp_path / str(number))
        trained(store, str(number), checkpoint, data=data)
        holders.append(champion(store, "pdnet-stage2"))
    assert holders == ["1", "1", "3", "3"]
    said = capsys.readouterr().out.splitlines()
    assert said == [
        "registered pdnet-stage2:1, the champion: the first version",
        "registered pdnet-stage2:2, not better than the champion pdnet-stage2:1 in validation "
        "Dice, 0.400 against 0.500",
        "registered pdnet-stage2:3, the champion: better than pdnet-stage2:1 in validation Dice, "
        "0.600 against 0.500",
        "registered pdnet-stage2:4, other data than the champion pdnet-stage2:3 had, which "
        "therefore stays (choose in MLflow, or: "
        "python -m platform.models --champion pdnet-stage2:4)",
    ]
    assert command("models", "--storage", storage, "--champion", "pdnet-stage2:4") == 0
    assert champion(store, "pdnet-stage2") == "4"
    shown = capsys.readouterr().out
    assert "pdnet-stage2@champion is pdnet-stage2:4 now" in shown
    assert re.search(r"pdnet-stage2:4 +champion +Dice 0\.900", shown)
    assert re.search(r"pdnet-stage2:3 +Dice 0\.600", shown)
    assert command("models", "--storage", storage, "--champion", "pdnet-stage2:9") == 2
    assert "has no version '9' (it has @champion = 4; versions 4, 3, 2, 1)" in (
        capsys.readouterr().err
    )
    assert command("models", "--storage", storage, "--champion", "pdnet-stage2") == 2


def test_a_champion_whose_dice_is_none_is_named_and_never_stands_in_the_way(
    store: Store,
    storage: Path,
    tmp_path: Path,
    two_checkpoints: Checkpoints,
    capsys: pytest.CaptureFixture[str],
) -> None:
    holders = []
    foreign = {1: "nan", 2: "oops\x1b[2J"}  # what another hand makes of the tag
    for number, dice in enumerate((0.6, 0.5, 0.4, 0.3), 1):
        trained(store, str(number), scored(two_checkpoints[1], dice, tmp_path / str(number)))
        holders.append(champion(store, "pdnet-stage2"))
        if number in foreign:
            store.client.set_model_version_tag("pdnet-stage2", str(number), DICE, foreign[number])
    assert holders == ["1", "2", "3", "3"]
    assert capsys.readouterr().out.splitlines() == [
        "registered pdnet-stage2:1, the champion: the first version",
        "registered pdnet-stage2:2, the champion: the validation Dice of pdnet-stage2:1, which "
        "was, is 'nan', no Dice",
        "registered pdnet-stage2:3, the champion: the validation Dice of pdnet-stage2:2, which "
        "was, is 'oops?[2J', no Dice",
        "registered pdnet-stage2:4, not better than the champion pdnet-stage2:3 in validation "
        "Dice, 0.300 against 0.400",
    ]
    with pytest.raises(InputError, match=r"its epoch or its value is no such number"):
        trained(store, "nan", scored(two_checkpoints[1], float("nan"), tmp_path / "nan"))
    assert command("models", "--storage", storage) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "oops?[2J" in shown


def test_of_errors_the_smallest_is_the_champion(
    store: Store,
    tmp_path: Path,
    two_checkpoints: Checkpoints,
    named_anew: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    named_system("tests.platform.made:Millimetres")
    holders = []
    for number, error in enumerate((4.0, 5.0, 3.0), 1):
        checkpoint = scored(two_checkpoints[1], error, tmp_path / str(number))
        run = json.loads((checkpoint / RUN).read_text())
        (checkpoint / RUN).write_text(json.dumps(run | {"system": "millimetres"}))
        trained(store, str(number), checkpoint)
        holders.append(champion(store, "millimetres-stage2"))
    assert holders == ["1", "1", "3"]
    assert capsys.readouterr().out.splitlines()[1:] == [
        "registered millimetres-stage2:2, not better than the champion millimetres-stage2:1 in "
        "validation long axis error, 5.000 against 4.000",
        "registered millimetres-stage2:3, the champion: better than millimetres-stage2:1 in "
        "validation long axis error, 3.000 against 4.000",
    ]
    tags = store.client.get_model_version("millimetres-stage2", "3").tags
    assert (tags[ERROR], tags["lesion.better"]) == ("3.0", "lower")
    assert DICE not in tags


def test_another_figure_than_the_champions_is_said(
    store: Store,
    tmp_path: Path,
    two_checkpoints: Checkpoints,
    capsys: pytest.CaptureFixture[str],
) -> None:
    trained(store, "1", scored(two_checkpoints[1], 0.5, tmp_path / "1"))
    for name, text in {"lesion.merit": "vs", "lesion.val_vs": "0.9"}.items():
        store.client.set_model_version_tag("pdnet-stage2", "1", name, text)
    trained(store, "2", scored(two_checkpoints[1], 0.6, tmp_path / "2"))
    assert champion(store, "pdnet-stage2") == "1"
    said = capsys.readouterr().out.splitlines()[1]
    assert said.startswith(
        "registered pdnet-stage2:2, judged by another figure than the champion pdnet-stage2:1 had"
    )

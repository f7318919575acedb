"""A running sweep is told from another shell; what is no order is said and taken away."""

import json
import time
from datetime import datetime
from pathlib import Path

import pytest

from lesions import InputError
from platform.running.driving import driving
from platform.steer import SteerOptions, steer
from platform.tuning.course import Course
from platform.tuning.orders import FILE, Order, Orders, TimeOverError, duration, seconds_until
from platform.tuning.progress import Progress, cost_words, in_words
from platform.tuning.sweeps import Room
from tests.platform.driven import opened, train

ROOM = Room(worker={"CPU": 2.0, "GPU": 0.5}, workers=1, concurrent=2)


def orders_of(tmp_path: Path) -> Orders:
    trials = opened(tmp_path / "sweeps" / "night")
    return Orders(folder=trials.place.folder, course=Course(trials=trials, concurrent=2))


def told(orders: Orders) -> None:
    orders.looked = 0.0
    orders.look()


def test_orders_are_obeyed_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    orders = orders_of(tmp_path)
    Order(concurrent=5, last=True).give(orders.folder)
    told(orders)
    assert (orders.course.concurrent, orders.course.ending) == (5, True)
    assert not (orders.folder / FILE).exists()
    said = "told from another shell: 5 trials at a time, no further trial begins"
    assert said in capsys.readouterr().out
    Order(seconds=0.0).give(orders.folder)
    with pytest.raises(TimeOverError):
        told(orders)


def test_a_budget_is_counted_by_a_clock_that_never_goes_back(tmp_path: Path) -> None:
    orders = orders_of(tmp_path)
    orders.deadline = time.monotonic() + 60
    told(orders)
    orders.deadline = time.monotonic() - 0.001
    with pytest.raises(TimeOverError):
        told(orders)


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"concurrent": "5"}', '{"concurrent": true}', '{"concurrent": 0}',
     '{"seconds": -1}', '{"seconds": NaN}', '{"kill": 9}', '{"last": 1}', '{"x": "' + "y" * 9999],
)  # fmt: skip
def test_what_is_no_order_is_said_and_taken_away(
    tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    orders = orders_of(tmp_path)
    (orders.folder / FILE).write_text(content)
    told(orders)
    assert orders.course.concurrent == 2
    assert orders.deadline is None
    assert "cannot be read" in capsys.readouterr().out
    assert not (orders.folder / FILE).exists()


def test_the_command_tells_a_sweep_that_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = orders_of(tmp_path).folder
    options = SteerOptions(name="night", concurrent=3, storage=tmp_path)
    with pytest.raises(InputError, match="no sweep 'night' is running"):
        steer(options)
    with driving(folder):
        steer(options)
    assert json.loads((folder / FILE).read_text())["concurrent"] == 3
    assert "told night, which process" in capsys.readouterr().out
    for wrong in (
        SteerOptions(name="night", storage=tmp_path),
        SteerOptions(name="../up", last=True, storage=tmp_path),
        SteerOptions(name="night", until="18:00", budget="1h", storage=tmp_path),
        SteerOptions(name="night", concurrent=0, storage=tmp_path),
    ):
        with pytest.raises(InputError):
            steer(wrong)


def test_durations_and_times_of_day() -> None:
    assert [duration(word) for word in ("90s", "30m", "1.5h", "2d")] == [90, 1800, 5400, 172800]
    for wrong in ("", "8", "h", "-1h", "8 h", "1h30m", "nan h", "infh"):
        with pytest.raises(InputError, match="is no duration"):
            duration(wrong)

    def at_half_past_five() -> datetime:
        return datetime(2026, 11, 27, 17, 30)

    assert seconds_until("18:00", at_half_past_five) == 1800
    assert seconds_until("17:30", at_half_past_five) == 86400, "the next time"
    assert seconds_until("6:00", at_half_past_five) == 12.5 * 3600
    for wrong in ("18", "25:00", "18:61", "noon", "18:00:00"):
        with pytest.raises(InputError, match="is no time of day"):
            seconds_until(wrong)


def test_progress_says_what_runs_what_is_best_and_how_long(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    orders = orders_of(tmp_path)
    course = orders.course
    progress = Progress(course=course, room=ROOM)
    assert progress.line() == "  none runs"
    first, second = course.trials.take(), course.trials.take()
    assert first is not None
    assert second is not None
    course.running = {"a": first, "b": second}
    train(course.trials, first, tmp_path)
    train(course.trials, second, tmp_path, until=2)
    del course.running["a"]
    course.trials.end(first, "finished")
    progress.ended(first)
    said = capsys.readouterr().out
    assert "a whole trial trains 3 s: with none stopped early, 0.005 core-hours" in said
    line = progress.line()
    assert "trial 1 epoch 2/3; best so far 0.030 Dice (trial 0); about " in line
    progress.said_at = 0.0
    progress.look()
    progress.said_at = 0.0
    progress.look()
    assert capsys.readouterr().out.count("best so far") == 1, "no news is not said again"


def test_cost_and_time_in_words() -> None:
    assert cost_words(3600, {"CPU": 2.0, "GPU": 0.0}) == "2 core-hours"
    assert cost_words(1800, {"CPU": 2.0, "GPU": 0.5}) == "1 core-hours and 0.25 GPU-hours"
    assert [in_words(s) for s in (4.2, 75, 700, 3725, 36000, 200000)] == [
        "4 s", "1 min 15 s", "11 min", "1 h 2 min", "10 h", "55 h",
    ]  # fmt: skip

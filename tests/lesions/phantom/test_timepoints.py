"""Made patients over time: known growth, lesions that come and go, noise that is new each time."""

from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest

from lesions.phantom.backgrounds import read_scan
from lesions.phantom.courses import LARGEST, SMALLEST, Course, draw_course
from lesions.phantom.noise import neighbours_of
from lesions.phantom.plan import PhantomPlan
from lesions.phantom.visits import SHIFT_SLICES, Visit, draw_visits, seen
from lesions.readers.deeplesion import read_deeplesion
from lesions.readers.nifti import read_nifti
from tests.lesions.phantom.made import made, table
from tests.lesions.phantom.torso import SPACING, write_torso

LESIONS, TIMES, DEPTH = 12, 4, 20


def test_a_course_says_what_became_of_a_lesion() -> None:
    course = Course(factors=(0.0, 1.0, 2.5, 0.0))
    assert (course.first, course.largest) == (1, 2.5)
    seen_at = [course.status(time, there=factor > 0) for time, factor in enumerate(course.factors)]
    assert seen_at == ["not yet", "new", "present", "vanished"]
    assert course.status(2, there=False) == "vanished"  # too small to be marked
    assert Course(factors=(1.0, 1.0)).status(0, there=True) == "present"


def test_courses_follow_the_trend_within_bounds() -> None:
    random = np.random.default_rng(0)
    growing = [draw_course(3, 0.3, random, lasting=True).factors for _ in range(400)]
    assert np.log([one[1] for one in growing]).mean() == pytest.approx(0.3, abs=0.05)
    assert np.log([one[1] for one in growing]).std() == pytest.approx(0.25, abs=0.03)
    long = [draw_course(24, trend, random) for trend in (1.0, -1.0) for _ in range(50)]
    for course in long:
        there = [factor for factor in course.factors if factor]
        assert SMALLEST <= min(there) <= max(there) <= LARGEST
        assert course.factors[len(there) :] == (0.0,) * (24 - len(there))  # gone for good
    gone = [draw_course(2, 0.0, random).factors[1] == 0 for _ in range(2000)]
    assert np.mean(gone) == pytest.approx(0.08, abs=0.02)
    assert draw_course(4, 0.0, random, 2).factors[:3] == (0.0, 0.0, 1.0)


def test_visits_are_moved_against_the_first() -> None:
    random = np.random.default_rng(1)
    assert draw_visits(1, SPACING, random) == [Visit()]
    first, *others = draw_visits(24, SPACING, random)
    assert (first.shift, first.raised) == ((0.0, 0.0), SHIFT_SLICES)
    assert {one.raised for one in others} == set(range(2 * SHIFT_SLICES + 1))
    assert np.abs([one.shift for one in others]).max() <= 2.5  # 5 mm of 2 mm pixels


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_torso(tmp_path_factory.mktemp("torso") / "a.nii.gz", 0, DEPTH)


def test_noise_is_new_at_each_visit_and_as_strong(scan: Path) -> None:
    slices = range(8)  # with the liver, of 100 HU
    random = np.random.default_rng(2)
    visits = [seen(scan, slices, Visit(raised=2), random) for _ in range(2)]
    liver = slice(80, 105), slice(60, 85)
    noise = [one[(slice(None), *liver)] - 100.0 for one in (read_scan(scan).hu[:8], *visits)]
    assert np.std(noise[1]) == pytest.approx(np.std(noise[0]), rel=0.1)
    assert np.mean(noise[1]) == pytest.approx(0, abs=1)
    alike = np.corrcoef([one.ravel() for one in noise])
    assert abs(alike[1, 2]) < 0.1
    assert abs(alike[0, 1]) < 0.3
    assert neighbours_of(visits[0]) == pytest.approx(neighbours_of(read_scan(scan).hu), abs=0.1)
    assert (visits[0][:, :10] == -1000).all()  # air that has no noise is given none


def test_a_patient_is_moved_by_parts_of_a_pixel(scan: Path) -> None:
    """The middle of the spine, which is 500 HU, by 1.5 and -0.75 pixels."""
    y, x = np.mgrid[120:150, 82:112]

    def middle(hu: np.ndarray) -> np.ndarray:
        weight = np.clip(hu[120:150, 82:112].astype(float) - 150, 0, 350)
        return np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum()

    still, moved = (seen(scan, [1], Visit(shift=shift), np.random.default_rng(3))[0]
                    for shift in ((0.0, 0.0), (1.5, -0.75)))  # fmt: skip
    assert np.allclose(middle(moved) - middle(still), (1.5, -0.75), atol=0.1)


@pytest.fixture(scope="module", params=[False, True], ids=["slices", "volumes"])
def phantom(
    scan: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Path:
    return made(PhantomPlan(out=tmp_path_factory.mktemp("made") / "out", scans=(scan,), readers=1,
                            lesions=LESIONS, distractors=1, timepoints=TIMES,
                            volumes=request.param))  # fmt: skip


def courses_of(phantom: Path) -> dict[str, list[dict[str, str]]]:
    found = defaultdict(list)
    for one in table(phantom / "followup.csv"):
        found[one["lesion"]].append(one)
    return found


def test_every_lesion_is_known_at_every_time(phantom: Path) -> None:
    courses = courses_of(phantom)
    begun = 0
    for lesion, course in courses.items():
        assert [int(one["time"]) for one in course] == [1, 2, 3, 4]
        statuses = [one["status"] for one in course]
        order = ["not yet", "new", "present", "vanished"]
        assert [*map(order.index, statuses)] == sorted(map(order.index, statuses))
        begun += statuses[0] == "present"
        first = next(float(one["volume_mm3"]) for one in course if float(one["volume_mm3"]))
        for one in course:
            there = one["status"] in ("new", "present")
            assert bool(one["File_name"]) == bool(one["row"]) == there
            assert there == (float(one["volume_factor"]) > 0)
            ratio = float(one["volume_mm3"]) / first
            assert ratio == pytest.approx(float(one["volume_factor"]), rel=0.02)
            assert not there or one["File_name"].startswith(f"{lesion[:6]}_{int(one['time']):02d}_")
    assert begun == LESIONS
    met = Counter(one["status"] for course in courses.values() for one in course)
    assert {"new", "vanished", "present", "not yet"} == met.keys()


def test_a_patient_has_all_its_studies_in_one_split(phantom: Path) -> None:
    lesions, rejected = read_deeplesion(phantom)
    assert not rejected
    facts = table(phantom / "phantom.csv")
    assert len(lesions) == len(facts) > LESIONS
    splits, studies = defaultdict(set), defaultdict(set)
    known = {(one["row"], one["lesion"], one["volume_mm3"])
             for course in courses_of(phantom).values() for one in course}  # fmt: skip
    for lesion, fact in zip(lesions, facts, strict=True):
        splits[lesion.patient].add(lesion.split)
        studies[lesion.patient].add(lesion.study)
        assert (fact["row"], fact["lesion"], fact["volume_mm3"]) in known
    assert {len(one) for one in splits.values()} == {1}
    assert set.union(*studies.values()) == {"1", "2", "3", "4"}


@pytest.mark.parametrize("phantom", [True], indirect=True, ids=["volumes"])
def test_a_lesion_moves_with_its_patient(phantom: Path) -> None:
    """The middle of its mask in the patient, by what `followup.csv` says; to a voxel's part."""
    labels = {fact["row"]: int(fact["label"]) for fact in table(phantom / "phantom.csv")}
    off = []
    for course in courses_of(phantom).values():
        middles = {}
        for one in course:
            if one["row"]:
                volume = read_nifti(phantom / "Volumes" / f"{one['File_name'][:12]}_mask.nii.gz")
                z, y, x = np.argwhere(volume.hu == labels[one["row"]]).mean(axis=0)
                middles[one["time"]] = (np.asarray(volume.affine) @ (x, y, z, 1))[:3]
        shifts = {one["time"]: np.array([float(one["shift_x_mm"]), float(one["shift_y_mm"]),
                                         float(one["shift_slices"]) * SPACING[2]])
                  for one in course}  # fmt: skip
        first = next(iter(middles))
        off += [(middles[time] - middles[first]) - (shifts[time] - shifts[first])
                for time in middles if time != first]  # fmt: skip
    assert len(off) > 20
    assert np.abs(off).mean(axis=0) == pytest.approx(0, abs=0.5)  # mm, of voxels of 2, 2 and 4
    assert np.abs(off).max() < 4


def test_volumes_hold_every_lesion_that_is_there_at_that_time(phantom: Path) -> None:
    volumes = sorted(phantom.glob("Volumes/*_mask.nii.gz"))
    if not volumes:
        assert not (phantom / "Volumes").exists()
        return
    there = defaultdict(set)
    for fact in table(phantom / "phantom.csv"):
        there[fact["File_name"][:12]].add(int(fact["label"]))
    sizes = defaultdict(set)
    for path in volumes:
        labels = read_nifti(path).hu
        assert set(np.unique(labels)) - {0} == there[path.name[:12]]
        sizes[path.name[:6]].add(path.name[7:9])
    assert {len(times) for times in sizes.values()} == {TIMES}

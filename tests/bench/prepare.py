"""How fast `platform.prepare` is, and what it takes in memory: the sample, many times over.

python -m tests.bench prepare         # Ray on all cores, and one plain loop
python -m tests.bench prepare_memory  # 2,000 lesions, and 20,000
python -m tests.bench masks           # each pseudo mask: lesions/s per core
"""

import csv
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import psutil

from lesions.errors import InputError
from lesions.lesion import Lesion
from lesions.masks import PSEUDO_MASKS, pseudo_mask
from lesions.prepared.manifest import claim, write_manifest
from lesions.prepared.preparing import Plan, parts_of, prepare_part
from lesions.readers.deeplesion import TABLE, TableRow, read_lesion, read_table
from lesions.sample import ROOT as SAMPLE

REPOSITORY = Path(__file__).resolve().parents[2]
DEEPLESION = REPOSITORY.parent / "shared/data/deeplesion"
LESIONS, MORE_LESIONS = 2_000, 20_000
MASK_SETS = (("snakes", "ellipse"), ("snakes",))
ROUNDS = 3
# DeepLesion's rows, and the machine that they are meant for.
ROWS, CORES = 32_735, 16


def repeated(folder: Path, count: int) -> Path:
    """A data set of `count` lesions: the sample's patients under further names."""
    with (SAMPLE / TABLE).open(newline="") as file:
        sample = list(csv.DictReader(file))
    rows = []
    for number in range(count):
        row = dict(sample[number % len(sample)])
        patient = f"{int(row['File_name'][:6]) + 1000 * (number // len(sample)):06d}"
        for images in ("Images_png", "Masks_png"):
            link = folder / images / (patient + row["File_name"][6:12])
            if not link.exists():
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(SAMPLE / images / row["File_name"][:12])
        rows.append(row | {"File_name": patient + row["File_name"][6:], "Patient_index": patient})
    with (folder / TABLE).open("w", newline="") as file:
        writer = csv.DictWriter(file, list(sample[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


def by_loop(plan: Plan) -> None:
    """`platform.prepare.prepare` without Ray: one process, one part after the other."""
    by_pool(plan, None)


def by_pool(plan: Plan, pool: ProcessPoolExecutor | None) -> None:
    """The same, the parts shared out to a pool of plain processes."""
    rows = read_table(plan.source)
    parts, plan = parts_of(rows), claim(plan)
    items = [{"part": number, "rows": part} for number, part in enumerate(parts)]
    made = map(prepare_part, items, [plan] * len(items)) if pool is None else pool.map(
        prepare_part, items, [plan] * len(items)
    )  # fmt: skip
    assert all(outcome["error"] == "" for outcome in made)
    write_manifest(plan, len(rows), len(parts))


def prepare() -> None:
    """2,000 lesions: Ray on all cores, plain processes, one plain loop; start-up excluded.

    What plain processes reach is what the machine gives at that moment: with other work on it,
    less than its number of cores.
    """
    from platform.prepare import prepare as by_ray
    from platform.running.cluster import cluster

    os.environ.setdefault("RAY_ADDRESS", "local")
    with tempfile.TemporaryDirectory() as folder, cluster() as resources:
        root, cores = Path(folder), int(resources["CPU"])
        few, many = repeated(root / "few", 4 * 32 * cores), repeated(root / "many", LESIONS)
        with one_thread(), processes(1) as one, processes(cores) as all_cores:

            def loop(plan: Plan) -> None:
                one.submit(by_loop, plan).result()

            def pool(plan: Plan) -> None:
                by_pool(plan, all_cores)

            ways = {"platform.prepare": by_ray, "plain processes": pool, "plain loop": loop}
            for masks in MASK_SETS:
                for way in ways.values():  # start-up
                    spent(way, Plan(source=few, out=root / "out", masks=masks))
                best = dict.fromkeys(ways, float("inf"))
                for _ in range(ROUNDS):
                    for name, way in ways.items():
                        plan = Plan(source=many, out=root / "out", masks=masks)
                        best[name] = min(best[name], spent(way, plan))
                print(f"prepare, {LESIONS} lesions, {','.join(masks)}; "
                      f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")  # fmt: skip
                for name, seconds in best.items():
                    print(f"  {name:<17} {seconds:7.2f} s  {LESIONS / seconds:6.0f} lesions/s  "
                          f"{best['plain loop'] / seconds:5.2f} ×")  # fmt: skip


def spent(way: Callable[[Plan], object], plan: Plan) -> float:
    """Seconds for a whole set."""
    started = time.perf_counter()
    way(plan)
    seconds = time.perf_counter() - started
    shutil.rmtree(plan.out)
    return seconds


@contextmanager
def processes(count: int) -> Iterator[ProcessPoolExecutor]:
    """Plain processes that have imported what they need."""
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        yield pool


@contextmanager
def one_thread() -> Iterator[None]:
    """Processes started here use one thread each for BLAS, as Ray's workers do."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        os.environ.pop("OMP_NUM_THREADS")
        if before is not None:
            os.environ["OMP_NUM_THREADS"] = before


def prepare_memory() -> None:
    """The peak of a whole `python -m platform.prepare`: 20,000 lesions, and 2,000."""
    peaks = {}
    for count in (LESIONS, MORE_LESIONS):
        with tempfile.TemporaryDirectory() as folder:
            source = repeated(Path(folder) / "source", count)
            words = ["--source", source, "--out", Path(folder) / "out"]
            started = time.perf_counter()
            peaks[count] = peak_memory([sys.executable, "-m", "platform.prepare", *map(str, words)])
            seconds = time.perf_counter() - started
        own, everything = peaks[count]
        print(f"prepare, {count:6d} lesions: peak {own / 1e6:5.0f} MB of driver and workers, "
              f"{everything / 1e6:5.0f} MB with Ray's own processes; {seconds:.0f} s")  # fmt: skip
    for at, what in enumerate(("driver and workers", "with Ray's own processes")):
        growth = peaks[MORE_LESIONS][at] / peaks[LESIONS][at] - 1
        print(f"  {what}: {growth:+.1%}")


def peak_memory(command: Sequence[str]) -> tuple[int, int]:
    """The peak of a command's memory, bytes, shared pages counted in parts (PSS).

    Returns:
        Of the command and Ray's workers; and with Ray's daemons and dashboard.
    """
    env = os.environ | {"RAY_ADDRESS": "local"}
    process = subprocess.Popen(command, cwd=REPOSITORY, env=env, stdout=subprocess.DEVNULL)
    root, own, everything = psutil.Process(process.pid), 0, 0
    while process.poll() is None:
        of_own, of_others = 0, 0
        for one in [root, *root.children(recursive=True)]:
            try:
                used, name = one.memory_full_info().pss, one.name()
            except psutil.Error:
                continue
            if one == root or (name.startswith("ray::") and not name.endswith("Agent")):
                of_own += used
            else:
                of_others += used
        own, everything = max(own, of_own), max(everything, of_own + of_others)
        time.sleep(0.1)
    assert process.returncode == 0
    return own, everything


def masks() -> None:
    """Each pseudo mask on one core, alone and as prepared: decoded, made, encoded, written."""
    with one_thread(), processes(1) as one:
        one.submit(_masks).result()


def _masks() -> None:
    sets = {"the sample's crops": SAMPLE} | (
        {"DeepLesion's 512² slices": DEEPLESION} if DEEPLESION.is_dir() else {}
    )
    for title, source in sets.items():
        rows = [row for row in read_table(source) if _reads(row, source)]
        lesions = [read_lesion(row, source) for row in rows]
        print(f"{len(rows)} of {title}, one core; load {os.getloadavg()[0]:.1f}\n  {'mask':<12}"
              f"{'alone':>12}{'prepared':>12}{'lesions/s':>12}   "
              f"{ROWS} lesions on {CORES} cores")  # fmt: skip
        for names in ((), *((name,) for name in PSEUDO_MASKS), tuple(PSEUDO_MASKS)):
            alone = min(_alone(lesions, names) for _ in range(ROUNDS)) / len(rows)
            whole = min(_prepared(rows, source, names) for _ in range(ROUNDS)) / len(rows)
            label = names[0] if len(names) == 1 else "all" if names else "none"
            print(f"  {label:<12}{alone * 1e3:9.2f} ms{whole * 1e3:9.2f} ms{1 / whole:12.0f}   "
                  f"{ROWS * whole / CORES:6.0f} s", flush=True)  # fmt: skip


def _reads(row: TableRow, source: Path) -> bool:
    try:
        read_lesion(row, source)
    except InputError:
        return False
    return True


def _alone(lesions: Sequence[Lesion], names: Sequence[str]) -> float:
    """CPU seconds: other work on the machine counts less so."""
    total = 0.0
    for lesion in lesions:
        slice_hu = lesion.slice_hu
        started = time.process_time()
        for name in names:
            pseudo_mask(name, slice_hu, lesion.recist, lesion.window)
        total += time.process_time() - started
    return total


def _prepared(rows: Sequence[TableRow], source: Path, names: tuple[str, ...]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        plan = Plan(source=source, out=Path(folder), masks=names)
        parts = parts_of(rows)
        started = time.process_time()
        for number, part in enumerate(parts):
            prepare_part({"part": number, "rows": part}, plan)
        return time.process_time() - started

"""Pseudo masks measured on the cluster's cores, batch by batch."""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from dashboards.pages.masks import draw
from lesions.judging.batches import Batch
from lesions.judging.measuring import Key, Measured, measure, with_masks
from lesions.readers.deeplesion import Rejected, Remark

AHEAD = 4  # batches a core that wait for it


def measure_all(
    batches: Sequence[Batch], methods: Sequence[str], resources: dict[str, float]
) -> Iterator[list[Measured | Rejected | Remark]]:
    """Measure on the cluster's cores, a few batches ahead; each one's outcome, in order."""
    import ray

    task, waiting = ray.remote(num_cpus=1)(measure), deque[tuple[Batch, Any]]()
    for batch in batches:
        if len(waiting) >= AHEAD * max(1, resources.get("CPU", 1)):
            yield _outcome(*waiting.popleft())
        waiting.append((batch, task.remote(batch, methods)))
    while waiting:
        yield _outcome(*waiting.popleft())


def _outcome(batch: Batch, reference: Any) -> list[Measured | Rejected | Remark]:
    import ray

    try:
        found: list[Measured | Rejected | Remark] = ray.get(reference)
    except ray.exceptions.RayError as error:  # a worker that died must not end the others' work
        return [*batch.aside(f"the worker ended: {type(error).__name__}")]
    return found


def pictures_of(shown: dict[Key, Batch], methods: Sequence[str]) -> dict[Key, dict[str, bytes]]:
    """Pictures of these lesions by every method, from the batches that hold them."""
    import ray

    task = ray.remote(num_cpus=1)(with_masks)
    found = ray.get([task.remote(batch, [key], methods) for key, batch in shown.items()])
    return {(lesion.file, lesion.row): draw(lesion, methods) for some in found for lesion in some}

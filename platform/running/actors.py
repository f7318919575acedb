"""Work for a loaded model, shared out over the cluster: Ray Data with one actor a device."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def over_actors(
    items: Sequence[Mapping[str, Any]],
    actor: type,
    arguments: Mapping[str, Any],
    resources: Mapping[str, float],
) -> Iterator[dict[str, Any]]:
    """What an actor makes of each item, as it is done, in no order.

    An actor that dies is started again and its item done anew; what an item itself is to blame for
    the actor must return, not raise.

    Args:
        items: small; what is large the actor reads itself.
        actor: a class that workers can import; called with an item it returns a dict.
        arguments: of its constructor.
        resources: the cluster's, as `cluster()` gives them: one actor a GPU, or else a CPU.
    """
    if not items:
        return
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.ERROR)
    gpu = resources.get("GPU", 0) >= 1
    most = int(max(1, resources["GPU"] if gpu else resources.get("CPU", 1)))
    ray.data.DataContext.get_current().enable_progress_bars = False
    # A block of its own for each item: finished ones are told at once.
    found = ray.data.from_items(list(items), override_num_blocks=len(items)).map(
        actor,
        fn_constructor_kwargs=dict(arguments),
        compute=ray.data.ActorPoolStrategy(size=min(most, len(items))),
        num_cpus=1,
        num_gpus=1 if gpu else 0,
    )
    yield from found.iter_rows()

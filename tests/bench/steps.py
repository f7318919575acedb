"""What the house's loop adds to a step of plain torch: measured in turn, by the median."""

from statistics import median

import torch

from tests.bench.loops import a_learner, house, in_turn, kept_batches, plain, sample_lesions, spent
from tests.house.toy import Toy
from trainables.registry import SYSTEMS

LIMIT = 1.03
ROUNDS = 15
SECONDS = 1.0  # of one round, about
CPU = torch.device("cpu")


def steps() -> None:
    """A step of each system's "tiny" preset, fp32 on two threads, weights and data the same."""
    torch.set_num_threads(2)
    for system in (*SYSTEMS.values(), Toy()):
        config = system.presets()["tiny"]()
        batches = kept_batches(system, config, sample_lesions(12, config.pseudo_mask), CPU)
        own = a_learner(system, config, CPU, order=torch.channels_last)
        other = a_learner(system, config, CPU, order=torch.channels_last).model
        one = spent(plain(system, config, other, in_turn(batches, 3)), CPU) / 3
        count = max(3, round(SECONDS / one))
        ours, theirs = (
            house(own, batches, count), plain(system, config, other, in_turn(batches, count)),
        )  # fmt: skip
        pairs = []
        for turn in range(ROUNDS):  # who goes first takes turns, too
            if turn % 2:
                theirs_s, ours_s = spent(theirs, CPU), spent(ours, CPU)
            else:
                ours_s, theirs_s = spent(ours, CPU), spent(theirs, CPU)
            pairs.append((ours_s, theirs_s))
        ratio = median(ours / theirs for ours, theirs in pairs)
        a, b = (1e3 * median(column) / count for column in zip(*pairs, strict=True))
        fastest = min(ours for ours, _ in pairs) / min(theirs for _, theirs in pairs)
        verdict = "as asked for" if ratio <= LIMIT else "TOO MUCH"
        print(f"a step of {system.title} tiny: {a:8.2f} ms, plain torch {b:8.2f} ms, "
              f"ratio {ratio:.3f} (at most {LIMIT}: {verdict}), "
              f"of the fastest {fastest:.3f}")  # fmt: skip

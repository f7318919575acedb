"""`make bench`: each figure is a ratio of two things measured in turn in this run.

python -m tests.bench                # all
python -m tests.bench steps          # one
python -m tests.bench gpu [--small] [--compile]  # every system at its paper's sizes; not among all
"""

import sys
from importlib import import_module

# Each is imported only when it is asked for: `gpu` runs where most of the house's packages are not.
BENCHES = {
    "snakes": "snakes", "recist": "metrics", "segmentation": "metrics", "masks": "prepare",
    "prepare": "prepare", "prepare_memory": "prepare", "mlflow": "tracking",
    "steps": "steps", "training": "pdnet", "click": "pdnet", "networks": "ahrnet",
    "position": "ahrnet", "rls": "ahrnet", "box": "ahrnet", "gpu": "gpu",
    "box_endpoints": "stn_shn", "sweep": "sweep", "clusters": "embedding",
    "neighbours": "embedding",
}  # fmt: skip

if __name__ == "__main__":
    asked = [word for word in sys.argv[1:] if not word.startswith("--")]
    for name in asked or [name for name in BENCHES if name != "gpu"]:
        getattr(import_module(f"tests.bench.{BENCHES[name]}"), name)()

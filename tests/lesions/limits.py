"""What reading costs, measured in a process of its own: a bomb must not end the tests."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_CODE = r"""
import json, re, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
from lesions.errors import InputError
{imports}
# Not ru_maxrss: it starts at the parent's.
most = lambda: int(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1]) >> 10
before, said = most(), ""
path = sys.argv[1]
try:
    {statement}
except InputError as error:
    said = str(error)
print(json.dumps([most() - before, said]))
"""


def cost(path: Path, imports: str, statement: str, seconds: float = 60) -> tuple[int, str]:
    """The MB that a statement about `path` took, and what it was refused with, "" if it was not.

    Fails where it hangs, or ends otherwise than by an InputError.
    """
    done = subprocess.run(
        [sys.executable, "-c", _CODE.format(imports=imports, statement=statement), str(path)],
        cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
        timeout=seconds, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found: list[Any] = json.loads(done.stdout)
    return int(found[0]), str(found[1])

"""The commands, and the standard library's own `platform` module with this folder as its path.

torch, ray, pytest and pip all say `import platform`; the commands need a package of that name.
"""

import importlib.util as _importlib_util
import os as _os
import sys as _sys

_spec = _importlib_util.spec_from_file_location(
    __name__,
    _os.path.join(_os.path.dirname(_os.__file__), "platform.py"),
    submodule_search_locations=list(__path__),
)
assert _spec is not None
assert _spec.loader is not None
_module = _importlib_util.module_from_spec(_spec)
# Before it runs: an import inside it must find itself, not this file again.
_sys.modules[__name__] = _module
_spec.loader.exec_module(_module)

from platform.running.starting import interrupt_in_quiet as _interrupt_in_quiet  # noqa: E402
from platform.running.telemetry import switch_off as _switch_off  # noqa: E402

_switch_off()  # every command passes here first
_interrupt_in_quiet()

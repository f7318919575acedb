"""Nothing phones home: what libraries report of their use is off, before any of them is imported.

A user's own setting stays.
"""

import os

OFF = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "RAY_USAGE_STATS_ENABLED": "0",
    "HF_HUB_DISABLE_TELEMETRY": "1",  # timm's downloads of weights
}


def switch_off() -> None:
    """For this process and all that it starts."""
    for name, value in OFF.items():
        os.environ.setdefault(name, value)

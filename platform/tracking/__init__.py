"""MLflow: its store, runs, registered models, results."""

from platform.tracking.outbox import Outbox
from platform.tracking.store import Store

__all__ = ["Outbox", "Store"]

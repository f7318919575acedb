"""A small real sample in DeepLesion's layout, with human masks; see ATTRIBUTION.md."""

from pathlib import Path

ROOT = Path(__file__).parent

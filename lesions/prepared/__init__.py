"""Prepared sets: lesions checked, masked and written once, to be trained on many times."""

from lesions.prepared.prepared_set import PreparedSet

__all__ = ["PreparedSet"]

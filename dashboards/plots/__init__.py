"""Plots, and lesions as pictures."""

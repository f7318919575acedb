"""Pseudo masks judged by human ones: which lesions, and what a worker measures of them."""

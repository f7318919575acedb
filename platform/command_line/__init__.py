"""Command lines: options, and which trained models answer."""

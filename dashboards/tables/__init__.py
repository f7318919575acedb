"""Tables: the papers' own, ours beside them, in the terminal."""

"""The published systems, one package each, and the one loop that trains them."""

"""What `make bench` prints: ratios against a named peer, measured side by side in one run."""

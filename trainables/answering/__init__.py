"""From a prompt on an image to an answer's files, and over many: what predict and evaluate run."""

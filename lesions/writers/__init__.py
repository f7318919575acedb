"""Results in the formats that the images came in."""

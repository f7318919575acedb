"""Pictures: `sweeps` draws a sweep's plots, `overlays` a lesion with outlines and diameters."""

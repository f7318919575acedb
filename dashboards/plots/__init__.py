"""Pictures: `sweeps` draws a sweep's plots, `histograms` how many lesions reach a value,
`overlays` a lesion with outlines and diameters, `attention` what a network weighed of it;
`drawing` is what plots share."""

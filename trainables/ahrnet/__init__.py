"""AHRNet: lesion segmentation in a box, with a regional level set loss.

"Weakly-supervised Universal Lesion Segmentation with Regional Level Set Loss", MICCAI 2021.
"""

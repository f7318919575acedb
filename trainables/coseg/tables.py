"""The paper's Table 1, and one of ours on partners: which variant makes a row."""

from collections.abc import Mapping

from trainables.coseg.variants import BASELINE, CSA, ENCODERS
from trainables.tables import PaperTable

COLUMNS = {name: ("", name) for name in ("recall", "precision", "dice", "avd", "vs")}
METHODS = {
    BASELINE: BASELINE,
    "VGG-16 without clustering": "VGG-16-unclustered",
    **{name + ending: name + ending for name in ENCODERS.values() for ending in ("", CSA)},
}
# Ours: what a partner is worth, and how the neighbours are put together.
PARTNERS = {
    "VGG-16, alone": "VGG-16-alone",
    "VGG-16 without clustering": "VGG-16-unclustered",
    "VGG-16": "VGG-16",
    "VGG-16, group": "VGG-16-group",
    "VGG-16+fused": "VGG-16+fused",
}
NOTE = (
    "The paper's has ImageNet weights, 270,470 pairs of 26,000 lesions, and a split by lesion; "
    "ours is by patient. Its AVD is that of a segmentation tool, the mean of both directed mean "
    "distances; so is ours, in pixels of the slice."
)

TABLES: Mapping[str, PaperTable] = {
    number: PaperTable.of_one_part(number, rows, columns=COLUMNS, note=NOTE)
    for number, rows in (("1", METHODS), ("partners", PARTNERS))
}

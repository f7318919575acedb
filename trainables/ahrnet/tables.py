"""The AHRNet paper's Tables 1 and 2, and one of ours on its loss: which variant makes a row."""

from collections.abc import Mapping

from trainables.ahrnet.variants import AHRNET
from trainables.tables import PaperTable

COLUMNS = {name: ("", name) for name in ("precision", "recall", "dice")}
OF_LESIONS = ("worst_dice", "fraction_dice_ge_0.80", "fraction_dice_gt_0.85")  # text, Fig. 4
METHODS = {
    "nnUNet": "nnunet",
    "nnUNet+RLS": "nnunet+RLS",
    "HRNet": "HRNet",
    "HRNet+RLS": "HRNet+RLS",
    "AHRNet": AHRNET,
    "AHRNet+RLS": f"{AHRNET}+RLS",
}
ABLATIONS = ("HRNet", "HRNet+DE", "HRNet+DE+DA", AHRNET, f"{AHRNET}+LS", f"{AHRNET}+RLS")
# Ours: what helps as much with shuffled intensities does not come from the image.
CONTROLLED = {
    "AHRNet": AHRNET,
    "AHRNet+RLS": f"{AHRNET}+RLS",
    "AHRNet+RLS, shuffled": f"{AHRNET}+RLS-shuffled",
    "AHRNet+RLS, even": f"{AHRNET}+RLS-even",
    "AHRNet+RLS, even, shuffled": f"{AHRNET}+RLS-even-shuffled",
}
NOTE = (
    "The paper's has three training rounds from ImageNet weights, each on where the last one's "
    "model and the ellipse agree."
)

TABLES: Mapping[str, PaperTable] = {
    number: PaperTable.of_one_part(number, rows, columns=COLUMNS, of_lesions=OF_LESIONS, note=NOTE)
    for number, rows in (
        ("1", METHODS),
        ("2", {name: name for name in ABLATIONS}),
        ("rls", CONTROLLED),
    )
}

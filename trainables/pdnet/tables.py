"""The PDNet paper's Tables 1, 2 and 3, and one of ours: which variant makes which row."""

from collections.abc import Mapping

from trainables.tables import PaperTable

STAGES = {"stage1": {"stage": 1}, "stage2": {"stage": 2}}
BOTH = {"both": ("stage1", "stage2")}
PDNET = "base+PE+T2D+B2U+SA"
ERRORS = {name: ("both", name) for name in ("long_axis_error", "short_axis_error")}
DICE = {"dice": ("both", "dice")}
# As in the paper, where nnU-Net's own first stage was too weak to crop by.
METHODS = {
    "nnUNet": {"stage1": PDNET, "stage2": "nnunet"},
    "PDNet": {"stage1": PDNET, "stage2": PDNET},
}
ABLATIONS = {
    "base": "base",
    "base+PE": "base+PE",
    "base+PE+T2D": "base+PE+T2D",
    "base+PE+T2D+B2U": "base+PE+T2D+B2U",
    "PDNet (base+PE+T2D+B2U+SA)": PDNET,
}
WITH_LEVEL_SET = {
    "PDNet": PDNET,
    "PDNet+RLS": f"{PDNET}+RLS",
    "PDNet+RLS, even": f"{PDNET}+RLS-even",
    "PDNet+RLS, even, shuffled": f"{PDNET}+RLS-even-shuffled",
}
NOTE = "The paper's has three training rounds, each on masks that the last one's model refined."

ALONE = {name: ("stage2", name) for name in ("dice", *ERRORS)}

TABLES: Mapping[str, PaperTable] = {
    table.number: table
    for table in (
        PaperTable(
            number="1",
            rows=METHODS,
            parts=STAGES,
            together=BOTH,
            columns={
                "precision": ("both", "precision"),
                "recall": ("both", "recall"),
                **DICE,
                **ERRORS,
            },
            note=NOTE,
        ),
        PaperTable(
            number="2", rows=METHODS, parts=STAGES, together=BOTH, columns=DICE | ERRORS,
            by_type=True,
            note=NOTE,
        ),
        PaperTable(
            number="3",
            rows={method: dict.fromkeys(STAGES, variant) for method, variant in ABLATIONS.items()},
            parts=STAGES,
            together=BOTH,
            columns={"dice_stage1": ("stage1", "dice"), "dice_stage2": ("both", "dice"), **ERRORS},
            note=NOTE,
        ),
        # Ours: AHRNet's loss in PDNet's second stage, which is told the lesion's size.
        PaperTable(
            number="rls",
            rows={method: {"stage2": variant} for method, variant in WITH_LEVEL_SET.items()},
            parts={"stage2": STAGES["stage2"]},
            columns=ALONE,
        ),
    )
}  # fmt: skip

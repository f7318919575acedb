"""The PDNet paper's Tables 1, 2 and 3: which variant makes which row."""

from collections.abc import Mapping

from trainables.tables import PaperTable

STAGES = {"stage1": {"stage": 1}, "stage2": {"stage": 2}}
STAGE_2 = {"stage2": STAGES["stage2"]}
ERRORS = {name: ("stage2", name) for name in ("long_axis_error", "short_axis_error")}
DICE = {"dice": ("stage2", "dice")}
METHODS = {"nnUNet": "nnunet", "PDNet": "base+PE+T2D+B2U+SA"}
NOTE = (
    "Ours is one training round, and its stage 2 crops around the click, by the true size of the "
    "lesion; the paper's is three rounds, and crops by its stage 1's segmentation."
)

TABLES: Mapping[str, PaperTable] = {
    table.number: table
    for table in (
        PaperTable(
            number="1",
            rows=METHODS,
            parts=STAGE_2,
            columns={
                "precision": ("stage2", "precision"),
                "recall": ("stage2", "recall"),
                **DICE,
                **ERRORS,
            },
            note=NOTE,
        ),
        PaperTable(
            number="2", rows=METHODS, parts=STAGE_2, columns=DICE | ERRORS, by_type=True, note=NOTE
        ),
        PaperTable(
            number="3",
            rows={
                "base": "base",
                "base+PE": "base+PE",
                "base+PE+T2D": "base+PE+T2D",
                "base+PE+T2D+B2U": "base+PE+T2D+B2U",
                "PDNet (base+PE+T2D+B2U+SA)": "base+PE+T2D+B2U+SA",
            },
            parts=STAGES,
            columns={
                "dice_stage1": ("stage1", "dice"),
                "dice_stage2": ("stage2", "dice"),
                **ERRORS,
            },
            note=NOTE,
        ),
    )
}

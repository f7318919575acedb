"""The paper's Table 1, and which variant makes a row."""

from collections.abc import Mapping

from lesions.metrics.merit import ENDPOINTS
from trainables.stn_shn.variants import METHODS
from trainables.tables import PaperTable

NOTE = (
    "The paper's has ImageNet weights and 3,759 patients, each row trained to its plateau, and is "
    "judged by three readers."
)

TABLES: Mapping[str, PaperTable] = {
    "1": PaperTable.of_one_part(
        "1",
        METHODS,
        columns={name: ("", name) for name in ENDPOINTS},
        readers=("vs_DL", "vs_R1", "vs_R2"),
        note=NOTE,
    )
}

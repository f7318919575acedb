"""The STN before the SHN: a crop to its canonical view, and the view to heat maps (section 2)."""

from typing import NamedTuple

from torch import Tensor, nn

from trainables.stn_shn.hourglass import HourglassConfig, StackedHourglass
from trainables.stn_shn.layout import level, matrices, view_of
from trainables.stn_shn.localisation import Localisation, LocalisationConfig

STN, SHN = "stn.", "shn."  # the names of their parameters begin so


class Outputs(NamedTuple):
    """What the whole network says of crops.

    Attributes:
        mask: (N, 1, S/4, S/4) logits of the lesion; None without an STN.
        layout: (N, 5), see `layout`; None without an STN.
        thetas: Θ (N, 2, 3), float32: view to crop.
        heatmaps: of each stack, (N, 4, S/4, S/4), in the view.
    """

    mask: Tensor | None
    layout: Tensor | None
    thetas: Tensor
    heatmaps: list[Tensor]


class STNSHN(nn.Module):
    """Both networks; without an STN the view is the crop (Table 1's SHN).

    `through`: whether what the SHN wants of its view reaches the STN.
    """

    def __init__(
        self,
        localisation: LocalisationConfig | None,
        hourglass: HourglassConfig,
        size: int,
        begins: tuple[float, ...],
        through: bool,
    ) -> None:
        super().__init__()
        self.through = through
        self.stn = None if localisation is None else Localisation(localisation, size, begins)
        self.shn = StackedHourglass(hourglass)

    def forward(self, crops: Tensor) -> Outputs:
        """Answers for crops (N, 1, S, S)."""
        if self.stn is None:
            thetas = level().to(crops.device).expand(len(crops), 2, 3)
            return Outputs(None, None, thetas, self.shn(crops))
        mask, layout = self.stn(crops)
        thetas = matrices(layout)
        view = view_of(crops, thetas if self.through else thetas.detach())
        return Outputs(mask, layout, thetas, self.shn(view))

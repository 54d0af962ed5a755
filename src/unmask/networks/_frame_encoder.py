"""One timm backbone that looks at every frame of a clip by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from torch import Tensor, nn

from unmask.errors import UsageError
from unmask.networks._clip_network import clip_shape, fold_frames
from unmask.networks._imagenet_arrays import KERAS_EPS, fill_mobilenet_v2
from unmask.networks._timm_backbone import build_backbone

_FROM_ARRAYS = "mobilenetv2_100"


class FrameEncoder(nn.Module):
    """(B, T, 3, S, S) -> (B, T, width): the same backbone for each frame, mean over places.

    Args:
        backbone: As timm calls it (``mobilenetv2_100``).
        pretrained: Load timm's weights.

    Attributes:
        width: Channels of a frame's features.

    Raises:
        ModelUnavailable: ``pretrained`` and the weights are not within reach.
    """

    def __init__(self, backbone: str, *, pretrained: bool) -> None:
        super().__init__()
        # The last map itself: some backbones end in layers made for another classifier.
        self._is_from_arrays = backbone.partition(".")[0] == _FROM_ARRAYS
        options = {"bn_eps": KERAS_EPS} if self._is_from_arrays else {}
        self.backbone = build_backbone(
            backbone, pretrained=pretrained, features_only=True, out_indices=(-1,), **options
        )
        self.width = int(cast("Any", self.backbone).feature_info.channels()[-1])

    def initialise(self, path: Path) -> None:
        """Start from ImageNet arrays; see :func:`fill_mobilenet_v2`.

        Raises:
            UsageError: The backbone is not MobileNetV2.
            InputError: The file is absent, damaged or belongs to another network.
        """
        if not self._is_from_arrays:
            raise UsageError(
                f"{path.name} came, but this backbone is none that files of arrays hold.",
                hint=f"Leave 'init' out, or set options = {{ backbone = \"{_FROM_ARRAYS}\" }}.",
            )
        fill_mobilenet_v2(self.backbone, path)

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, T, 3, S, S) -> (B, T, width)."""
        _, frames = clip_shape(pixels)
        last: Tensor = self.backbone(fold_frames(pixels))[-1]
        return last.mean((2, 3)).reshape(-1, frames, self.width)

"""TALL: four frames laid out as one thumbnail, so that a picture network sees time.

Source: Xu et al., "TALL: Thumbnail Layout for Deepfake Video Detection", ICCV 2023, sections 3.1
and 3.2 (2x2 layout, a block masked at the same place of every frame, Swin-B). What differs: clips
of more than four frames become several thumbnails, whose logits are averaged (the paper draws
such groups as separate samples); Swin-T unless another is chosen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from unmask.networks._clip_network import ClipNetwork, clip_shape
from unmask.networks._timm_backbone import IMAGENET_MEAN, IMAGENET_STD, build_backbone
from unmask.networks.base import NETWORKS, NetworkOutput, NetworkSpec

_SIDE = 2
_CELLS = _SIDE * _SIDE
_MASK_SHARE = 0.25
_SWIN_STEP_PX = 32


@NETWORKS.register
class Tall(ClipNetwork):
    """Consecutive fours of frames, each a 2x2 picture; the clip's logit is their mean.

    A last four that is not full repeats the clip's last frame.
    ``extra["frame_logits"]``: the logit of the thumbnail that a frame lies in.

    Args:
        input_px: Side of one frame; the thumbnail has twice this side.
        pretrained: Load timm's weights of the backbone.
        backbone: As timm calls it; one that takes ``img_size``.
        backbone_options: Passed on to timm.
    """

    spec: ClassVar = NetworkSpec(
        id="tall",
        title="TALL (thumbnail layout)",
        paper="Xu et al., TALL, ICCV 2023",
        family="temporal",
        modality="clip",
        input_px=112,
        clip_frames=4,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        differs="longer clips become several thumbnails; Swin-T instead of Swin-B by default",
    )
    has_pretrained: ClassVar = True
    multiple_px: ClassVar = 16
    small: ClassVar = {
        "backbone": "swin_tiny_patch4_window7_224",
        "backbone_options": {"embed_dim": 24, "depths": (1, 1, 2, 1), "num_heads": (1, 2, 4, 8)},
    }

    def __init__(
        self,
        *,
        input_px: int | None = None,
        pretrained: bool = False,
        backbone: str = "swin_tiny_patch4_window7_224.ms_in1k",
        backbone_options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(input_px=input_px, pretrained=pretrained)
        side = _SIDE * self.input_px
        options = dict(backbone_options or {})
        # The window must divide the last map, or timm pads where the paper does not.
        options.setdefault("window_size", _window(side))
        self.backbone = build_backbone(backbone, pretrained=pretrained, img_size=side, **options)
        self.classifier = nn.Linear(int(cast("Any", self.backbone).num_features), 1)

    def forward(self, pixels: Tensor) -> NetworkOutput:
        """(B, T, 3, S, S) -> logits (B,), features (B, D), frame_logits (B, T)."""
        _, frames = clip_shape(pixels)
        if self.training:
            pixels = _mask_one_place(pixels)
        thumbnails = lay_out(pixels)
        features = self.backbone(thumbnails.flatten(0, 1))
        features = features.reshape(-1, thumbnails.shape[1], features.shape[1])
        by_thumbnail = self.classifier(features).squeeze(2)
        extra = {"frame_logits": by_thumbnail.repeat_interleave(_CELLS, 1)[:, :frames]}
        return NetworkOutput(by_thumbnail.mean(1), features.mean(1), extra=extra)


def lay_out(pixels: Tensor) -> Tensor:
    """(B, T, 3, S, S) -> (B, ceil(T / 4), 3, 2 S, 2 S): rows of two, in order of time."""
    frames, channels, side = pixels.shape[1], pixels.shape[2], pixels.shape[3]
    lacking = -frames % _CELLS
    if lacking:
        pixels = torch.cat([pixels, pixels[:, -1:].expand(-1, lacking, -1, -1, -1)], 1)
    cells = pixels.reshape(-1, pixels.shape[1] // _CELLS, _SIDE, _SIDE, channels, side, side)
    cells = cells.permute(0, 1, 4, 2, 5, 3, 6)  # clip, four, channel, row, y, column, x
    return cells.reshape(-1, cells.shape[1], channels, _SIDE * side, _SIDE * side)


def _mask_one_place(pixels: Tensor) -> Tensor:
    """Blank one square of a quarter of the side, at one place in all frames of a clip."""
    clips, side = pixels.shape[0], pixels.shape[3]
    block = max(1, round(side * _MASK_SHARE))
    corners = torch.randint(0, side - block + 1, (clips, 2), device=pixels.device)
    at = torch.arange(side, device=pixels.device)
    inside = (at >= corners[..., None]) & (at < corners[..., None] + block)  # (clips, 2, side)
    square = inside[:, 0, :, None] & inside[:, 1, None, :]
    return pixels * ~square[:, None, None]


def _window(side: int) -> int:
    return 7 if side % (7 * _SWIN_STEP_PX) == 0 else side // _SWIN_STEP_PX

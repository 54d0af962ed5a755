"""Xception in pieces, for papers that feed it other channels, cut it short or look inside it."""

from __future__ import annotations

from typing import NamedTuple

from torch import nn

from unmask.networks._timm_backbone import build_backbone

WIDTH = 2048
MIDDLE_WIDTH = 728
ENTRY_WIDTH = 32
_WEIGHTS = "legacy_xception.tf_in1k"


class XceptionStages(NamedTuple):
    """The network in order; ``blocks`` are numbered from 1 in the paper.

    Attributes:
        entry: Two convolutions, stride 2; in it ``conv1`` takes the input channels.
        blocks: Twelve blocks; 1, 2, 3 and 12 halve the side.
        exit: Two separable convolutions to 2048 channels.
    """

    entry: nn.Sequential
    blocks: list[nn.Module]
    exit: nn.Sequential


def xception_stages(channels: int, *, pretrained: bool) -> XceptionStages:
    """Build Xception and take it apart.

    Args:
        channels: Input channels; ImageNet weights for three are spread over them.
        pretrained: Ask timm's hub for ImageNet weights.

    Raises:
        ModelUnavailable: The weights are neither in the cache nor within reach.

    Source:
        Chollet, "Xception", CVPR 2017, figure 5.
    """
    parts = dict(
        build_backbone(_WEIGHTS, pretrained=pretrained, in_chans=channels).named_children()
    )
    return XceptionStages(
        nn.Sequential(*(parts[f"{kind}{n}"] for n in (1, 2) for kind in ("conv", "bn", "act"))),
        [parts[f"block{n}"] for n in range(1, 13)],
        nn.Sequential(*(parts[f"{kind}{n}"] for n in (3, 4) for kind in ("conv", "bn", "act"))),
    )

"""Parts of faces, cut out of feature maps, and dictionaries of them.

Source: Li et al., "Blind Face Restoration via Deep Multi-scale Component Dictionaries", ECCV 2020
(DFDNet), sections 3.1 to 3.3.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from unmask.errors import MissingExtra
from unmask.faces import topology

if TYPE_CHECKING:
    from unmask.types import Floats

COMPONENTS = {
    "right_eye": (*topology.RIGHT_EYE, *topology.RIGHT_BROW),
    "left_eye": (*topology.LEFT_EYE, *topology.LEFT_BROW),
    "nose": topology.NOSE,
    "mouth": topology.LIPS,
}
_ROOM = 1.25


def component_boxes(landmarks: Floats, size_px: int) -> Floats:
    """Where the parts lie: (N, 4 parts, 4) left, top, right, bottom as shares of the side.

    Args:
        landmarks: (N, 468, 2) in pixels of crops of ``size_px``.
        size_px: Side of the crops.
    """
    boxes = []
    for points in COMPONENTS.values():
        part = (landmarks[:, list(points)] + 0.5) / size_px  # shares count from the edge
        low, high = part.min(1), part.max(1)
        middle, half = (low + high) / 2, (high - low) / 2 * _ROOM
        boxes.append(np.concatenate([middle - half, middle + half], 1))
    return np.stack(boxes, 1).astype(np.float32)


def cut_out(features: Tensor, boxes: Tensor, side: int) -> Tensor:
    """Sample (B, C, H, W) features in (B, 4) boxes: (B, C, side, side)."""
    low, high = boxes[:, :2], boxes[:, 2:]
    scale, shift = high - low, low + high - 1
    matrix = torch.diag_embed(scale)
    grid = functional.affine_grid(
        torch.cat([matrix, shift[..., None]], 2),
        [len(boxes), features.shape[1], side, side],
        align_corners=False,
    )
    return functional.grid_sample(
        features.float(), grid, padding_mode="border", align_corners=False
    )


def put_back(features: Tensor, parts: Tensor, boxes: Tensor) -> Tensor:
    """Lay (B, C, s, s) parts over the boxes of (B, C, H, W) features."""
    low, high = boxes[:, :2], boxes[:, 2:]
    scale = 1 / (high - low).clamp_min(1e-3)
    shift = -(low + high - 1) * scale
    grid = functional.affine_grid(
        torch.cat([torch.diag_embed(scale), shift[..., None]], 2),
        list(features.shape),
        align_corners=False,
    )
    laid = functional.grid_sample(parts.float(), grid, padding_mode="border", align_corners=False)
    inside = (grid.abs() <= 1).all(3)[:, None]
    return torch.where(inside, laid, features.float())


class ComponentDictionary(nn.Module):
    """Typical features of one part at one scale, and how a face takes from them.

    Args:
        entries: How many.
        channels: Of the features.
        side: Of a part in the feature map.
    """

    typical: Tensor

    def __init__(self, entries: int, channels: int, side: int) -> None:
        super().__init__()
        self.register_buffer("typical", torch.zeros(entries, channels, side, side))
        self.side = side
        self.confidence = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(channels, channels, 1),
        )

    @property
    def filled(self) -> bool:
        """Whether there is anything in it yet."""
        return bool(self.typical.any())

    def fill(self, parts: Tensor, seed: int) -> None:
        """Take the K-means centres of (N, C, s, s) features of good faces.

        Where there are fewer faces than entries, entries repeat.

        Raises:
            MissingExtra: scikit-learn is not installed.
        """
        try:
            from sklearn.cluster import KMeans
        except ImportError as error:
            raise MissingExtra.named("forge", "Training a dictionary of faces") from error
        flat = parts.reshape(len(parts), -1).double().numpy()
        entries = min(len(self.typical), len(flat))
        found = KMeans(entries, n_init=1, max_iter=50, random_state=seed).fit(flat)
        centres = torch.from_numpy(found.cluster_centers_).float().reshape(-1, *parts.shape[1:])
        times = math.ceil(len(self.typical) / entries)
        self.typical.copy_(centres.repeat(times, 1, 1, 1)[: len(self.typical)])

    def chosen(self, part: Tensor) -> tuple[Tensor, Tensor]:
        """The entry with the largest inner product, after each takes on the part's statistics.

        Args:
            part: (B, C, s, s) features of a degraded face.

        Returns:
            The entries (B, C, s, s), and which they are (B,).
        """
        mean, deviation = _statistics(part)
        own_mean, own_deviation = _statistics(self.typical)
        normed = (self.typical - own_mean) / own_deviation
        unit = functional.normalize(normed.flatten(1), dim=1)
        wanted = functional.normalize(((part - mean) / deviation).flatten(1), dim=1)
        which = (wanted @ unit.t()).argmax(1)
        return normed[which] * deviation + mean, which

    def forward(self, part: Tensor) -> Tensor:
        """The part with what the chosen entry has beyond it, as far as confidence goes."""
        entry, _ = self.chosen(part)
        missing = entry - part
        confident: Tensor = self.confidence(missing)
        return part + missing * torch.sigmoid(confident)


def _statistics(features: Tensor) -> tuple[Tensor, Tensor]:
    mean = features.mean((2, 3), keepdim=True)
    return mean, features.std((2, 3), keepdim=True) + 1e-4

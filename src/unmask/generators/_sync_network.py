"""The two encoders of the lip-sync expert."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from unmask.generators._speaking_film import FRAMES


class _Convolution(nn.Sequential):
    def __init__(self, into: int, out: int, stride: int | tuple[int, int] = 1) -> None:
        super().__init__(
            nn.Conv2d(into, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU()
        )


class SyncNetwork(nn.Module):
    """The two encoders, and scale and offset of the cosine between them.

    Args:
        width: Channels of the first layers.
        vector: Numbers in an embedding.
        dropout: Of whole channels.
    """

    def __init__(self, width: int, vector: int, dropout: float) -> None:
        super().__init__()
        self.mouth = nn.Sequential(
            _Convolution(3 * FRAMES, width * 2, 2), _Convolution(width * 2, width * 2),
            _Convolution(width * 2, width * 4, 2), _Convolution(width * 4, width * 4),
            _Convolution(width * 4, width * 8, 2), nn.AdaptiveAvgPool2d((2, 4)), nn.Flatten(),
            nn.Dropout(dropout), nn.Linear(width * 64, vector),
        )  # fmt: skip
        self.voice = nn.Sequential(
            _Convolution(1, width), _Convolution(width, width * 2, (2, 1)),
            _Convolution(width * 2, width * 4, 2), _Convolution(width * 4, width * 4),
            _Convolution(width * 4, width * 8, 2), nn.AdaptiveAvgPool2d((4, 2)), nn.Flatten(),
            nn.Dropout(dropout), nn.Linear(width * 64, vector),
        )  # fmt: skip
        self.scale = nn.Parameter(torch.tensor(8.0))
        self.offset = nn.Parameter(torch.tensor(-2.0))

    def see(self, mouths: Tensor) -> Tensor:
        """(B, 15, S / 2, S) five lower halves, 0..1 -> (B, vector) of length one."""
        return functional.normalize(self.mouth(mouths * 2 - 1), dim=1)

    def hear(self, speech: Tensor) -> Tensor:
        """(B, 16, 80) log-mel -> (B, vector) of length one."""
        bands = speech.transpose(1, 2)[:, None] / 4
        return functional.normalize(self.voice(bands), dim=1)

    def logit(self, cosine: Tensor) -> Tensor:
        """Logit of "in sync" for a cosine."""
        return cosine * self.scale + self.offset

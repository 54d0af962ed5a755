"""Classify, segment and rebuild at once: a Y-shaped autoencoder.

    pixels ── encoder ── code [real half | fake half] ── shared decoder ─┬─ map of forged pixels
                              │                                         └─ rebuilt pixels
                              └── mean magnitude of each half ── logit

The three tasks hold each other up: segmenting says where to look, rebuilding keeps the code from
forgetting what it has not been punished for.

Source: Nguyen, Fang, Yamagishi & Echizen, "Multi-task Learning for Detecting and Segmenting
Manipulated Facial Images and Videos", BTAS 2019, section 3 (figure 3, equations 1-4).
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple, cast

import torch.nn.functional as nnf
from torch import Tensor, nn

from unmask.networks._class_split import (
    CODE_CHANNELS,
    UpBlock,
    activation_logit,
    activation_loss,
    by_class,
    class_activations,
    decoder_sides,
    encoder,
    half_of,
)
from unmask.networks._map_loss import map_loss
from unmask.networks.base import (
    NETWORKS,
    DetectorNetwork,
    NetworkOutput,
    NetworkSpec,
    TrainingBatch,
)

# Equal, as in section 4.1 of the paper.
_ACTIVATION_WEIGHT = _SEGMENTATION_WEIGHT = _RECONSTRUCTION_WEIGHT = 1.0


class _Decoded(NamedTuple):
    maps: Tensor
    pixels: Tensor


class YDecoder(nn.Module):
    """A common stem that forks into a map and a picture.

    Args:
        size: Side of the crops.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        sides = decoder_sides(size)
        self.shared = nn.Sequential(
            UpBlock(CODE_CHANNELS, 64, sides[0]),
            UpBlock(64, 32, sides[1]),
            UpBlock(32, 16, sides[2]),
        )
        self.segmentation = nn.Sequential(UpBlock(16, 8, sides[3]), nn.Conv2d(8, 1, 3, padding=1))
        self.reconstruction = nn.Sequential(UpBlock(16, 8, sides[3]), nn.Conv2d(8, 3, 3, padding=1))

    def forward(self, half: Tensor) -> _Decoded:
        """(B, 128, h, w) -> map logits (B, S, S) and pixels (B, 3, S, S) in -1..1."""
        stem = self.shared(half)
        return _Decoded(self.segmentation(stem).squeeze(1), self.reconstruction(stem).tanh())

    def maps(self, half: Tensor) -> Tensor:
        """(B, 128, h, w) -> map logits (B, S, S) alone."""
        maps: Tensor = self.segmentation(self.shared(half))
        return maps.squeeze(1)


@NETWORKS.register
class MultiTask(DetectorNetwork):
    """Encoder, code split between the classes, and a decoder with two ends."""

    spec: ClassVar = NetworkSpec(
        id="multi-task",
        title="Multi-task (classify, segment, reconstruct)",
        paper="Nguyen et al., Multi-task Learning, BTAS 2019",
        family="generalising",
        input_px=256,
        differs="one map logit a pixel instead of a softmax over two; the decoder repeats and "
        "convolves instead of transposing, and normalises groups instead of the batch",
    )

    def __init__(self, *, input_px: int | None = None, pretrained: bool = False) -> None:
        super().__init__(input_px=input_px, pretrained=pretrained)
        self.encoder = encoder(3)
        self.decoder = YDecoder(self.input_px)

    def forward(self, pixels: Tensor) -> NetworkOutput:
        """(B, 3, S, S) -> logits (B,), features (B, 128), maps (B, S, S).

        In evaluation the half that is stirred more is decoded. In training both are, and
        ``extra`` holds what the losses choose from.
        """
        code = self.encoder(pixels)
        features, real, fake = class_activations(code)
        logits = activation_logit(real, fake)
        if not self.training:
            return NetworkOutput(
                logits, features, self.decoder.maps(half_of(code, fake=logits > 0))
            )
        if_real = self.decoder(half_of(code, fake=False))
        if_fake = self.decoder(half_of(code, fake=True))
        extra = {
            "real_activation": real,
            "fake_activation": fake,
            "maps_if_real": if_real.maps,
            "maps_if_fake": if_fake.maps,
            "pixels_if_real": if_real.pixels,
            "pixels_if_fake": if_fake.pixels,
        }
        maps = by_class(if_real.maps, if_fake.maps, (logits > 0).float())
        return NetworkOutput(logits, features, maps, extra)

    def loss_terms(self, output: NetworkOutput, batch: TrainingBatch) -> dict[str, Tensor]:
        """Activation, segmentation (where the mask is known) and reconstruction losses.

        Source:
            Equations 1 (activation), 2 (cross-entropy of the map), 3 (squared error), 4 (sum).
        """
        extra = cast("dict[str, Tensor]", output.extra)
        maps = by_class(extra["maps_if_real"], extra["maps_if_fake"], batch.y_true)
        rebuilt = by_class(extra["pixels_if_real"], extra["pixels_if_fake"], batch.y_true)
        act = activation_loss(extra["real_activation"], extra["fake_activation"], batch.y_true)
        return {
            "class": _ACTIVATION_WEIGHT * act,
            "segmentation": _SEGMENTATION_WEIGHT * map_loss(maps, batch),
            "reconstruction": _RECONSTRUCTION_WEIGHT * nnf.mse_loss(rebuilt.float(), batch.pixels),
        }

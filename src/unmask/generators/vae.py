"""A variational autoencoder of faces: whole faces from a Gaussian code, and faces repainted.

vae = load_generator(Path("runs/vae"))[0]
faces = vae.sample(16, seed=1, truncation=0.8)
painted = vae.reconstruct(images)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
import torch
from torch import Tensor, nn

from unmask.errors import UsageError
from unmask.generators._face_tensors import (
    channels_last,
    seeded,
    to_images,
    to_pixels,
)
from unmask.generators._picture_figures import psnr_db
from unmask.generators._precision import quick_precision
from unmask.generators._sample_figures import crowd_figures
from unmask.generators._swap_losses import dssim
from unmask.generators._trained_on_faces import TrainedOnFaces
from unmask.generators.base import GENERATORS, Batch, Figures, GeneratorConfig, GeneratorSpec
from unmask.generators.preview_rows import in_rows
from unmask.generators.uses import FaceMaker

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.types import Image

    Pixels = NDArray[np.uint8]

_CPU = torch.device("cpu")
_SHOWN = 8
_LEAST_PX = 4


@dataclass(frozen=True, slots=True)
class VaeConfig(GeneratorConfig):
    """Small enough for two cores.

    Attributes:
        width: Channels after the first halving; they double with every halving, to ``widest``.
        widest: Most channels.
        code: Numbers in a face's code.
        beta: Weight of the divergence, in nats a pixel and channel.
        warm_up: Steps over which that weight rises from nothing; 0: it is there at once.
        structure: Weight of dissimilarity of structure beside the mean distance.
    """

    learning_rate: float = 1e-3
    average_decay: float = 0.995
    width: int = 32
    widest: int = 192
    code: int = 128
    beta: float = 0.35
    warm_up: int = 600
    structure: float = 0.5


class VaeEncoder(nn.Module):
    """(B, 3, S, S) in -1..1 -> mean and log variance of the code, (B, code) each."""

    def __init__(self, size_px: int, width: int, widest: int, code: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for out in _widths(size_px, width, widest):
            layers += [nn.Conv2d(channels, out, 4, 2, 1), _norm(out), nn.SiLU()]
            channels = out
        self.layers = nn.Sequential(*layers)
        self.code = nn.Linear(channels * _LEAST_PX**2, 2 * code)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Encode."""
        mean, spread = self.code(self.layers(pixels).flatten(1)).float().chunk(2, 1)
        return mean, spread.clamp(-8, 4)


class VaeDecoder(nn.Module):
    """(B, code) -> (B, 3, S, S) in -1..1."""

    def __init__(self, size_px: int, width: int, widest: int, code: int) -> None:
        super().__init__()
        widths = _widths(size_px, width, widest)[::-1]
        self.enter = nn.Linear(code, widths[0] * _LEAST_PX**2)
        layers: list[nn.Module] = []
        for before, out in zip(widths, [*widths[1:], width], strict=True):
            layers += [nn.Upsample(scale_factor=2), nn.Conv2d(before, out, 3, 1, 1), _norm(out),
                       nn.SiLU()]  # fmt: skip
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, 3, 3, 1, 1), nn.Tanh())

    def forward(self, code: Tensor) -> Tensor:
        """Decode."""
        x = self.enter(code).reshape(len(code), -1, _LEAST_PX, _LEAST_PX)
        painted: Tensor = self.layers(x)
        return painted.float()


@GENERATORS.register
class Vae(TrainedOnFaces, FaceMaker):
    """See the module's docstring."""

    spec: ClassVar[GeneratorSpec] = GeneratorSpec(
        id="vae",
        title="Variational autoencoder",
        paper="Kingma & Welling, Auto-Encoding Variational Bayes, ICLR 2014; beta: Higgins et "
        "al., ICLR 2017; warm-up: Bowman et al., 2016",
        family="synthesis",
        material="faces",
        selected_by="bound",
        higher_is_better=False,
        differs="mean absolute distance and dissimilarity of structure in place of a likelihood",
    )
    config_class: ClassVar[type[GeneratorConfig]] = VaeConfig
    averaged: ClassVar[tuple[str, ...]] = ("encoder", "decoder")
    small: ClassVar[Mapping[str, Any]] = {
        "size_px": 16, "batch": 4, "width": 8, "widest": 16, "code": 8,
    }  # fmt: skip

    config: VaeConfig

    def build(self) -> dict[str, nn.Module]:
        """Encoder and decoder.

        Raises:
            UsageError: The size is no power of two from 8 on.
        """
        given = self.config
        if given.size_px < 8 or given.size_px & (given.size_px - 1):
            raise UsageError(
                f"size_px = {given.size_px} came; a power of two from 8 on was expected.",
                hint="Use 32, 64 or 128.",
            )
        sizes = (given.size_px, given.width, given.widest, given.code)
        return {
            "encoder": channels_last(VaeEncoder(*sizes)),
            "decoder": channels_last(VaeDecoder(*sizes)),
        }

    def build_optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """Adam over both."""
        return {"both": torch.optim.Adam(self.networks.parameters(), self.config.learning_rate)}

    @property
    def encoder(self) -> VaeEncoder:
        """Faces to codes."""
        return cast("VaeEncoder", self.networks["encoder"])

    @property
    def decoder(self) -> VaeDecoder:
        """Codes to faces."""
        return cast("VaeDecoder", self.networks["decoder"])

    # ------------------------------------------------------------------ training

    def draw_batch(self, rng: np.random.Generator) -> Batch:
        """Faces, mirrored half of the time."""
        faces = self._faces[rng.integers(0, len(self._faces), self.config.batch)]
        mirrored = rng.random(len(faces)) < 0.5
        faces[mirrored] = faces[mirrored, :, ::-1]
        return {"faces": to_pixels(faces, signed=True)}

    def training_step(self, batch: Batch, step: int) -> Figures:
        """One step; the divergence's weight rises over the warm-up."""
        faces = batch["faces"]
        with quick_precision(_CPU):
            mean, spread = self.encoder(faces)
            painted = self.decoder(mean + torch.randn_like(mean) * (spread / 2).exp())
        distance, divergence = self._losses(faces, painted, mean, spread)
        warm = min(1.0, step / self.config.warm_up) if self.config.warm_up else 1.0
        loss = distance + self.config.beta * warm * divergence
        self.descend(loss, "both", clip_norm=1.0)
        return {"distance": float(distance.detach()), "divergence": float(divergence.detach())}

    def _losses(
        self, faces: Tensor, painted: Tensor, mean: Tensor, spread: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Distance of what was painted, and the code's divergence in nats a colour value."""
        structure = dssim((painted + 1) / 2, (faces + 1) / 2)
        distance = (painted - faces).abs().mean() + self.config.structure * structure
        nats = 0.5 * (mean.square() + spread.exp() - 1 - spread).sum(1).mean()
        return distance, nats / faces[0].numel()

    # ---------------------------------------------------------------------- use

    @torch.no_grad()
    def sample(self, count: int, *, seed: int, truncation: float = 1.0) -> Pixels:
        """See :meth:`FaceMaker.sample`; truncation scales the code."""
        code = torch.randn(count, self.config.code, generator=seeded(seed)) * truncation
        return to_images(self.decoder(code), signed=True)

    @torch.no_grad()
    def reconstruct(self, images: Pixels) -> Pixels:
        """Paint faces again from the means of their codes; (N, S, S, 3), S as configured."""
        code = self.encoder(to_pixels(images, signed=True))[0]
        return to_images(self.decoder(code), signed=True)

    # ------------------------------------------------------------------ judging

    @torch.no_grad()
    def held_out_figures(self) -> Figures:
        """The loss on held-out faces (``bound``), its parts, and samples as a crowd."""
        faces = to_pixels(self._held_out, signed=True)
        mean, spread = self.encoder(faces)
        painted = self.decoder(mean)
        distance, divergence = self._losses(faces, painted, mean, spread)
        return {
            "bound": float(distance + self.config.beta * divergence),
            "divergence_nats": float(divergence) * faces[0].numel(),
            "psnr_db": psnr_db(to_images(painted, signed=True), self._held_out),
        } | crowd_figures(self.sample(len(faces), seed=0), self._held_out, self._faces)

    def preview(self) -> Image:
        """Held-out faces, the same repainted, and samples as learned and truncated to 0.7."""
        faces = self._held_out[:_SHOWN]
        samples = self.sample(_SHOWN, seed=1), self.sample(_SHOWN, seed=1, truncation=0.7)
        blank = np.full((_SHOWN - len(faces), *faces.shape[1:]), 255, np.uint8)
        repainted = self.reconstruct(faces)
        return in_rows([*faces, *blank, *repainted, *blank, *samples[0], *samples[1]], _SHOWN)


def _widths(size_px: int, width: int, widest: int) -> list[int]:
    """Channels after each halving, down to 4 px."""
    halvings = (size_px // _LEAST_PX).bit_length() - 1
    return [min(widest, width * 2**number) for number in range(halvings)]


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(next(count for count in (8, 4, 2, 1) if channels % count == 0), channels)

"""A style-based GAN of whole faces, with truncation, style mixing and editing.

Faces belong to nobody, as far as ``nearest_ratio`` says: it compares how near made faces lie to the
training faces with how near faces never seen do.

    gan = load_generator(Path("runs/faces"))[0]
    faces = gan.sample(16, seed=1, truncation=0.7)
    older = gan.edit(16, seed=1, truncation=0.7, edits={"smile": 2.0})
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from unmask.errors import UsageError
from unmask.generators._adaptive_augmentation import AdaptiveAugmentation
from unmask.generators._adversarial_losses import frozen
from unmask.generators._face_tensors import (
    channels_last,
    seeded,
    to_images,
    to_pixels,
)
from unmask.generators._precision import quick_precision
from unmask.generators._sample_figures import crowd_figures
from unmask.generators._style_gan_networks import Discriminator, StyleMapping, Synthesis
from unmask.generators._trained_on_faces import TrainedOnFaces
from unmask.generators.base import GENERATORS, Batch, Figures, GeneratorConfig, GeneratorSpec
from unmask.generators.preview_rows import in_rows
from unmask.generators.uses import FaceMaker

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.generators._face_directions import Directions
    from unmask.types import Image

    Pixels = NDArray[np.uint8]

_CPU = torch.device("cpu")
_MEAN_OF = 4096
_AT_ONCE = 32
_FINE_STYLES_FROM = 4


@dataclass(frozen=True, slots=True)
class StyleGanConfig(GeneratorConfig):
    """Small enough for two cores; the paper's: 512 wide styles, 8 layers, 512 channels, 1024 px.

    Attributes:
        style_width: Width of z and w.
        mapping_layers: Layers from z to w.
        width: Channels at full size; they double with every halving, up to ``widest``.
        widest: Most channels.
        style_mixing: Share of pictures that take styles from two codes.
        r1_weight: Weight of the gradient penalty on real pictures (gamma).
        r1_every: Steps between two penalties.
        augment_target: Certainty of the discriminator at which augmentation stays as it is.
        augment_images: Real pictures over which augmentation may rise from never to always.
    """

    batch: int = 16
    learning_rate: float = 2.5e-3
    average_decay: float = 0.998
    style_width: int = 128
    mapping_layers: int = 4
    width: int = 24
    widest: int = 128
    style_mixing: float = 0.9
    r1_weight: float = 1.0
    r1_every: int = 16
    augment_target: float = 0.6
    augment_images: int = 20_000


@GENERATORS.register
class StyleGan(TrainedOnFaces, FaceMaker):
    """See the module's docstring."""

    spec: ClassVar[GeneratorSpec] = GeneratorSpec(
        id="style_gan",
        title="Style-based GAN",
        paper="Karras et al., Analyzing and Improving the Image Quality of StyleGAN, CVPR 2020",
        family="synthesis",
        material="faces",
        selected_by="sliced_wasserstein",
        higher_is_better=False,
        differs="small widths; convolutions before enlarging; no path length regularisation; "
        "adaptive augmentation (Karras et al., NeurIPS 2020) of fewer kinds",
    )
    config_class: ClassVar[type[GeneratorConfig]] = StyleGanConfig
    averaged: ClassVar[tuple[str, ...]] = ("mapping", "synthesis")
    small: ClassVar[Mapping[str, Any]] = {
        "size_px": 16, "batch": 4, "style_width": 8, "mapping_layers": 2, "width": 4, "widest": 8,
    }  # fmt: skip

    config: StyleGanConfig

    def build(self) -> dict[str, nn.Module]:
        """Mapping, synthesis, discriminator and the state of the augmentation.

        Raises:
            UsageError: The size is no power of two from 16 on.
        """
        given = self.config
        if given.size_px < 16 or given.size_px & (given.size_px - 1):
            raise UsageError(
                f"size_px = {given.size_px} came; a power of two from 16 on was expected.",
                hint="Use 32, 64 or 128.",
            )
        return {
            "mapping": StyleMapping(given.style_width, given.mapping_layers),
            "synthesis": channels_last(
                Synthesis(given.size_px, given.style_width, given.width, given.widest)
            ),
            "discriminator": channels_last(Discriminator(given.size_px, given.width, given.widest)),
            "augmentation": AdaptiveAugmentation(given.augment_target, given.augment_images),
        }

    def build_optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """Adam as in the paper; the lazy penalty's correction is the paper's, too."""
        made = [*self.mapping.parameters(), *self.synthesis.parameters()]
        rate = self.config.learning_rate
        share = self.config.r1_every / (self.config.r1_every + 1)
        return {
            "generator": torch.optim.Adam(made, rate, betas=(0.0, 0.99)),
            "discriminator": torch.optim.Adam(
                self.discriminator.parameters(), rate * share, betas=(0.0, 0.99**share)
            ),
        }

    @property
    def mapping(self) -> StyleMapping:
        """Codes z to styles w."""
        return cast("StyleMapping", self.networks["mapping"])

    @property
    def synthesis(self) -> Synthesis:
        """Styles to pictures."""
        return cast("Synthesis", self.networks["synthesis"])

    @property
    def discriminator(self) -> Discriminator:
        """Pictures to logits."""
        return cast("Discriminator", self.networks["discriminator"])

    @property
    def augmentation(self) -> AdaptiveAugmentation:
        """What lies between pictures and discriminator."""
        return cast("AdaptiveAugmentation", self.networks["augmentation"])

    # ------------------------------------------------------------------ training

    def draw_batch(self, rng: np.random.Generator) -> Batch:
        """Real faces; mirroring is part of the augmentation."""
        chosen = rng.integers(0, len(self._faces), self.config.batch)
        return {"real": to_pixels(self._faces[chosen], signed=True)}

    def training_step(self, batch: Batch, step: int) -> Figures:
        """One step of the discriminator, now and then its penalty, one step of the generator."""
        real = batch["real"]
        figures = self._discriminator_step(real)
        if step % self.config.r1_every == 0:
            figures["r1"] = self._penalty_step(real)
        return figures | self._generator_step(len(real))

    def _discriminator_step(self, real: Tensor) -> Figures:
        with torch.no_grad(), quick_precision(_CPU):
            made = self.synthesis(self._mixed_styles(len(real)))
        both = torch.cat([self.augmentation(real), self.augmentation(made)])
        with quick_precision(_CPU):
            on_real = self.discriminator(both[: len(real)])
            on_made = self.discriminator(both[len(real) :])
        loss = functional.softplus(on_made).mean() + functional.softplus(-on_real).mean()
        self.descend(loss, "discriminator")
        self.augmentation.adapt(on_real.detach())
        return {
            "discriminator": float(loss.detach()),
            "certainty": float(self.augmentation.certainty),
            "augmented": float(self.augmentation.probability),
        }

    def _penalty_step(self, real: Tensor) -> float:
        pixels = self.augmentation(real).detach().requires_grad_(True)
        with quick_precision(_CPU):
            logits = self.discriminator(pixels)
        (slope,) = torch.autograd.grad(logits.sum(), pixels, create_graph=True)
        penalty = slope.float().square().sum((1, 2, 3)).mean()
        weight = self.config.r1_weight / 2 * self.config.r1_every
        self.descend(penalty * weight, "discriminator")
        return float(penalty.detach())

    def _generator_step(self, count: int) -> Figures:
        with frozen(self.discriminator):
            with quick_precision(_CPU):
                made = self.synthesis(self._mixed_styles(count))
            augmented = self.augmentation(made)
            with quick_precision(_CPU):
                logits = self.discriminator(augmented)
            loss = functional.softplus(-logits).mean()
        self.descend(loss, "generator")
        return {"generator": float(loss.detach())}

    def _mixed_styles(self, count: int) -> Tensor:
        """(count, styles, W): most pictures take the coarse styles of one code, then another's."""
        first, second = (self.mapping(torch.randn(count, self.config.style_width)) for _ in "ab")
        styles = self.synthesis.styles
        crossing = torch.randint(1, styles, (count,))
        crossing[torch.rand(count) >= self.config.style_mixing] = styles
        keep = torch.arange(styles)[None] < crossing[:, None]
        return torch.where(keep[..., None], first[:, None], second[:, None])

    # ---------------------------------------------------------------------- use

    def sample(self, count: int, *, seed: int, truncation: float = 1.0) -> Pixels:
        """See :meth:`FaceMaker.sample`; the average face is that of the mean style."""
        return self.paint(self.styles(count, seed=seed, truncation=truncation), seed=seed)

    def edit(
        self, count: int, *, seed: int, truncation: float = 1.0, edits: Mapping[str, float]
    ) -> Pixels:
        """The faces of :meth:`sample` with the same arguments, moved along directions.

        Args:
            count: How many.
            seed: As for :meth:`sample`.
            truncation: As for :meth:`sample`.
            edits: Amount by name of a direction, in standard deviations of what it changes.

        Raises:
            UnknownEntry: There is no such direction.
        """
        shift = sum(
            (amount * torch.from_numpy(self.directions[name]) for name, amount in edits.items()),
            torch.zeros(self.config.style_width),
        )
        styles = self.styles(count, seed=seed, truncation=truncation) + shift
        return self.paint(styles, seed=seed)

    def mixed(
        self, coarse_seed: int, fine_seed: int, count: int, truncation: float = 0.7
    ) -> Pixels:
        """A table of mixed styles, ``count`` x ``count``, row by row.

        Coarse styles (pose, shape) come from the row's face, fine ones (colour, texture) from the
        column's.
        """
        rows = self.styles(count, seed=coarse_seed, truncation=truncation)
        columns = self.styles(count, seed=fine_seed, truncation=truncation)
        mixed = rows.repeat_interleave(count, 0)
        mixed[:, _FINE_STYLES_FROM:] = columns.repeat(count, 1, 1)[:, _FINE_STYLES_FROM:]
        return self.paint(mixed, seed=coarse_seed)

    @cached_property
    def directions(self) -> Directions:
        """Directions of w by name; found on first use, which takes some seconds."""
        from unmask.generators._face_directions import find_directions

        return find_directions(self)

    @torch.no_grad()
    def styles(self, count: int, *, seed: int, truncation: float = 1.0) -> Tensor:
        """(count, styles, W): the same for every layer, drawn towards the mean."""
        z = torch.randn(count, self.config.style_width, generator=seeded(seed))
        mean = self._mean_style
        w: Tensor = mean + truncation * (self.mapping(z) - mean)
        return w[:, None].repeat(1, self.synthesis.styles, 1)

    @torch.no_grad()
    def paint(self, styles: Tensor, *, seed: int) -> Pixels:
        """(N, styles, W) -> (N, S, S, 3) uint8, with the noise of ``seed``."""
        noise = seeded(seed + 1)
        parts = [self.synthesis(part, noise) for part in torch.split(styles, _AT_ONCE)]
        return to_images(torch.cat(parts), signed=True)

    @property
    def _mean_style(self) -> Tensor:
        with torch.no_grad():
            z = torch.randn(_MEAN_OF, self.config.style_width, generator=seeded(0))
            w: Tensor = self.mapping(z)
            return w.mean(0)

    # ------------------------------------------------------------------ judging

    def held_out_figures(self) -> Figures:
        """How a crowd of samples compares with held-out faces; see :mod:`._sample_figures`."""
        made = self.sample(len(self._held_out), seed=0)
        return crowd_figures(made, self._held_out, self._faces)

    def preview(self) -> Image:
        """Four rows of eight: as learned, and the same truncated to 0.7."""
        as_learned = self.sample(16, seed=1)
        return in_rows([*as_learned, *self.sample(16, seed=1, truncation=0.7)], 8)

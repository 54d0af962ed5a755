"""Denoising diffusion of faces: whole ones, and regions painted anew.

One network does both: beside the noisy picture it is given the picture with a region taken out,
and where that region is. For a whole face the region is everything.

    diffusion = load_generator(Path("runs/diffusion"))[0]
    faces = diffusion.sample(8, seed=1)
    closed = diffusion.inpaint(images, masks, seed=1)
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
from unmask.faces.masks import face_mask
from unmask.generators._denoising_unet import DenoisingUNet
from unmask.generators._face_tensors import (
    channels_last,
    resized,
    seeded,
    to_images,
    to_pixels,
)
from unmask.generators._noise_schedule import NoiseSchedule
from unmask.generators._precision import quick_precision
from unmask.generators._region_masks import random_region
from unmask.generators._trained_on_faces import TrainedOnFaces
from unmask.generators.base import GENERATORS, Batch, Figures, GeneratorConfig, GeneratorSpec
from unmask.generators.preview_rows import in_rows
from unmask.generators.uses import FaceInpainter, FaceMaker

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.types import Floats, Image

    Pixels = NDArray[np.uint8]

_CPU = torch.device("cpu")
_WARM_UP = 200
_JUDGED_TIMES = (100, 350, 600, 850)
_JUDGED_FACES = 48
_SHOWN = 8
TARGETS = ("velocity", "noise")


@dataclass(frozen=True, slots=True)
class DiffusionConfig(GeneratorConfig):
    """Small enough for two cores; the paper's: widths 128 to 512, four blocks a size.

    Attributes:
        widths: Channels of the U-Net at half, a quarter, ... of the full size.
        heads: Of attention.
        times: Steps of the noise schedule.
        steps: Implicit steps from noise to picture.
        target: What the network predicts: ``velocity`` or ``noise``.
        whole: Share of training faces that are painted whole; of the rest a region.
    """

    batch: int = 16
    learning_rate: float = 6e-4
    average_decay: float = 0.998
    widths: tuple[int, ...] = (64, 128, 192)
    heads: int = 4
    times: int = 1000
    steps: int = 40
    target: str = "velocity"
    whole: float = 0.6


@GENERATORS.register
class Diffusion(TrainedOnFaces, FaceMaker, FaceInpainter):
    """See the module's docstring."""

    spec: ClassVar[GeneratorSpec] = GeneratorSpec(
        id="diffusion",
        title="Diffusion model",
        paper="Ho et al., Denoising Diffusion Probabilistic Models, NeurIPS 2020; Nichol & "
        "Dhariwal, ICML 2021; Song et al., DDIM, ICLR 2021; regions: Saharia et al., Palette, 2022",
        family="synthesis",
        material="faces",
        selected_by="denoising_error",
        higher_is_better=False,
        differs="predicts velocity (Salimans & Ho 2022) by default, whose loss is that of noise "
        "and picture together; enters as 2 x 2 blocks; small",
    )
    config_class: ClassVar[type[GeneratorConfig]] = DiffusionConfig
    averaged: ClassVar[tuple[str, ...]] = ("unet",)
    small: ClassVar[Mapping[str, Any]] = {
        "size_px": 16, "batch": 4, "widths": (8, 16), "heads": 2, "steps": 3,
    }  # fmt: skip

    config: DiffusionConfig

    def build(self) -> dict[str, nn.Module]:
        """The U-Net.

        Raises:
            UsageError: The size does not halve as often as there are widths, or the target is
                unknown.
        """
        given = self.config
        step = 2 ** len(given.widths)
        if given.size_px % step or given.size_px < step:
            raise UsageError(
                f"size_px = {given.size_px} does not halve {len(given.widths)} times.",
                hint=f"Use a multiple of {step}.",
            )
        if given.target not in TARGETS:
            raise UsageError(
                f"target = {given.target!r} came; {' or '.join(TARGETS)} was expected."
            )
        self.schedule = NoiseSchedule(given.times)
        return {"unet": channels_last(DenoisingUNet(7, given.widths, given.heads))}

    def build_optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """Adam with decoupled weight decay."""
        rate = self.config.learning_rate
        return {"unet": torch.optim.AdamW(self.unet.parameters(), rate, weight_decay=1e-3)}

    @property
    def unet(self) -> DenoisingUNet:
        """The denoising network."""
        return cast("DenoisingUNet", self.networks["unet"])

    # ------------------------------------------------------------------ training

    def draw_batch(self, rng: np.random.Generator) -> Batch:
        """Faces, mirrored half of the time, and regions of them."""
        size = self.config.size_px
        chosen = rng.integers(0, len(self._faces), self.config.batch)
        faces = self._faces[chosen]
        masks = np.ones((len(chosen), size, size), np.float32)
        for number, face in enumerate(chosen):
            if rng.random() >= self.config.whole:
                masks[number] = random_region(self._landmarks[face], size, rng)
            if rng.random() < 0.5:
                faces[number], masks[number] = faces[number, :, ::-1], masks[number, :, ::-1]
        return {"faces": to_pixels(faces, signed=True), "masks": torch.from_numpy(masks)[:, None]}

    def rate_factor(self, step: int) -> float:
        """Warm-up, over 200 steps."""
        return min(1.0, step / _WARM_UP)

    def training_step(self, batch: Batch, step: int) -> Figures:  # noqa: ARG002
        """One step at random times, one in each part of the schedule."""
        count = len(batch["faces"])
        # Spread evenly: the loss differs more between times than between faces.
        spread = (torch.arange(count) + torch.rand(count)) / count
        time = (spread * self.config.times).long()
        loss = self._error(batch["faces"], batch["masks"], torch.randn_like(batch["faces"]), time)
        norm = self.descend(loss, "unet", clip_norm=1.0)
        return {"denoising": float(loss.detach()), "gradient": norm}

    def _error(self, faces: Tensor, masks: Tensor, noise: Tensor, time: Tensor) -> Tensor:
        """Mean square error of the prediction; a known place counts a tenth of an unknown one."""
        noised = self.schedule.noised(faces, noise, time)
        known = faces * (1 - masks)
        with quick_precision(_CPU):
            said = self.unet(torch.cat([noised, known, masks], 1), time)
        wanted = noise
        if self.config.target == "velocity":
            wanted = self.schedule.velocity(faces, noise, time)
        weight = 0.1 + 0.9 * masks
        square = functional.mse_loss(said.float(), wanted, reduction="none").mean(1, keepdim=True)
        error: Tensor = (weight * square).sum() / weight.sum()
        return error

    # ---------------------------------------------------------------------- use

    def sample(self, count: int, *, seed: int, truncation: float = 1.0) -> Pixels:
        """See :meth:`FaceMaker.sample`; truncation scales the noise that it starts from."""
        size = self.config.size_px
        start = torch.randn(count, 3, size, size, generator=seeded(seed)) * truncation
        everything = torch.ones(count, 1, size, size)
        painted = self._painted(torch.zeros(count, 3, size, size), everything, start)
        return to_images(painted, signed=True)

    def inpaint(self, images: Pixels, masks: Floats, *, seed: int) -> Pixels:
        """See :meth:`FaceInpainter.inpaint`; pixels outside the masks stay as they came."""
        size = self.config.size_px
        taken = to_pixels(np.stack([resized(one, size) for one in images]), signed=True)
        wanted = (np.asarray(masks) > 0.5).astype(np.float32)
        small = torch.from_numpy(np.stack([resized(one, size) for one in wanted]))
        region = (small > 0.5).float()[:, None]
        start = torch.randn(len(taken), 3, size, size, generator=seeded(seed))
        painted = to_images(self._painted(taken, region, start), signed=True)
        laid = np.stack([resized(one, images.shape[1]) for one in painted])
        return np.where(wanted[..., None] > 0, laid, images).astype(np.uint8)

    @torch.no_grad()
    def _painted(self, faces: Tensor, masks: Tensor, start: Tensor) -> Tensor:
        known = faces * (1 - masks)

        def velocity_at(noised: Tensor, time: Tensor) -> Tensor:
            with quick_precision(_CPU):
                said: Tensor = self.unet(torch.cat([noised, known, masks], 1), time)
            if self.config.target == "velocity":
                return said
            return self.schedule.velocity_from_noise(noised, said, time)

        painted = self.schedule.way_back(start, self.config.steps, velocity_at)
        return painted * masks + faces * (1 - masks)

    # ------------------------------------------------------------------ judging

    @torch.no_grad()
    def held_out_figures(self) -> Figures:
        """Errors on held-out faces at fixed times with fixed noise; lower is better."""
        faces = to_pixels(self._held_out[:_JUDGED_FACES], signed=True)
        noise = torch.randn(faces.shape, generator=seeded(0))
        everything, regions = torch.ones_like(faces[:, :1]), self._held_out_regions[: len(faces)]
        errors: dict[str, list[float]] = {"denoising_error": [], "region_error": []}
        for time in (round(share * self.config.times / 1000) for share in _JUDGED_TIMES):
            now = torch.full((len(faces),), time)
            errors["denoising_error"].append(float(self._error(faces, everything, noise, now)))
            errors["region_error"].append(float(self._error(faces, regions, noise, now)))
        return {name: float(np.mean(values)) for name, values in errors.items()}

    def preview(self) -> Image:
        """Eight whole faces, then eight held-out faces: as they are, cut, painted anew."""
        whole = self.sample(_SHOWN, seed=1)
        faces = self._held_out[:_SHOWN]
        masks = self._held_out_regions[: len(faces), 0].numpy()
        cut = np.where(masks[..., None] > 0.5, 128, faces).astype(np.uint8)
        return in_rows([*whole, *faces, *cut, *self.inpaint(faces, masks, seed=1)], _SHOWN)

    @cached_property
    def _held_out_regions(self) -> Tensor:
        size = self.config.size_px
        kinds = ("mouth", "inner_hull", "eyes_and_nose", "lower_face")
        drawn = [face_mask(one, size, size, kind=kinds[number % 4], grow=0.06)
                 for number, one in enumerate(self._held_out_landmarks)]  # fmt: skip
        return torch.from_numpy(np.stack(drawn))[:, None]

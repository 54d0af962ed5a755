"""Twofold super-resolution of faces: dense residual blocks, first faithful, then sharp.

Two networks come out of a run: one that is trained for the least distance only, and a copy of it
that then also plays against a discriminator. Use lies between both (``sharpness``).

    restorer = load_generator(Path("runs/esrgan"))[0]
    larger = restorer.restore(track)  # 64 px -> 128 px
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
import torch
from torch import Tensor, nn

from unmask.errors import UsageError
from unmask.generators._adversarial_losses import feature_distance, frozen, relativistic_loss
from unmask.generators._degradation import degraded, reduced
from unmask.generators._dense_residual import Enlarger, SpectralDiscriminator
from unmask.generators._face_tensors import channels_last, to_images, to_pixels
from unmask.generators._picture_figures import psnr_db
from unmask.generators._precision import quick_precision
from unmask.generators._restoration_figures import (
    average_gradients,
    gradient_cosine,
    texture_error,
)
from unmask.generators._trained_on_faces import TrainedOnFaces
from unmask.generators.base import GENERATORS, Batch, Figures, GeneratorConfig, GeneratorSpec
from unmask.generators.preview_rows import in_rows
from unmask.generators.uses import FaceRestorer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.generators.material import FaceTrack
    from unmask.types import Floats, Image

    Pixels = NDArray[np.uint8]

_CPU = torch.device("cpu")
_JUDGED, _SHOWN, _AT_ONCE = 12, 6, 8


@dataclass(frozen=True, slots=True)
class EsrganConfig(GeneratorConfig):
    """Small enough for two cores; the paper's: 64 channels, 23 blocks, growth 32, fourfold.

    Attributes:
        size_px: Side of the large faces that are learned from; half of it comes in. Any size can
            be enlarged later.
        patch_px: Side of the large patches of a training step.
        width: Channels.
        growth: Channels that a convolution of a dense block adds.
        blocks: Blocks of three dense blocks.
        faithful_steps: Steps that aim at the least distance only; then the game begins.
        adversarial: Weight of the game.
        features: Weight of the distance of the discriminator's features.
        sharpness: Where use lies: 0 the faithful network, 1 the sharp one.
        degraded_share: Share of training patches that come with blur, noise and JPEG, too.
    """

    size_px: int = 128
    batch: int = 8
    learning_rate: float = 4e-4
    average_decay: float = 0.99
    patch_px: int = 64
    width: int = 32
    growth: int = 16
    blocks: int = 2
    faithful_steps: int = 1000
    adversarial: float = 0.01
    features: float = 0.05
    sharpness: float = 0.5
    degraded_share: float = 0.3


@GENERATORS.register
class Esrgan(TrainedOnFaces, FaceRestorer):
    """See the module's docstring."""

    spec: ClassVar[GeneratorSpec] = GeneratorSpec(
        id="esrgan",
        title="Super-resolution GAN",
        paper="Wang et al., ESRGAN: Enhanced Super-Resolution GAN, ECCV Workshops 2018",
        family="restoration",
        material="faces",
        selected_by="texture_error",
        higher_is_better=False,
        differs="twofold, small, adds to a bicubic enlargement; features of the discriminator in "
        "place of VGG's; blur, noise and JPEG as in Real-ESRGAN for a share of the patches",
    )
    config_class: ClassVar[type[GeneratorConfig]] = EsrganConfig
    averaged: ClassVar[tuple[str, ...]] = ("faithful", "sharp")
    small: ClassVar[Mapping[str, Any]] = {
        "size_px": 32, "patch_px": 16, "batch": 2, "width": 8, "growth": 4, "blocks": 1,
        "faithful_steps": 1,
    }  # fmt: skip
    scale: int = 2

    config: EsrganConfig

    def build(self) -> dict[str, nn.Module]:
        """The faithful network, its sharp copy, and the discriminator.

        Raises:
            UsageError: Sizes are odd, or the patch is larger than the face.
        """
        given = self.config
        if given.size_px % 2 or given.patch_px % 8 or given.patch_px > given.size_px:
            raise UsageError(
                f"size_px = {given.size_px} and patch_px = {given.patch_px} came; an even side and "
                "a patch that is a multiple of 8 and no larger were expected.",
                hint="Use size_px = 128 and patch_px = 64.",
            )
        faithful = Enlarger(given.width, given.growth, given.blocks)
        sharp = Enlarger(given.width, given.growth, given.blocks)
        sharp.load_state_dict(faithful.state_dict())
        return {
            "faithful": channels_last(faithful),
            "sharp": channels_last(sharp),
            "discriminator": channels_last(SpectralDiscriminator(given.width)),
        }

    def build_optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """Adam for each network."""
        rate = self.config.learning_rate
        return {
            "faithful": torch.optim.Adam(self.faithful.parameters(), rate, betas=(0.9, 0.99)),
            "sharp": torch.optim.Adam(self.sharp.parameters(), rate / 4, betas=(0.9, 0.99)),
            "discriminator": torch.optim.Adam(
                self.discriminator.parameters(), rate / 4, betas=(0.9, 0.99)
            ),
        }

    @property
    def faithful(self) -> Enlarger:
        """Trained for the least distance."""
        return cast("Enlarger", self.networks["faithful"])

    @property
    def sharp(self) -> Enlarger:
        """Trained in the game."""
        return cast("Enlarger", self.networks["sharp"])

    @property
    def discriminator(self) -> SpectralDiscriminator:
        """Tells real patches from made ones."""
        return cast("SpectralDiscriminator", self.networks["discriminator"])

    # ------------------------------------------------------------------ training

    def draw_batch(self, rng: np.random.Generator) -> Batch:
        """Large patches, mirrored half of the time, and small ones made from them."""
        side, count = self.config.patch_px, self.config.batch
        large = np.empty((count, side, side, 3), np.uint8)
        for number, face in enumerate(rng.integers(0, len(self._faces), count)):
            top, left = rng.integers(0, self.config.size_px - side + 1, 2)
            patch = self._faces[face, top : top + side, left : left + side]
            large[number] = patch[:, ::-1] if rng.random() < 0.5 else patch
        small = reduced(large, side // 2)
        for number in range(count):
            if rng.random() < self.config.degraded_share:
                small[number] = degraded(large[number], side // 2, rng)
        return {"small": to_pixels(small, signed=True), "large": to_pixels(large, signed=True)}

    def training_step(self, batch: Batch, step: int) -> Figures:
        """A step of the faithful network, or of the sharp one and its discriminator."""
        small, large = batch["small"], batch["large"]
        if step > self.config.faithful_steps:
            return self._game(small, large)
        with quick_precision(_CPU):
            made = self.faithful(small)
        loss = (made - large).abs().mean()
        self.descend(loss, "faithful", clip_norm=1.0)
        self.sharp.load_state_dict(self.faithful.state_dict())
        return {"distance": float(loss.detach())}

    def _game(self, small: Tensor, large: Tensor) -> Figures:
        with quick_precision(_CPU):
            made = self.sharp(small)
            with frozen(self.discriminator):
                on_real, real_features = self.discriminator(large)
                on_made, made_features = self.discriminator(made)
        distance = (made - large).abs().mean()
        maker = relativistic_loss(on_made, on_real.detach())
        alike = feature_distance(made_features, real_features)
        weighted = self.config.adversarial * maker + self.config.features * alike
        self.descend(distance + weighted, "sharp", clip_norm=1.0)
        with quick_precision(_CPU):
            on_real, on_made = (self.discriminator(one)[0] for one in (large, made.detach()))
        judge = relativistic_loss(on_real, on_made)
        self.descend(judge, "discriminator", clip_norm=1.0)
        parts = {"distance": distance, "maker": maker, "features": alike, "judge": judge}
        return {name: float(value.detach()) for name, value in parts.items()}

    # ---------------------------------------------------------------------- use

    def restore(self, track: FaceTrack) -> Pixels:
        """See :meth:`FaceRestorer.restore`; crops of any side."""
        return self.enlarge(track.images)

    @torch.no_grad()
    def enlarge(self, images: Pixels, *, sharpness: float | None = None) -> Pixels:
        """Enlarge (N, S, S, 3) uint8 pictures twofold.

        Args:
            images: Of any one size.
            sharpness: 0 the faithful network's weights, 1 the sharp one's, between: both mixed
                (ESRGAN, section 3.4). None: as configured.
        """
        share = self.config.sharpness if sharpness is None else sharpness
        sharp = self.sharp.state_dict()
        weights = {
            name: value.lerp(sharp[name], share)
            for name, value in self.faithful.state_dict().items()
        }
        made = [
            torch.func.functional_call(self.faithful, weights, (part,))
            for part in torch.split(to_pixels(images, signed=True), _AT_ONCE)
        ]
        return to_images(torch.cat(made), signed=True)

    # ------------------------------------------------------------------ judging

    def held_out_figures(self) -> Figures:
        """On held-out faces: against bicubic, plainly reduced and degraded.

        ``psnr_db`` is of the configured sharpness; gradient cosines stand for likeness before
        (bicubic) and after, see :mod:`._restoration_figures`.
        """
        large = self._held_out[:_JUDGED]
        small, bad = self._reduced(large)
        plain, restored = reduced(small, large.shape[1]), self.enlarge(small)
        bad_plain, bad_restored = reduced(bad, large.shape[1]), self.enlarge(bad)
        return {
            "psnr_db": psnr_db(restored, large),
            "faithful_psnr_db": psnr_db(self.enlarge(small, sharpness=0), large),
            "bicubic_psnr_db": psnr_db(plain, large),
            "degraded_psnr_db": psnr_db(bad_restored, large),
            "degraded_bicubic_psnr_db": psnr_db(bad_plain, large),
            "texture_error": texture_error(restored, large),
            "bicubic_texture_error": texture_error(plain, large),
            "gradient_cosine_before": gradient_cosine(plain, large, self._average),
            "gradient_cosine_after": gradient_cosine(restored, large, self._average),
        }

    def preview(self) -> Image:
        """Columns: bicubic, faithful, as configured, sharp, original; held-out faces in rows."""
        large = self._held_out[:_SHOWN]
        small, _ = self._reduced(large)
        columns = (
            reduced(small, large.shape[1]),
            *(self.enlarge(small, sharpness=share) for share in (0, self.config.sharpness, 1)),
            large,
        )
        return in_rows([column[row] for row in range(len(large)) for column in columns], 5)

    def _reduced(self, large: Pixels) -> tuple[Pixels, Pixels]:
        """Held-out faces at half size: plainly, and degraded with a fixed seed."""
        rng, half = np.random.default_rng(0), large.shape[1] // 2
        return reduced(large, half), np.stack([degraded(one, half, rng) for one in large])

    @cached_property
    def _average(self) -> Floats:
        return average_gradients(self._faces[:200])

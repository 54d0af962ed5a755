"""Face swap by an autoencoder that also plays against discriminators and paints its own mask.

The decoder's fourth channel is how much of the painted face is laid over what was shown. A patch
discriminator for each person judges the result beside what was shown; losses on edges, on eyes and
mouth and on features sharpen what a mean of squares leaves soft.

Source: the open program "faceswap-GAN" (v2, 2018), which published no paper; its parts are those of
Isola et al. (CVPR 2017), Mao et al. (ICCV 2017) and Zhang et al. (ICLR 2018).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from unmask.generators._adversarial_losses import (
    feature_distance,
    frozen,
    mixed_loss,
    mixing_share,
)
from unmask.generators._face_stock import COLOUR, FACE, PARTS
from unmask.generators._face_tensors import channels_last
from unmask.generators._imagenet_features import ImageNetFeatures
from unmask.generators._patch_discriminator import PatchDiscriminator
from unmask.generators._precision import quick_precision
from unmask.generators._swap_losses import (
    dssim,
    edge_distance,
    error_weight,
    total_variation,
    weighted_mean,
)
from unmask.generators._two_people import SwapConfig, TwoPeopleSwap, halves
from unmask.generators.autoencoder_swap import SharedEncoder
from unmask.generators.base import GENERATORS, Batch, Figures, GeneratorSpec


@dataclass(frozen=True, slots=True)
class AdversarialSwapConfig(SwapConfig):
    """Configuration of the adversarial swap; the program had size_px 64-256, width 64.

    Attributes:
        judge_width: Channels of the discriminators' first convolution.
        judge_rate: Learning rate of the discriminators.
        warm_up: Steps before the discriminators' word counts.
        pixel_loss: Weight of the mean absolute difference, of the painted face and, once more, of
            what comes of laying it over.
        structure_loss: Weight of structural dissimilarity.
        parts: As in other swaps, on top of ``part_loss``, which asks for eyes and mouth apart.
        edge_loss: Weight of the difference of edges.
        part_loss: Weight of the mean absolute difference on eyes and mouth.
        feature_loss: Weight of the difference of the discriminator's features.
        perceptual_loss: Weight of the difference of ImageNet features, where
            ``perceptual_weights`` are given.
        perceptual_weights: An ``.npz`` of MobileNetV2's ImageNet arrays; empty: the
            discriminator's features alone.
        adversarial_loss: Weight of fooling the discriminator.
        cover: Least mean of the painted mask inside the face.
        smooth_mask: Weight of the mask's total variation.
    """

    judge_width: int = 16
    judge_rate: float = 2e-4
    warm_up: int = 300
    pixel_loss: float = 3.0
    structure_loss: float = 1.0
    parts: float = 0.0
    edge_loss: float = 1.0
    part_loss: float = 3.0
    feature_loss: float = 1.0
    perceptual_loss: float = 0.3
    perceptual_weights: str = ""
    adversarial_loss: float = 0.1
    cover: float = 0.9
    smooth_mask: float = 0.1


@GENERATORS.register
class AdversarialSwap(TwoPeopleSwap):
    """Two decoders with masks of their own, two patch discriminators."""

    spec: ClassVar = GeneratorSpec(
        id="adversarial_swap",
        title="Adversarial swap (faceswap-GAN)",
        paper="faceswap-GAN v2, 2018; Isola et al., CVPR 2017",
        family="swap",
        material="two_people",
        selected_by="face_psnr_db",
        higher_is_better=True,
        differs=(
            "no VGG: the perceptual loss matches features of the discriminator and, where their "
            "file is given, of MobileNetV2; no self-attention; DSSIM beside the absolute difference"
        ),
    )
    config_class: ClassVar = AdversarialSwapConfig
    config: AdversarialSwapConfig
    small: ClassVar = {**TwoPeopleSwap.small, "judge_width": 4, "warm_up": 1}
    _seen: ImageNetFeatures | None = None

    def build_networks(self) -> dict[str, nn.Module]:
        """The painter and a discriminator for each person."""
        judges = {f"judge_{person}": PatchDiscriminator(6, self.config.judge_width)
                  for person in "ab"}  # fmt: skip
        painter = SharedEncoder(self.config)
        path = self.config.perceptual_weights
        if self.material is not None and path:
            self._seen = ImageNetFeatures(Path(path))
        return {"generator": channels_last(painter)} | {
            name: channels_last(judge) for name, judge in judges.items()
        }

    def build_optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """One for the painter, one for both discriminators."""
        judges = [*self.networks["judge_a"].parameters(), *self.networks["judge_b"].parameters()]
        rate = self.config.judge_rate
        return {
            **super().build_optimisers(),
            "judges": torch.optim.Adam(judges, rate, betas=(0.5, 0.999), fused=True),
        }

    def training_step(self, batch: Batch, step: int) -> Figures:
        """One step of the painter, then one of the discriminators on the same pictures."""
        playing = step > self.config.warm_up
        shown = batch["bent"][:, COLOUR]
        with quick_precision(shown.device):
            painted = self.painter(shown)
        laid = _laid_over(painted, shown)
        losses = self._likeness(painted, laid, batch["straight"])
        pairs = self._judged_pairs(batch, laid)
        if playing:
            losses |= self._game(pairs)
        self.descend(torch.stack(list(losses.values())).sum(), "generator")
        figures = {name: float(value.detach()) for name, value in losses.items()}
        return figures | {"judges": self._train_judges(pairs)}

    def _likeness(self, painted: Tensor, laid: Tensor, straight: Tensor) -> dict[str, Tensor]:
        config = self.config
        face, parts = straight[:, FACE : FACE + 1], straight[:, PARTS : PARTS + 1]
        wanted, colour, mask = straight[:, COLOUR], painted[:, COLOUR], painted[:, 3:]
        weight = error_weight(face, parts, config.background, config.parts)
        far = (colour - wanted).abs()
        seen = {}
        if self._seen is not None:
            seen["perceived"] = config.perceptual_loss * self._seen.difference(laid, wanted)
        return seen | {
            "pixels": config.pixel_loss * weighted_mean(far, weight),
            "laid": config.pixel_loss * (laid - wanted).abs().mean(),
            "structure": config.structure_loss * dssim(colour, wanted, weight),
            "edges": config.edge_loss * edge_distance(colour, wanted, weight),
            "parts": config.part_loss * weighted_mean(far, parts),
            "cover": (config.cover - weighted_mean(mask, face)).clamp_min(0),
            "smooth": config.smooth_mask * total_variation(mask),
        }

    def _judged_pairs(self, batch: Batch, laid: Tensor) -> list[_JudgedPair]:
        """What each person's judge sees: what was shown beside what was filmed, or painted."""
        shown = batch["bent"][:, COLOUR]
        real = halves(torch.cat([shown, batch["straight"][:, COLOUR]], 1))
        forged = halves(torch.cat([shown, laid], 1))
        judges = (self.networks["judge_a"], self.networks["judge_b"])
        return [
            _JudgedPair(cast("PatchDiscriminator", judge), *pair)
            for judge, pair in zip(judges, zip(real, forged, strict=True), strict=True)
        ]

    def _game(self, pairs: list[_JudgedPair]) -> dict[str, Tensor]:
        judges = nn.ModuleList(one.judge for one in pairs)
        with frozen(judges), quick_precision(pairs[0].real.device):
            fooled = [
                mixed_loss(one.judge, one.real, one.forged, mixing_share(), fooling=True)
                for one in pairs
            ]
            alike = [
                feature_distance(one.judge.features(one.forged), one.judge.features(one.real))
                for one in pairs
            ]
        return {
            "features": self.config.feature_loss * torch.stack(alike).sum(),
            "fooled": self.config.adversarial_loss * torch.stack(fooled).sum(),
        }

    def _train_judges(self, pairs: list[_JudgedPair]) -> float:
        with quick_precision(pairs[0].real.device):
            losses = [
                mixed_loss(one.judge, one.real, one.forged.detach(), mixing_share(), fooling=False)
                for one in pairs
            ]
        total = torch.stack(losses).sum()
        self.descend(total, "judges")
        return float(total.detach())


@dataclass(frozen=True, slots=True, eq=False)
class _JudgedPair:
    """(B, 6, S, S) what was shown beside what was filmed, and beside what was painted."""

    judge: PatchDiscriminator
    real: Tensor
    forged: Tensor


def _laid_over(painted: Tensor, shown: Tensor) -> Tensor:
    """What the mask leaves of the painted face, over what was shown."""
    mask = painted[:, 3:]
    return mask * painted[:, COLOUR] + (1 - mask) * shown

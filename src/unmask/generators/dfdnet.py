"""Dictionary face restoration: blurred eyes, nose and mouth take detail from typical ones.

First the networks learn to repaint good faces; then the encoder stands still, dictionaries of its
features of the training faces are made, and the rest learns to restore degraded faces with them.

    restorer = load_generator(Path("runs/dfdnet"))[0]
    better = restorer.restore(track)
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
from unmask.generators._adversarial_losses import frozen
from unmask.generators._component_dictionary import (
    COMPONENTS,
    ComponentDictionary,
    component_boxes,
    cut_out,
    put_back,
)
from unmask.generators._degradation import degraded, reduced
from unmask.generators._dense_residual import SpectralDiscriminator
from unmask.generators._dictionary_networks import DictionaryDecoder, FeatureEncoder
from unmask.generators._face_tensors import (
    channels_last,
    faces_of,
    landmarks_of,
    to_images,
    to_pixels,
)
from unmask.generators._picture_figures import psnr_db, ssim
from unmask.generators._precision import quick_precision
from unmask.generators._restoration_figures import (
    average_gradients,
    gradient_cosine,
    texture_error,
)
from unmask.generators._swap_losses import dssim
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
_JUDGED, _SHOWN, _AT_ONCE = 24, 8, 16
# Sides of a part in the feature maps at a quarter and an eighth of the face.
_PART_SIDES = (8, 4)


@dataclass(frozen=True, slots=True)
class DfdnetConfig(GeneratorConfig):
    """Small enough for two cores; the paper's: VGG features at four scales, 512 entries, 512 px.

    Attributes:
        width: Channels at half size; a half more with every halving.
        entries: Of each dictionary.
        dictionary_steps: Steps of repainting good faces before the dictionaries are made.
        dictionary_faces: Most faces that the dictionaries are made of.
        worst: Most that a training face is shrunk, as a factor.
        structure: Weight of dissimilarity of structure.
        adversarial: Weight of the game with the discriminator.
        adversarial_from: Step at which that begins.
    """

    size_px: int = 128
    batch: int = 8
    learning_rate: float = 5e-4
    width: int = 32
    entries: int = 32
    dictionary_steps: int = 400
    dictionary_faces: int = 400
    worst: float = 5.0
    structure: float = 0.5
    adversarial: float = 0.01
    adversarial_from: int = 800


@GENERATORS.register
class Dfdnet(TrainedOnFaces, FaceRestorer):
    """See the module's docstring."""

    spec: ClassVar[GeneratorSpec] = GeneratorSpec(
        id="dfdnet",
        title="Dictionary face restoration",
        paper="Li et al., Blind Face Restoration via Deep Multi-scale Component Dictionaries, "
        "ECCV 2020 (DFDNet)",
        family="restoration",
        material="faces",
        selected_by="ssim",
        higher_is_better=True,
        differs="features of an encoder that was trained to repaint faces, not of VGG; two scales; "
        "32 entries; one patch discriminator",
    )
    config_class: ClassVar[type[GeneratorConfig]] = DfdnetConfig
    averaged: ClassVar[tuple[str, ...]] = ("encoder", "decoder", "dictionaries")
    small: ClassVar[Mapping[str, Any]] = {
        "size_px": 32, "batch": 2, "width": 8, "entries": 3, "dictionary_steps": 1,
        "dictionary_faces": 4, "adversarial_from": 2,
    }  # fmt: skip

    config: DfdnetConfig

    def build(self) -> dict[str, nn.Module]:
        """Encoder, decoder, a dictionary for each part and scale, discriminator.

        Raises:
            UsageError: The size is no multiple of 16.
        """
        given = self.config
        if given.size_px % 16:
            raise UsageError(
                f"size_px = {given.size_px} came; a multiple of 16 was expected.",
                hint="Use 64 or 128.",
            )
        width = given.width // 2 * 2
        widths = (width, width * 3 // 2, width * 2)
        dictionaries = {
            f"{part}_{scale}": ComponentDictionary(given.entries, widths[scale + 1], side)
            for part in COMPONENTS
            for scale, side in enumerate(_PART_SIDES)
        }
        return {
            "encoder": channels_last(FeatureEncoder(widths)),
            "decoder": channels_last(DictionaryDecoder(widths)),
            "dictionaries": nn.ModuleDict(dictionaries),
            "discriminator": channels_last(SpectralDiscriminator(width)),
        }

    def build_optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """Adam; the encoder's own stops with the first part of the training."""
        rate = self.config.learning_rate
        rest = [*self.decoder.parameters(), *self.networks["dictionaries"].parameters()]
        return {
            "encoder": torch.optim.Adam(self.encoder.parameters(), rate),
            "decoder": torch.optim.Adam(rest, rate),
            "discriminator": torch.optim.Adam(
                self.networks["discriminator"].parameters(), rate / 2, betas=(0.5, 0.99)
            ),
        }

    @property
    def encoder(self) -> FeatureEncoder:
        """Faces to features."""
        return cast("FeatureEncoder", self.networks["encoder"])

    @property
    def decoder(self) -> DictionaryDecoder:
        """Features to faces."""
        return cast("DictionaryDecoder", self.networks["decoder"])

    # ------------------------------------------------------------------ training

    def draw_batch(self, rng: np.random.Generator) -> Batch:
        """Good faces, the same degraded, and where their parts lie."""
        chosen = rng.integers(0, len(self._faces), self.config.batch)
        good = self._faces[chosen]
        bad = np.stack([self._made_bad(one, rng) for one in good])
        boxes = torch.from_numpy(self._boxes[chosen])
        pixels = {"good": to_pixels(good, signed=True), "bad": to_pixels(bad, signed=True)}
        return pixels | {"boxes": boxes}

    def training_step(self, batch: Batch, step: int) -> Figures:
        """Repaint good faces at first; then restore degraded ones with the dictionaries."""
        first = step <= self.config.dictionary_steps
        if step == self.config.dictionary_steps + 1:
            self._fill_dictionaries()
        good = batch["good"]
        with quick_precision(_CPU):
            own = self.encoder(good if first else batch["bad"])
        if not first:
            own = [one.detach() for one in own]
        made = self._painted(own, None if first else batch["boxes"])
        distance = (made - good).abs().mean()
        loss = distance + self.config.structure * dssim((made + 1) / 2, (good + 1) / 2)
        figures = {"distance": float(distance.detach())}
        playing = step >= self.config.adversarial_from
        if playing:
            loss = loss + self.config.adversarial * self._maker_loss(made)
        trained = ("encoder", "decoder") if first else ("decoder",)
        self.descend(loss, *trained, clip_norm=1.0)
        if playing:
            figures["judge"] = self._judge_step(good, made.detach())
        return figures

    def _painted(self, own: list[Tensor], boxes: Tensor | None) -> Tensor:
        better = own[1:]
        if boxes is not None:
            better = [self._with_parts(one, boxes, scale) for scale, one in enumerate(better)]
        with quick_precision(_CPU):
            painted: Tensor = self.decoder(own, better)
        return painted

    def _with_parts(self, features: Tensor, boxes: Tensor, scale: int) -> Tensor:
        laid = features.float()
        for number, part in enumerate(COMPONENTS):
            dictionary = self._dictionary(part, scale)
            if not dictionary.filled:
                continue
            cut = cut_out(features, boxes[:, number], dictionary.side)
            laid = put_back(laid, dictionary(cut), boxes[:, number])
        return laid

    def _dictionary(self, part: str, scale: int) -> ComponentDictionary:
        kept = cast("nn.ModuleDict", self.networks["dictionaries"])
        return cast("ComponentDictionary", kept[f"{part}_{scale}"])

    @torch.no_grad()
    def _fill_dictionaries(self) -> None:
        faces = to_pixels(self._faces[: self.config.dictionary_faces], signed=True)
        boxes = torch.from_numpy(self._boxes[: self.config.dictionary_faces])
        features = [self.encoder(part)[1:] for part in torch.split(faces, _AT_ONCE)]
        for scale in range(len(_PART_SIDES)):
            whole = torch.cat([one[scale] for one in features])
            for number, part in enumerate(COMPONENTS):
                dictionary = self._dictionary(part, scale)
                dictionary.fill(cut_out(whole, boxes[:, number], dictionary.side), seed=0)

    def _maker_loss(self, made: Tensor) -> Tensor:
        judge = self.networks["discriminator"]
        with frozen(judge), quick_precision(_CPU):
            logits: Tensor = judge(made)[0]
        return -logits.mean()

    def _judge_step(self, good: Tensor, made: Tensor) -> float:
        judge = self.networks["discriminator"]
        with quick_precision(_CPU):
            on_real, on_made = judge(good)[0], judge(made)[0]
        loss = functional.relu(1 - on_real).mean() + functional.relu(1 + on_made).mean()
        self.descend(loss, "discriminator", clip_norm=1.0)
        return float(loss.detach())

    def _made_bad(self, image: Image, rng: np.random.Generator) -> Image:
        side = max(16, round(self.config.size_px / rng.uniform(1.5, self.config.worst)))
        bad = reduced(degraded(image, side, rng)[None], self.config.size_px)
        return np.asarray(bad[0], np.uint8)

    # ---------------------------------------------------------------------- use

    def restore(self, track: FaceTrack) -> Pixels:
        """See :meth:`FaceRestorer.restore`; worked on at ``size_px``, returned at their own."""
        size, side = self.config.size_px, track.images.shape[1]
        boxes = component_boxes(landmarks_of([track], size), size)
        restored = self._restored(faces_of([track], size), boxes)
        return restored if side == size else reduced(restored, side)

    @torch.no_grad()
    def _restored(self, images: Pixels, boxes: Floats) -> Pixels:
        parts = torch.split(to_pixels(images, signed=True), _AT_ONCE)
        where = torch.split(torch.from_numpy(boxes), _AT_ONCE)
        made = [
            self._painted(self.encoder(part), there)
            for part, there in zip(parts, where, strict=True)
        ]
        return to_images(torch.cat(made), signed=True)

    # ------------------------------------------------------------------ judging

    def held_out_figures(self) -> Figures:
        """Restored held-out faces beside the degraded ones, degraded with a fixed seed.

        Gradient cosines stand for likeness before and after; see :mod:`._restoration_figures`.
        """
        good, bad, restored = self._shown(_JUDGED)
        figures: Figures = {}
        for name, made in (("", restored), ("degraded_", bad)):
            figures[f"{name}ssim"] = ssim(made, good)
            figures[f"{name}psnr_db"] = psnr_db(made, good)
            figures[f"{name}texture_error"] = texture_error(made, good)
        figures["gradient_cosine_before"] = gradient_cosine(bad, good, self._average)
        figures["gradient_cosine_after"] = gradient_cosine(restored, good, self._average)
        return figures

    def preview(self) -> Image:
        """Rows: degraded, restored, original held-out faces."""
        good, bad, restored = self._shown(_SHOWN)
        return in_rows([*bad, *restored, *good], len(good))

    def _shown(self, count: int) -> tuple[Pixels, Pixels, Pixels]:
        rng = np.random.default_rng(0)
        good = self._held_out[:count]
        bad = np.stack([self._made_bad(one, rng) for one in good])
        boxes = component_boxes(self._held_out_landmarks[:count], self.config.size_px)
        return good, bad, self._restored(bad, boxes)

    @cached_property
    def _average(self) -> Floats:
        return average_gradients(self._faces[:200])

    @cached_property
    def _boxes(self) -> Floats:
        return component_boxes(self._landmarks, self.config.size_px)

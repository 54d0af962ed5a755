"""First-order motion model: move the face of one picture as the face of a film moves.

A network finds K points and, beside each, the motion's first derivative, in the source and in the
driving picture, without having been told what a face is. From these follow K + 1 affine motions;
a second network chooses between them for every pixel and says what they leave uncovered; the
generator moves the source's features and paints the uncovered.

Source: Siarohin et al., "First Order Motion Model for Image Animation", NeurIPS 2019.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from unmask.errors import UsageError
from unmask.generators._face_tensors import faces_of, spread, to_images, to_pixels
from unmask.generators._imagenet_features import ImageNetFeatures
from unmask.generators.base import (
    GENERATORS,
    Batch,
    Figures,
    GeneratorConfig,
    GeneratorSpec,
)
from unmask.generators.first_order_motion._geometry import Keypoints, RandomWarp, inverse_2x2
from unmask.generators.first_order_motion._losses import (
    equivariance,
    pyramid_l1,
)
from unmask.generators.first_order_motion._networks import KeypointDetector, MotionGenerator
from unmask.generators.uses import FaceAnimator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.generators.material import FaceTrack, Material
    from unmask.types import Image

    Pixels = NDArray[np.uint8]

_FRAMES_CHECKED = 8
_TOGETHER = 16
_TINIEST_SPREAD = 1e-4


@dataclass(frozen=True, slots=True)
class FirstOrderMotionConfig(GeneratorConfig):
    """Sizes and weights, small by default.

    The paper's are 256 px, width 64, ``widest`` 1024, 10 points, shrink 4, hourglasses of width
    32 and 64 with 5 levels, 2 downs and 6 residual blocks.

    Attributes:
        points: Keypoints, K.
        width: Channels of the generator at full size.
        hourglass_width: Of both hourglasses; the dense motion's is twice as wide.
        hourglass_depth: Levels of both.
        widest: No layer has more channels.
        shrink: Points and motion are found at the picture's side over this.
        downs: How often features are halved before they are moved.
        residuals: Residual blocks behind that.
        scales: Sizes at which pixels are compared, each half of the one before.
        pixel_weight: Of the pyramid of pixels.
        feature_weight: Of ImageNet features, where ``perceptual_weights`` are given.
        equivariance_weight: Of points, and of Jacobians.
        perceptual_weights: An ``.npz`` of MobileNetV2's ImageNet arrays; empty: pixels alone.
    """

    learning_rate: float = 2e-4
    points: int = 10
    width: int = 16
    hourglass_width: int = 16
    hourglass_depth: int = 3
    widest: int = 128
    shrink: int = 4
    downs: int = 2
    residuals: int = 3
    scales: int = 4
    pixel_weight: float = 10.0
    feature_weight: float = 2.0
    equivariance_weight: float = 10.0
    perceptual_weights: str = ""

    def __post_init__(self) -> None:
        finest = self.shrink * 2**self.hourglass_depth
        if self.size_px % finest:
            raise UsageError(
                f"size_px = {self.size_px} cannot be reduced {self.shrink} times and then halved "
                f"{self.hourglass_depth} times.",
                hint=f"Choose a multiple of {finest}, or lower hourglass_depth.",
            )


@GENERATORS.register
class FirstOrderMotion(FaceAnimator):
    """Keypoints with Jacobians, dense motion, occlusion, and a generator that moves features."""

    spec: ClassVar = GeneratorSpec(
        id="first_order_motion",
        title="First-order motion",
        paper="Siarohin et al., First Order Motion Model for Image Animation, NeurIPS 2019",
        family="reenactment",
        material="films",
        selected_by="l1_share_of_repeat",
        higher_is_better=False,
        differs=(
            "pixels at four scales and, where given, MobileNetV2 features stand for VGG-19's; "
            "features are moved at every size below the full one, and the moved source shows "
            "through where it is visible (as in the authors' Articulated Animation, CVPR 2021); "
            "smaller"
        ),
    )
    config: FirstOrderMotionConfig
    config_class: ClassVar = FirstOrderMotionConfig
    averaged: ClassVar = ("keypoints", "generator")
    small: ClassVar = {
        "size_px": 32, "batch": 2, "width": 8, "hourglass_width": 4, "hourglass_depth": 2,
        "residuals": 1, "scales": 2,
    }  # fmt: skip

    def build(self) -> dict[str, nn.Module]:
        """Keypoints, and the generator with its dense motion."""
        config = self.config
        depth, shrink = config.hourglass_depth, config.shrink
        keypoints = KeypointDetector(
            config.points, config.hourglass_width, depth, shrink, config.widest
        )
        generator = MotionGenerator(
            points=config.points,
            width=config.width,
            downs=config.downs,
            residuals=config.residuals,
            motion_width=2 * config.hourglass_width,
            depth=depth,
            shrink=shrink,
            widest=config.widest,
        )
        if self.material is not None:
            self._films = _films(self.material.tracks, config.size_px)
            self._pairs = _held_out_pairs(self.material, config.size_px)
            path = config.perceptual_weights
            self._features = ImageNetFeatures(Path(path)) if path else None
        return {"keypoints": keypoints, "generator": generator}

    def build_optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """One Adam over all, as in the paper."""
        weights = self.networks.parameters()
        rate = self.config.learning_rate
        return {"all": torch.optim.Adam(weights, rate, betas=(0.5, 0.999), fused=True)}

    def draw_batch(self, rng: np.random.Generator) -> Batch:
        """Two frames each of ``batch`` films, mirrored and lit alike."""
        sources, drivings = [], []
        for _ in range(self.config.batch):
            film = self._films[int(rng.integers(len(self._films)))]
            frames = film[rng.choice(len(film), 2, replace=False)]
            if rng.random() < 0.5:
                frames = frames[:, :, ::-1]
            light = rng.uniform(0.8, 1.2, 3).astype(np.float32) * np.float32(rng.uniform(0.8, 1.2))
            shift = float(np.float32(rng.uniform(-0.1, 0.1)))
            pixels = to_pixels(frames, signed=False) * torch.from_numpy(light)[:, None, None]
            source, driving = (pixels + shift).clamp(0, 1).unbind()
            sources.append(source)
            drivings.append(driving)
        return {"source": torch.stack(sources).contiguous(),
                "driving": torch.stack(drivings).contiguous()}  # fmt: skip

    def training_step(self, batch: Batch, step: int) -> Figures:  # noqa: ARG002
        """Reconstruct the driving frames from the sources; bend them for equivariance."""
        config = self.config
        source, driving = batch["source"], batch["driving"]
        found: Keypoints = self.networks["keypoints"](torch.cat([source, driving]))
        at, to = found.row(0, len(source)), found.row(len(source), len(found.value))
        made = self.networks["generator"](source, at, to)
        how = RandomWarp(len(driving))
        bent: Keypoints = self.networks["keypoints"](how.of(driving))
        value, slope = equivariance(to, bent, how)
        pixels = pyramid_l1(made, driving, config.scales)
        loss = config.pixel_weight * pixels + config.equivariance_weight * (value + slope)
        figures = {"pixels": pixels, "points": value, "jacobians": slope}
        if self._features is not None:
            figures["features"] = self._features.difference(made, driving)
            loss = loss + config.feature_weight * figures["features"]
        self.descend(loss, "all")
        return {"loss": loss.item(), **{name: part.item() for name, part in figures.items()}}

    def held_out_figures(self) -> Figures:
        """L1 (0..1) of reconstruction beside that of repeating the source picture.

        Of a film whose beginning was trained on, the source is its very first frame and its end
        is driven by (``tails``); of one that is held out whole, all but the first frame
        (``unseen``). Motion is absolute, as in the paper's reconstruction.
        """
        sums: dict[str, list[float]] = {}
        for kind, source, frames in self._pairs:
            made = self._moved(source, frames, relative=False).astype(np.float64)
            truth = frames.astype(np.float64)
            l1 = float(np.abs(made - truth).mean()) / 255
            still = float(np.abs(source.astype(np.float64) - truth).mean()) / 255
            for name in (kind, ""):
                total = sums.setdefault(name, [0.0, 0.0, 0.0])
                for place, value in enumerate((l1 * len(frames), still * len(frames), len(frames))):
                    total[place] += value
        l1, still, count = sums.pop("")
        figures = {"l1": l1 / count, "l1_of_repeat": still / count}
        figures["l1_share_of_repeat"] = l1 / max(still, 1e-9)
        for kind, total in sums.items():
            figures[f"l1_share_of_repeat_{kind}"] = total[0] / max(total[1], 1e-9)
        return figures

    def preview(self) -> Image:
        """Rows of source, then driving and animated in turn: four own films, two of others."""
        rows = [_strip(source, frames, self._moved(source, frames[_three(frames)], relative=False))
                for _, source, frames in self._pairs[:4]]  # fmt: skip
        for number in range(min(2, len(self._pairs) - 1)):
            source, frames = self._pairs[number][1], self._pairs[number + 1][2]
            rows.append(
                _strip(source, frames, self._moved(source, frames[_three(frames)], relative=True))
            )
        return np.concatenate(rows)

    def animate(self, source: FaceTrack, driving: FaceTrack, *, relative: bool = True) -> Pixels:
        """Animate one picture; see :meth:`FaceAnimator.animate`.

        Raises:
            UsageError: There is no source picture, or no driving frame.
        """
        for name, track in (("source", source), ("driving film", driving)):
            if not len(track):
                raise UsageError(
                    f"The {name} {track.name or 'given'} holds no face.",
                    hint="Give a picture and a film in which a face is found.",
                )
        size = self.config.size_px
        picture = faces_of([source.part(0, 1)], size)[0]
        return self._moved(picture, faces_of([driving], size), relative=relative)

    @torch.no_grad()
    def _moved(self, source: Pixels, frames: Pixels, *, relative: bool) -> Pixels:
        trains = self.networks.training
        self.networks.eval()
        keypoints, generator = self.networks["keypoints"], self.networks["generator"]
        picture = _planes(source[None])
        at: Keypoints = keypoints(picture)
        first: Keypoints = keypoints(_planes(frames[:1]))
        made = []
        for start in range(0, len(frames), _TOGETHER):
            part = _planes(frames[start : start + _TOGETHER])
            to: Keypoints = keypoints(part)
            if relative:
                to = transferred(at, to, first)
            made.append(
                generator(picture.expand(len(part), -1, -1, -1), at.repeated(len(part)), to)
            )
        self.networks.train(trains)
        return to_images(torch.cat(made), signed=False)


def transferred(source: Keypoints, driving: Keypoints, first: Keypoints) -> Keypoints:
    """The source's points, moved as the driving film's have moved since its first frame.

    Movements are scaled by how far apart the points lie in the source against the first frame.

    Args:
        source: Points of one picture.
        driving: Points of T frames.
        first: Points of the driving film's first frame.

    Source: section 3.3, "Animation". The scaling is ours: the paper assumes faces of like size.
    """
    spread = [points.value.std(1).mean().clamp_min(_TINIEST_SPREAD) for points in (source, first)]
    value = source.value + (driving.value - first.value) * (spread[0] / spread[1])
    turn = driving.jacobian @ inverse_2x2(first.jacobian)
    return Keypoints(value, turn @ source.jacobian)


def _films(tracks: Sequence[FaceTrack], size_px: int) -> list[Pixels]:
    films = [faces_of([track], size_px) for track in tracks if len(track) > 1]
    if not films:
        raise UsageError(
            "No film has two frames with a face; motion cannot be learned from pictures.",
            hint="Give films.",
        )
    return films


def _held_out_pairs(material: Material, size_px: int) -> list[tuple[str, Pixels, Pixels]]:
    """(tails or unseen, source (S, S, 3), driving (T, S, S, 3)) of every held-out film."""
    starts = {track.name: track for track in material.tracks}
    pairs = []
    for track in material.held_out:
        seen = track.name in starts
        frames = faces_of([track], size_px)
        source = faces_of([starts[track.name].part(0, 1)], size_px)[0] if seen else frames[0]
        driving = frames if seen else frames[1:]
        if len(driving):
            kind = "tails" if seen else "unseen"
            pairs.append((kind, source, driving[spread(len(driving), _FRAMES_CHECKED)]))
    if not pairs:
        raise UsageError(
            "No held-out film has two frames with a face, so nothing could be measured.",
            hint="Hold out longer films, or the ends of those that are trained on.",
        )
    return pairs


def _planes(images: Pixels) -> Tensor:
    """(B, S, S, 3) uint8 -> (B, 3, S, S) 0..1, plane after plane as the networks are laid out."""
    return to_pixels(images, signed=False).contiguous()


def _three(frames: Pixels) -> NDArray[np.int64]:
    return np.linspace(0, len(frames) - 1, 3).round().astype(np.int64)


def _strip(source: Pixels, frames: Pixels, animated: Pixels) -> Pixels:
    """A row of a preview: the source, then driving and animated in turn."""
    cells = [source]
    for real, made in zip(frames[_three(frames)], animated, strict=True):
        cells += [real, made]
    return np.concatenate(cells, 1)

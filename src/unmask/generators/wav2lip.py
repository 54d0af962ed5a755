"""Lip-sync from speech: paint the lower half of a face so that it says what is heard.

The generator sees the upper half of a frame, a whole reference frame of the same person, and 0.2 s
of speech around the frame. What it paints is compared with the true frame and, where an expert
that is good enough is given, judged by it.

Source: Prajwal et al., "A Lip Sync Expert Is All You Need for Speech to Lip Generation In the
Wild", ACM Multimedia 2020 (the variant without the visual-quality discriminator).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from unmask.errors import UsageError
from unmask.faces.topology import FACE_OVAL
from unmask.generators._face_tensors import (
    check_side,
    faces_of,
    landmarks_of,
    spread,
    to_images,
    to_pixels,
)
from unmask.generators._mel import checked_speech, columns_at, log_mel
from unmask.generators._speaking_film import (
    COLUMNS,
    FRAME_RATE,
    FRAMES,
    WINDOW_S,
    SpeakingFilm,
    speaking_films,
)
from unmask.generators.base import GENERATORS, Batch, Figures, GeneratorConfig, GeneratorSpec
from unmask.generators.preview_rows import titled_columns
from unmask.generators.sync_net import SyncNet, good_expert
from unmask.generators.uses import LipSyncer, PaintedFaces

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.generators.material import FaceTrack
    from unmask.types import Floats, Image

    Pixels = NDArray[np.uint8]

_NOSE_BASE = 2
_BEFORE = FRAMES // 2  # the speech of a frame begins so many frames before it
_WINDOWS_CHECKED = 6
_TOGETHER = 16


@dataclass(frozen=True, slots=True)
class Wav2LipConfig(GeneratorConfig):
    """Sizes and weights; the paper's are 96 px, width 16 and twice the layers, batch 80.

    Attributes:
        batch: Frames a step, in windows of five.
        width: Channels at full size.
        expert: Folder of a run of ``sync_net``; empty: pixels alone.
        expert_accuracy: Held-out accuracy that the expert must have reached.
        sync_weight: Of the expert's judgement; pixels have the rest.
        mouth_weight: Of pixels inside the lower face, beside 1 for the rest of the lower half.
    """

    batch: int = 20
    learning_rate: float = 5e-4
    width: int = 16
    expert: str = ""
    expert_accuracy: float = 0.75
    sync_weight: float = 0.03
    mouth_weight: float = 4.0

    def __post_init__(self) -> None:
        check_side(self.size_px, 16)
        if self.batch < FRAMES:
            raise UsageError(
                f"A batch of {self.batch} frames came; windows have {FRAMES}.",
                hint=f"Give a batch of at least {FRAMES}.",
            )


def _block(into: int, out: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(into, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU()
    )


class LipPainter(nn.Module):
    """U-Net over the face with the speech's vector at its narrowest place.

    Args:
        width: Channels at full size.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        widths = [width, width * 2, width * 4, width * 8, width * 8]
        self.first = _block(6, width)
        self.down = nn.ModuleList(_block(into, out, 2) for into, out in pairwise(widths))
        self.voice = nn.Sequential(
            _block(1, width), _block(width, width * 2, 2), _block(width * 2, width * 4, 2),
            _block(width * 4, width * 8, 2), nn.Flatten(), nn.Linear(width * 8 * 20, width * 8),
            nn.ReLU(),
        )  # fmt: skip
        self.meet = nn.Sequential(_block(width * 16, width * 8), _block(width * 8, width * 8))
        self.up = nn.ModuleList(
            _block(out + into, into) for into, out in reversed(list(pairwise(widths)))
        )
        self.last = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, faces: Tensor, speech: Tensor) -> Tensor:
        """Paint.

        Args:
            faces: (B, 6, S, S) 0..1: the frame with its lower half black, and the reference.
            speech: (B, 16, 80) log-mel.

        Returns:
            (B, 3, S, S) 0..1.
        """
        levels = [self.first(faces * 2 - 1)]
        for block in self.down:
            levels.append(block(levels[-1]))
        x = levels.pop()
        voice = self.voice(speech.transpose(1, 2)[:, None] / 4)
        x = self.meet(torch.cat([x, voice[:, :, None, None].expand(-1, -1, *x.shape[2:])], 1))
        for block in self.up:
            x = functional.interpolate(x, scale_factor=2.0, mode="nearest")
            x = block(torch.cat([x, levels.pop()], 1))
        painted: Tensor = self.last(x).sigmoid()
        return painted


@GENERATORS.register
class Wav2Lip(LipSyncer):
    """Paints mouths to speech."""

    spec: ClassVar = GeneratorSpec(
        id="wav2lip",
        title="Lip-sync from speech",
        paper="Prajwal et al., A Lip Sync Expert Is All You Need for Speech to Lip Generation In "
        "the Wild, ACM Multimedia 2020",
        family="lip_sync",
        material="speaking_films",
        selected_by="mouth_l1",
        higher_is_better=False,
        differs=(
            "no visual-quality discriminator; smaller, without residual layers; only the lower "
            "half is compared, the lower face more than what surrounds it"
        ),
    )
    config: Wav2LipConfig
    config_class: ClassVar = Wav2LipConfig
    small: ClassVar = {"size_px": 32, "batch": 5, "width": 4}

    def build(self) -> dict[str, nn.Module]:
        """The painter; the expert is no part of it."""
        config = self.config
        self._expert: SyncNet | None = None
        if self.material is not None:
            # Two windows that do not overlap: one is painted, the other is its reference.
            films = (
                speaking_films(tracks, config.size_px, at_least=1)
                for tracks in (self.material.tracks, self.material.held_out)
            )
            self._films, self._held_out = (_long_enough(some, config.size_px) for some in films)
            if config.expert:
                self._expert = good_expert(
                    Path(config.expert), config.expert_accuracy, self.material.margin
                )
        return {"generator": LipPainter(config.width)}

    def build_optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """Adam, as in the paper."""
        weights = self.networks.parameters()
        return {"generator": torch.optim.Adam(weights, self.config.learning_rate, fused=True)}

    def draw_batch(self, rng: np.random.Generator) -> Batch:
        """Windows of five frames, mirrored and lit alike with their references."""
        parts: list[tuple[Floats, ...]] = []
        for _ in range(self.config.batch // FRAMES):
            film, masks = self._films[int(rng.integers(len(self._films)))]
            start = int(rng.choice(film.whole))
            away = film.whole[np.abs(film.whole - start) >= FRAMES]
            part = _cut(film, masks, start, int(rng.choice(away)))
            parts.append(_varied(part, rng))
        names = ("truth", "reference", "mask", "speech", "heard")
        columns = zip(*parts, strict=True)
        return {
            name: torch.from_numpy(np.concatenate(column))
            for name, column in zip(names, columns, strict=True)
        }

    def training_step(self, batch: Batch, step: int) -> Figures:  # noqa: ARG002
        """Pixels of the lower half and, where there is an expert, its judgement."""
        made = self._painted(batch["truth"], batch["reference"], batch["speech"])
        half = made.shape[2] // 2
        weight = (1 + self.config.mouth_weight * batch["mask"])[:, None, half:]
        error = (made - batch["truth"])[:, :, half:].abs()
        pixels = (error * weight).sum() / (weight.sum() * 3)
        loss, figures = pixels, {"pixels": pixels.item()}
        if self._expert is not None:
            unlike = functional.softplus(-self._judged(self._expert, made, batch["heard"])).mean()
            share = self.config.sync_weight
            loss = (1 - share) * pixels + share * unlike
            figures["sync"] = unlike.item()
        self.descend(loss, "generator")
        return {"loss": loss.item(), **figures}

    @torch.no_grad()
    def held_out_figures(self) -> Figures:
        """L1 (0..1) inside the lower face of held-out windows, references from far away.

        ``mouth_l1_of_reference``: the reference itself in place of what was painted.
        ``mouth_l1_other_speech``: painted to speech of another time of the film. Where it is no
        larger than ``mouth_l1``, the generator does not listen.
        """
        made_l1, still_l1, deaf_l1, fits, count = 0.0, 0.0, 0.0, 0.0, 0.0
        for film, masks in self._held_out:
            for start, other in _held_out_windows(film):
                truth, reference, mask, speech, heard = (
                    torch.from_numpy(part) for part in _cut(film, masks, start, other)
                )
                wrong = torch.from_numpy(_speech_of(film, other))
                made = self._painted(truth, reference, speech)
                made_l1 += _masked_l1(made, truth, mask)
                still_l1 += _masked_l1(reference, truth, mask)
                deaf_l1 += _masked_l1(self._painted(truth, reference, wrong), truth, mask)
                if self._expert is not None:
                    fits += float(self._judged(self._expert, made, heard).sigmoid().mean())
                count += 1
        figures = {
            "mouth_l1": made_l1 / count,
            "mouth_l1_of_reference": still_l1 / count,
            "mouth_l1_other_speech": deaf_l1 / count,
        }
        return figures | ({"expert_agrees": fits / count} if self._expert is not None else {})

    @torch.no_grad()
    def preview(self) -> Image:
        """Columns: true frame, reference, painted to its own speech, and to another time's."""
        columns: dict[str, list[Tensor]] = {"true": [], "reference": [], "own": [], "other": []}
        for film, masks in self._held_out[:6]:
            start, other = _held_out_windows(film)[0]
            truth, reference, _, speech, _ = (
                torch.from_numpy(part) for part in _cut(film, masks, start, other)
            )
            wrong = torch.from_numpy(_speech_of(film, other))
            shown = (truth, reference, self._painted(truth, reference, speech),
                     self._painted(truth, reference, wrong))  # fmt: skip
            for column, pixels in zip(columns.values(), shown, strict=True):
                column.append(pixels[_BEFORE])
        return titled_columns(
            {name: to_images(torch.stack(some), signed=False) for name, some in columns.items()}
        )

    @torch.no_grad()
    def dub(self, track: FaceTrack, audio: Floats) -> PaintedFaces:
        """Paint mouths to speech; see :meth:`LipSyncer.dub`.

        As in the paper, each frame is its own reference. Masks cover the lower face.

        Raises:
            UsageError: The track is empty.
            InputError: The speech is missing, silent or shorter than the track.
        """
        if not len(track):
            raise UsageError(
                f"{track.name or 'The film'} shows no face.", hint="Give a film with a face."
            )
        until_s = float(track.pts_s[-1])
        speech = checked_speech(audio, track.name, until_s=until_s, shortest_s=WINDOW_S)
        columns = columns_at(log_mel(speech), track.pts_s - _BEFORE / FRAME_RATE, COLUMNS)
        size = self.config.size_px
        images, landmarks = faces_of([track], size), landmarks_of([track], size)
        made = []
        for first in range(0, len(images), _TOGETHER):
            pixels = to_pixels(images[first : first + _TOGETHER], signed=False).contiguous()
            heard = torch.from_numpy(columns[first : first + _TOGETHER])
            made.append(to_images(self._painted(pixels, pixels, heard), signed=False))
        painted = np.concatenate(made)
        painted[:, : size // 2] = images[:, : size // 2]
        return PaintedFaces(painted, lower_face_masks(landmarks, size))

    def _painted(self, truth: Tensor, reference: Tensor, speech: Tensor) -> Tensor:
        """(B, 3, S, S): what is painted, below the upper half of ``truth``."""
        half = truth.shape[2] // 2
        upper = truth.clone()
        upper[:, :, half:] = 0
        made: Tensor = self.networks["generator"](torch.cat([upper, reference], 1), speech)
        return torch.cat([truth[:, :, :half], made[:, :, half:]], 2)

    @staticmethod
    def _judged(judge: SyncNet, made: Tensor, heard: Tensor) -> Tensor:
        """The expert's logits of windows of five painted frames."""
        side = judge.config.size_px
        if made.shape[2] != side:
            size = (side, side)
            made = functional.interpolate(made, size, mode="bilinear", align_corners=False)
        mouths = made[:, :, side // 2 :]
        five = mouths.reshape(-1, FRAMES * 3, *mouths.shape[2:])
        expert = judge.expert
        cosine = (expert.see(five) * expert.hear(heard)).sum(1)
        return expert.logit(cosine)


def lower_face_masks(landmarks: Floats, size_px: int) -> Floats:
    """(T, S, S) float32 0..1: from the base of the nose to the chin, in the lower half only.

    Args:
        landmarks: (T, 468, 2) in pixels of crops that are upright.
        size_px: Side of the crops, S.
    """
    masks = np.zeros((len(landmarks), size_px, size_px), np.float32)
    inset = max(1, round(0.03 * size_px))
    kernel = np.ones((2 * inset + 1, 2 * inset + 1), np.uint8)
    for points, mask in zip(landmarks, masks, strict=True):
        oval, top = points[list(FACE_OVAL)], float(points[_NOSE_BASE, 1])
        below = oval[oval[:, 1] >= top]
        edges = np.array([[oval[:, 0].min(), top], [oval[:, 0].max(), top]], np.float32)
        hull = cv2.convexHull(np.concatenate([below, edges]).round().astype(np.int32))
        drawn = cv2.fillConvexPoly(np.zeros((size_px, size_px), np.uint8), hull, 1)
        # Eroded by as much as the blur spreads, so that the seam lies inside the face.
        soft = cv2.GaussianBlur(cv2.erode(drawn, kernel).astype(np.float32), (0, 0), inset / 2)
        mask[size_px // 2 :] = soft[size_px // 2 :]
    return masks


def _long_enough(films: list[SpeakingFilm], size_px: int) -> list[tuple[SpeakingFilm, Floats]]:
    """Films with two windows that do not overlap, and their masks."""
    kept = [film for film in films if len(film.whole) and np.ptp(film.whole) >= 2 * FRAMES]
    if not kept:
        raise UsageError(
            "No film shows a speaking face for 0.6 s on end.", hint="Give longer films."
        )
    return [(film, lower_face_masks(film.landmarks, size_px)) for film in kept]


def _cut(film: SpeakingFilm, masks: Floats, start: int, reference: int) -> tuple[Floats, ...]:
    """Five true frames, references, masks, each frame's speech, and the whole window's."""
    shown, other = (
        to_pixels(film.images[first : first + FRAMES], signed=False).contiguous().numpy()
        for first in (start, reference)
    )
    heard = _speech_of(film, start), film.speech[start : start + 1]
    return shown, other, masks[start : start + FRAMES], *heard


def _speech_of(film: SpeakingFilm, start: int) -> Floats:
    """(5, 16, 80): the speech around each of five frames."""
    columns: Floats = film.speech[(np.arange(start, start + FRAMES) - _BEFORE).clip(0)]
    return columns


def _varied(part: tuple[Floats, ...], rng: np.random.Generator) -> tuple[Floats, ...]:
    truth, reference, mask, speech, heard = part
    if rng.random() < 0.5:
        truth, reference, mask = (
            np.ascontiguousarray(some[..., ::-1]) for some in (truth, reference, mask)
        )
    light = rng.uniform(0.85, 1.15, (3, 1, 1)).astype(np.float32)
    shift = np.float32(rng.uniform(-0.08, 0.08))
    truth, reference = (
        np.asarray((some * light + shift).clip(0, 1), np.float32) for some in (truth, reference)
    )
    return truth, reference, mask, speech, heard


def _held_out_windows(film: SpeakingFilm) -> list[tuple[int, int]]:
    """(start, reference) of a few windows, the reference half the film away."""
    starts = film.spoken if len(film.spoken) else film.whole
    chosen = starts[spread(len(starts), _WINDOWS_CHECKED)]
    far = [film.whole[np.abs(film.whole - start).argmax()] for start in chosen]
    return [(int(start), int(other)) for start, other in zip(chosen, far, strict=True)]


def _masked_l1(made: Tensor, truth: Tensor, mask: Tensor) -> float:
    weight = mask[:, None]
    return float(((made - truth).abs() * weight).sum() / (weight.sum() * 3).clamp_min(1e-6))

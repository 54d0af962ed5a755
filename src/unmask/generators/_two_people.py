"""What all swaps between two people share: batches, held-out figures, the preview, use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
import torch
from torch import Tensor, nn

from unmask.errors import UsageError
from unmask.generators._face_stock import COLOUR, FACE, FaceStock, colour_images, stock_of
from unmask.generators._face_tensors import check_side, faces_of, spread, to_pixels
from unmask.generators._picture_figures import psnr_db, ssim
from unmask.generators._warped_batch import Warping, recolour, warped_pairs
from unmask.generators.base import Batch, Figures, GeneratorConfig
from unmask.generators.preview_rows import titled_columns
from unmask.generators.uses import FaceSwapper, PaintedFaces

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unmask.generators.material import FaceTrack, Material
    from unmask.types import Image

_AT_ONCE = 32
_PREVIEW_ROWS = 6


@dataclass(frozen=True, slots=True)
class SwapConfig(GeneratorConfig):
    """What swaps between two people are configured by.

    Attributes:
        width: Channels of the first convolution; the papers' programs have 128.
        decoder_width: Channels of the decoders' last doubling.
        code: Numbers that the dense middle leaves of a face.
        background: What an error beyond the face counts, on the face 1.
        parts: How much more an error counts on eyes and mouth.
        bend: Deviation of the warp's knots, as a share of the side.
        turn_deg: Largest random rotation.
        flip: Share of mirrored faces; 0 for people whose two sides differ.
        jitter: Deviation of random brightness.
        transfer: Share of faces that are given the colours of the other person.
    """

    batch: int = 12
    learning_rate: float = 8e-4
    width: int = 32
    decoder_width: int = 12
    code: int = 256
    background: float = 0.3
    parts: float = 2.0
    bend: float = 0.03
    turn_deg: float = 10.0
    flip: float = 0.5
    jitter: float = 0.06
    transfer: float = 0.2

    @property
    def warping(self) -> Warping:
        """How far training faces are moved and bent."""
        return Warping(bend=self.bend, turn_deg=self.turn_deg, flip=self.flip)


def halves(both: Tensor) -> tuple[Tensor, Tensor]:
    """What belongs to the first person, and what to the second."""
    half = len(both) // 2
    return both[:half], both[half:]


class TwoPersonPainter(nn.Module):
    """A network that paints either of two people."""

    def paint(self, pixels: Tensor, *, second: bool) -> Tensor:
        """(B, 3, S, S) faces -> (B, 4, S, S) in 0..1: the person's RGB, and the face's mask."""
        raise NotImplementedError

    def forward(self, both: Tensor) -> Tensor:
        """As many faces of the first as then of the second, each painted as who they are."""
        raise NotImplementedError


class TwoPeopleSwap(FaceSwapper):
    """Base of swaps that are trained on two people; see :class:`FaceSwapper`."""

    config_class: ClassVar[type[GeneratorConfig]] = SwapConfig
    config: SwapConfig
    small: ClassVar = {"size_px": 32, "width": 4, "decoder_width": 4, "code": 16, "batch": 2}

    @classmethod
    def crop_px(cls, config: GeneratorConfig) -> int:
        """Twice the side: the straight view of a turned face must not lose sharpness."""
        return 2 * config.size_px

    @property
    def painter(self) -> TwoPersonPainter:
        """The network that paints."""
        return cast("TwoPersonPainter", self.networks["generator"])

    def build(self) -> dict[str, nn.Module]:
        """The networks of the subclass; with material, its faces are drawn once."""
        check_side(self.config.size_px, 16)
        if self.material is not None:
            self._read(self.material)
        return self.build_networks()

    def build_networks(self) -> dict[str, nn.Module]:
        """Networks by name, ``generator`` among them a :class:`TwoPersonPainter`."""
        raise NotImplementedError

    def _read(self, material: Material) -> None:
        first, second = material.tracks, material.other
        if not first or not second:
            raise UsageError(
                f"{self.spec.title} is trained on two people, and one came.",
                hint="Give the faces of the second person, too.",
            )
        side = 2 * self.config.size_px
        self.stocks = (stock_of(first, side), stock_of(second, side))
        self.held_out = (material.held_out, material.other_held_out)
        self._shown = (material.held_out or first, material.other_held_out or second)
        names = [tracks[0].person or tracks[0].name for tracks in (first, second)]
        self.given_facts = {**self.given_facts, "people": names}

    def facts(self) -> dict[str, Any]:
        """``people``: the names of the first and the second person."""
        return self.given_facts

    def build_optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """Adam with a short memory, as the programs of this family have it."""
        weights = self.networks["generator"].parameters()
        rate = self.config.learning_rate
        return {"generator": torch.optim.Adam(weights, rate, betas=(0.5, 0.999), fused=True)}

    def draw_batch(self, rng: np.random.Generator) -> Batch:
        """``bent`` and ``straight``, each (2 B, 5, S, S): the first person, then the second."""
        config = self.config
        drawn = [stock.some(rng.integers(0, len(stock), config.batch)).pixels()
                 for stock in self.stocks]  # fmt: skip
        both, swapped = torch.cat(drawn), torch.cat(drawn[::-1])
        lit = recolour(both, swapped, rng, jitter=config.jitter, transfer=config.transfer)
        bent, straight = warped_pairs(lit, config.size_px, rng, config.warping)
        return {"bent": bent, "straight": straight}

    def held_out_figures(self) -> Figures:
        """Reconstruction of held-out faces of both people, and whether a swap is one.

        ``psnr_db``, ``ssim`` over the crop and ``face_psnr_db`` inside the face are means over
        frames, then over the two people. ``swap_ratio``: distance of a swapped face to the
        nearest training face of the person it was made from, over that to the person it should
        show (grey, inside the face); above 1 it is nearer to the person it should show.
        """
        held = [tracks for tracks in self.held_out if tracks]
        if len(held) < 2:
            raise UsageError(
                f"Of {len(held)} of the two people there are held-out faces to measure on.",
                hint="Hold some frames of each back.",
            )
        figures = [self._figures(tracks, second=n == 1) for n, tracks in enumerate(held)]
        return {name: float(np.mean([one[name] for one in figures])) for name in figures[0]}

    def _figures(self, tracks: Sequence[FaceTrack], *, second: bool) -> Figures:
        planes = stock_of(tracks, self.config.size_px).pixels(self.config.size_px)
        colour, face = planes[:, COLOUR], planes[:, FACE : FACE + 1]
        made, real = colour_images(self._paint(colour, second=second)), colour_images(colour)
        return {
            "psnr_db": psnr_db(made, real),
            "face_psnr_db": psnr_db(made, real, face[:, 0].numpy()),
            "ssim": ssim(made, real),
            "swap_ratio": self._swap_ratio(colour, face, second=second),
        }

    def _swap_ratio(self, colour: Tensor, face: Tensor, *, second: bool) -> float:
        swapped = self._paint(colour, second=not second)[:, COLOUR]
        to_first, to_second = (_nearest(swapped, face, stock) for stock in self.stocks)
        own, other = (to_second, to_first) if second else (to_first, to_second)
        return float((own / other.clamp_min(1e-6)).mean())

    def preview(self) -> Image:
        """Held-out faces of both, painted as themselves and as the other."""
        first, second = (self._preview_faces(tracks) for tracks in self._shown)
        rows = min(len(first), len(second))
        first, second = first[:rows], second[:rows]
        return titled_columns(
            {
                "a": colour_images(first),
                "a > a": colour_images(self._paint(first, second=False)),
                "a > b": colour_images(self._paint(first, second=True)),
                "b": colour_images(second),
                "b > b": colour_images(self._paint(second, second=True)),
                "b > a": colour_images(self._paint(second, second=False)),
            }
        )

    def _preview_faces(self, tracks: Sequence[FaceTrack]) -> Tensor:
        every = faces_of(tracks, self.config.size_px)
        return to_pixels(every[spread(len(every), _PREVIEW_ROWS)], signed=False)

    def swap(
        self, track: FaceTrack, *, to_other: bool = True, identity: FaceTrack | None = None
    ) -> PaintedFaces:
        """Paint the track's faces as the second person (or, not ``to_other``, as the first)."""
        del identity
        shown = to_pixels(faces_of([track], self.config.size_px), signed=False)
        painted = self._paint(shown, second=to_other)
        return PaintedFaces(colour_images(painted), painted[:, 3].numpy().astype(np.float32))

    def _paint(self, pixels: Tensor, *, second: bool) -> Tensor:
        device = next(self.networks.parameters()).device
        with torch.inference_mode():
            parts = [
                self.painter.paint(part.to(device), second=second).cpu()
                for part in torch.split(pixels, _AT_ONCE)
            ]
        return torch.cat(parts)


def _nearest(swapped: Tensor, face: Tensor, stock: FaceStock) -> Tensor:
    """(N,) least mean square grey difference inside the face to any of some of the stock's faces.

    Grey values are brought to the same mean and deviation first, so that light does not decide.
    """
    side = swapped.shape[-1]
    known = stock.some(spread(len(stock), 64)).pixels(side)[:, COLOUR]
    mine = _plain_grey(swapped, face)
    least = torch.full((len(swapped),), torch.inf)
    for one in known:
        theirs = _plain_grey(one.expand_as(swapped), face)
        gap = ((mine - theirs).square() * face).sum((1, 2, 3)) / face.sum((1, 2, 3)).clamp_min(1)
        least = torch.minimum(least, gap)
    return least


def _plain_grey(pixels: Tensor, face: Tensor) -> Tensor:
    grey = pixels.mean(1, keepdim=True)
    total = face.sum((2, 3), keepdim=True).clamp_min(1)
    mean = (grey * face).sum((2, 3), keepdim=True) / total
    deviation = (((grey - mean).square() * face).sum((2, 3), keepdim=True) / total).sqrt()
    return (grey - mean) / deviation.clamp_min(1e-3)

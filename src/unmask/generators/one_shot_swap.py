"""Face swap towards anybody of whom there is one picture.

One network turns a picture into a vector that says who it is; it is trained to tell persons apart.
Another keeps what the face does and is kept from passing on whose it is. A painter lays the one
over the other by adaptive instance normalisation. Several pictures of a person make a better
vector than one: their mean is taken.

Source: the arrangement of Li et al., "FaceShifter", 2019, and Chen et al., "SimSwap", ACM
Multimedia 2020 (identity loss, reconstruction where both pictures are of one person, a
discriminator on swaps); cycle after Zhu et al., "CycleGAN", ICCV 2017.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from unmask.errors import UsageError
from unmask.generators._face_pixels import (
    COLOUR,
    FACE,
    PARTS,
    FaceStock,
    check_side,
    pixels_of,
    sheet,
    spread,
    stock_of,
    to_images,
)
from unmask.generators._one_shot_networks import CONTENT_HALVINGS, IdentityEncoder, StyledPainter
from unmask.generators._patch_discriminator import PatchDiscriminator
from unmask.generators._precision import quick_precision
from unmask.generators._swap_losses import dssim, face_weight, least_squares_loss, weighted_mean
from unmask.generators._swap_networks import HALVINGS, quick_layout
from unmask.generators._warped_batch import Warping, recolour, warped_pairs
from unmask.generators.base import GENERATORS, Batch, Figures, GeneratorConfig, GeneratorSpec
from unmask.generators.uses import FaceSwapper, PaintedFaces

if TYPE_CHECKING:
    from unmask.generators.material import FaceTrack
    from unmask.types import Image

_AT_ONCE = 32
_JUDGED_FACES = 96
_PREVIEW = 6


@dataclass(frozen=True, slots=True)
class OneShotSwapConfig(GeneratorConfig):
    """Configuration of the swap from one picture; the papers have size_px 224-256.

    Attributes:
        width: Channels of the painter's last doubling.
        encoder_width: Channels of the encoders' first convolutions.
        content: Channels of what is kept of the shown face, at an eighth of its side.
        identity: Length of the identity vector.
        judge_width: Channels of the discriminator's first convolution.
        judge_rate: Its learning rate.
        warm_up: Steps of reconstruction and identification before swaps are made.
        background: What an error beyond the face counts, on the face 1.
        parts: How much more an error counts on eyes and mouth.
        bend: Deviation of the warp of the shown face: a bent outline tells no identity.
        jitter: Deviation of random brightness.
        transfer: Share of faces that take the colours of another.
        margin: By how much the right person must be nearer than the others (cosine).
        scale: Of cosines in the softmax.
        structure_loss: Weight of structural dissimilarity.
        pixel_loss: Weight of the mean absolute difference.
        person_loss: Weight of telling persons apart.
        identity_loss: Weight of the swap's cosine distance to the wanted person.
        cycle_loss: Weight of getting the shown face back from the swap.
        adversarial_loss: Weight of fooling the discriminator.
    """

    batch: int = 12
    learning_rate: float = 5e-4
    width: int = 16
    encoder_width: int = 24
    content: int = 16
    identity: int = 128
    judge_width: int = 16
    judge_rate: float = 2e-4
    warm_up: int = 500
    background: float = 0.3
    parts: float = 2.0
    bend: float = 0.03
    jitter: float = 0.06
    transfer: float = 0.3
    margin: float = 0.15
    scale: float = 16.0
    structure_loss: float = 1.0
    pixel_loss: float = 3.0
    person_loss: float = 0.1
    identity_loss: float = 0.5
    cycle_loss: float = 1.0
    adversarial_loss: float = 0.05


@GENERATORS.register
class OneShotSwap(FaceSwapper):
    """Identity vector, content, and a painter that joins them by adaptive normalisation."""

    spec: ClassVar = GeneratorSpec(
        id="one_shot_swap",
        title="Swap from one picture",
        paper="Li et al., FaceShifter, 2019; Chen et al., SimSwap, ACM MM 2020",
        family="swap",
        material="people",
        selected_by="psnr_db",
        higher_is_better=True,
        differs=(
            "much smaller; the identity network is trained along on the given persons instead of "
            "a face recogniser of millions of pictures, so it transfers looks rather than identity"
        ),
    )
    config_class: ClassVar = OneShotSwapConfig
    config: OneShotSwapConfig
    averaged: ClassVar = ("generator", "identity")
    small: ClassVar = {
        "size_px": 32, "batch": 2, "width": 4, "encoder_width": 4, "content": 4, "identity": 8,
        "judge_width": 4, "warm_up": 1,
    }  # fmt: skip

    @classmethod
    def crop_px(cls, config: GeneratorConfig) -> int:
        """Twice the side: the straight view of a turned face must not lose sharpness."""
        return 2 * config.size_px

    def build(self) -> dict[str, nn.Module]:
        """``generator`` paints, ``identity`` tells persons apart, ``judge`` tells real faces."""
        config = self.config
        check_side(config.size_px, 1 << max(HALVINGS, CONTENT_HALVINGS))
        if self.material is not None:
            self.stock = stock_of(self.material.tracks, 2 * config.size_px)
            self.held_out = self.material.held_out
            self._shown = self.material.held_out or self.material.tracks
            self._rows = [np.flatnonzero(self.stock.person == number)
                          for number in range(len(self.stock.names))]  # fmt: skip
            self.given_facts = {**self.given_facts, "persons": len(self.stock.names)}
        persons = int(self.given_facts.get("persons", 1))
        networks: dict[str, nn.Module] = {
            "generator": StyledPainter(
                config.width, config.encoder_width, config.content, config.identity
            ),
            "identity": IdentityEncoder(
                config.encoder_width, config.size_px, config.identity, persons
            ),
            "judge": PatchDiscriminator(3, config.judge_width),
        }
        return {name: quick_layout(network) for name, network in networks.items()}

    def build_optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """One for painter and identity, one for the discriminator."""
        networks, config = self.networks, self.config
        makers = [*networks["generator"].parameters(), *networks["identity"].parameters()]
        judge = networks["judge"].parameters()
        return {
            "generator": torch.optim.Adam(
                makers, config.learning_rate, betas=(0.5, 0.999), fused=True
            ),
            "judge": torch.optim.Adam(judge, config.judge_rate, betas=(0.5, 0.999), fused=True),
        }

    def facts(self) -> dict[str, Any]:
        """``persons``: how many were trained on."""
        return self.given_facts

    def draw_batch(self, rng: np.random.Generator) -> Batch:
        """Persons alike often, whatever number of pictures there is of each.

        Returns:
            ``bent`` and ``straight`` (B, 5, S, S) views of one picture each, ``other``
            (B, 5, S, S) another picture (or another view) of the same person, ``person`` (B,).
        """
        config = self.config
        persons = rng.integers(0, len(self._rows), config.batch)
        shown, known = (
            self._planes([int(rng.choice(self._rows[p])) for p in persons]) for _ in range(2)
        )
        models = shown.flip(0)
        kept = {"jitter": config.jitter, "transfer": config.transfer}
        warping = Warping(bend=config.bend)
        bent, straight = warped_pairs(
            recolour(shown, models, rng, **kept), config.size_px, rng, warping
        )
        _, other = warped_pairs(
            recolour(known, models, rng, jitter=config.jitter, transfer=0.0),
            config.size_px, rng, warping,
        )  # fmt: skip
        return {"bent": bent, "straight": straight, "other": other,
                "person": torch.from_numpy(persons)}  # fmt: skip

    def _planes(self, rows: list[int]) -> Tensor:
        return torch.from_numpy(self.stock.planes[rows]).permute(0, 3, 1, 2).float().div(255)

    def training_step(self, batch: Batch, step: int) -> Figures:
        """Reconstruction and identification; after the warm-up also swaps between the batch."""
        config, straight = self.config, batch["straight"]
        with quick_precision(straight.device):
            vectors = self._identity(torch.cat([batch["other"], straight])[:, COLOUR])
            wanted = vectors[: len(straight)]
            painted = self._painter(batch["bent"][:, COLOUR], wanted)
        persons = batch["person"].repeat(2)
        losses = self._likeness(painted, straight) | {
            "person": config.person_loss
            * self._identity.person_loss(vectors, persons, config.margin, config.scale)
        }
        if step > config.warm_up:
            swapped, more = self._swap_losses(straight, wanted.detach())
            losses |= more
        self._descend("generator", torch.stack(list(losses.values())).sum())
        figures = {name: float(value.detach()) for name, value in losses.items()}
        if step > config.warm_up:
            figures["judge"] = self._train_judge(straight[:, COLOUR], swapped)
        return figures

    def _likeness(self, painted: Tensor, straight: Tensor) -> dict[str, Tensor]:
        config, wanted = self.config, straight[:, COLOUR]
        face, parts = straight[:, FACE : FACE + 1], straight[:, PARTS : PARTS + 1]
        weight = face_weight(face, config.background) * (1 + config.parts * parts)
        far = (painted[:, COLOUR] - wanted).abs()
        return {
            "structure": config.structure_loss * dssim(painted[:, COLOUR], wanted, weight),
            "pixels": config.pixel_loss * weighted_mean(far, weight),
            "mask": (painted[:, 3:] - face).square().mean(),
        }

    def _swap_losses(self, straight: Tensor, vectors: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        config, shown = self.config, straight[:, COLOUR]
        strangers = vectors.roll(1, 0)
        # Frozen, or the identity network would learn to be pleased.
        self._identity.requires_grad_(requires_grad=False)
        with quick_precision(shown.device):
            swapped = self._painter(shown, strangers)[:, COLOUR]
            cosine = (self._identity(swapped) * strangers).sum(1)
            back = self._painter(swapped, vectors)[:, COLOUR]
            judged = self._judge(swapped)
        self._identity.requires_grad_(requires_grad=True)
        weight = face_weight(straight[:, FACE : FACE + 1], config.background)
        return swapped.detach(), {
            "identity": config.identity_loss * (1 - cosine).mean(),
            "cycle": config.cycle_loss * weighted_mean((back - shown).abs(), weight),
            "fooled": config.adversarial_loss * least_squares_loss(judged, 1.0),
        }

    def _train_judge(self, real: Tensor, forged: Tensor) -> float:
        with quick_precision(real.device):
            judged = self._judge(torch.cat([real, forged]))
        loss = least_squares_loss(judged[: len(real)], 1.0)
        loss = loss + least_squares_loss(judged[len(real) :], 0.0)
        self._descend("judge", loss)
        return float(loss.detach())

    def _descend(self, name: str, loss: Tensor) -> None:
        for optimiser in self.optimisers.values():
            optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimisers[name].step()

    def held_out_figures(self) -> Figures:
        """How well held-out persons are painted as themselves, and as each other.

        ``psnr_db`` and ``face_psnr_db``: reconstruction, the vector from another picture of the
        person where there is one. ``to_wanted`` and ``to_shown``: mean cosine between the vector
        of a swap and that of the person it should show, and the one it was made from.
        ``swap_share``: share of swaps that are nearer to the wanted person. The vectors are this
        run's own; a judge from outside will see less.
        """
        if not self.held_out:
            raise UsageError(
                "There is no held-out person to measure on.", hint="Give more persons."
            )
        stock = stock_of(self.held_out, self.config.size_px)
        rows = spread(len(stock), _JUDGED_FACES)
        planes = FaceStock(stock.planes[rows], stock.person[rows], stock.names).pixels(
            self.config.size_px
        )
        colour, face = planes[:, COLOUR], planes[:, FACE : FACE + 1]
        vectors = self._vectors(colour)
        pairs = torch.from_numpy(_others(stock.person[rows]))
        squares = (self._paint(colour, vectors[pairs])[:, COLOUR] - colour).square()
        in_face = (squares * face).sum((1, 2, 3)) / (3 * face.sum((1, 2, 3)).clamp_min(1))
        strangers = vectors.roll(len(vectors) // 2, 0)
        seen = self._vectors(self._paint(colour, strangers)[:, COLOUR])
        to_wanted, to_shown = (seen * strangers).sum(1), (seen * vectors).sum(1)
        return {
            "psnr_db": float(_decibels(squares.mean((1, 2, 3))).mean()),
            "face_psnr_db": float(_decibels(in_face).mean()),
            "to_wanted": float(to_wanted.mean()),
            "to_shown": float(to_shown.mean()),
            "swap_share": float((to_wanted > to_shown).float().mean()),
        }

    def preview(self) -> Image:
        """Held-out faces (left) painted as held-out persons (top)."""
        chosen = [self._shown[n] for n in spread(len(self._shown), 2 * _PREVIEW)]
        faces = torch.cat([pixels_of(one.part(0, 1), self.config.size_px) for one in chosen])
        half = max(1, len(faces) // 2)
        shown, wanted = faces[:half], faces[-half:]
        vectors = self._vectors(wanted)
        columns = {"shown": to_images(torch.cat([torch.ones_like(shown[:1]), shown]))}
        for number in range(len(wanted)):
            painted = self._paint(shown, vectors[number].expand(len(shown), -1))[:, COLOUR]
            columns[f"as {number + 1}"] = to_images(torch.cat([wanted[number, None], painted]))
        return sheet(columns)

    def swap(
        self, track: FaceTrack, *, to_other: bool = True, identity: FaceTrack | None = None
    ) -> PaintedFaces:
        """Paint the track's faces as the person of ``identity`` (any number of pictures).

        Raises:
            UsageError: ``identity`` did not come.
        """
        del to_other
        if identity is None:
            raise UsageError(
                f"{self.spec.title} needs a picture of the person to be shown.",
                hint="Name one with --identity.",
            )
        known = pixels_of(identity, self.config.size_px)
        mean = functional.normalize(self._vectors(known).mean(0, keepdim=True))
        shown = pixels_of(track, self.config.size_px)
        painted = self._paint(shown, mean.expand(len(shown), -1))
        return PaintedFaces(
            to_images(painted[:, COLOUR]), painted[:, 3].cpu().numpy().astype(np.float32)
        )

    @property
    def _painter(self) -> StyledPainter:
        return cast("StyledPainter", self.networks["generator"])

    @property
    def _identity(self) -> IdentityEncoder:
        return cast("IdentityEncoder", self.networks["identity"])

    @property
    def _judge(self) -> PatchDiscriminator:
        return cast("PatchDiscriminator", self.networks["judge"])

    def _vectors(self, colour: Tensor) -> Tensor:
        device = self._identity.persons.device
        with torch.inference_mode():
            return torch.cat([self._identity(part.to(device)).cpu()
                              for part in torch.split(colour, _AT_ONCE)])  # fmt: skip

    def _paint(self, colour: Tensor, vectors: Tensor) -> Tensor:
        device = self._identity.persons.device
        parts = zip(torch.split(colour, _AT_ONCE), torch.split(vectors, _AT_ONCE), strict=True)
        with torch.inference_mode():
            return torch.cat([self._painter(shown.to(device), vector.to(device)).cpu()
                              for shown, vector in parts])  # fmt: skip


def _others(person: np.ndarray) -> np.ndarray:
    """For each face the row of another face of the same person, or its own."""
    rows = np.arange(len(person))
    for number in np.unique(person):
        own = np.flatnonzero(person == number)
        rows[own] = np.roll(own, 1)
    return rows


def _decibels(mean_square: Tensor) -> Tensor:
    return -10 * torch.log10(mean_square.clamp_min(1e-10))

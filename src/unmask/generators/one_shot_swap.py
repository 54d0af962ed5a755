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
from unmask.generators._adversarial_losses import frozen, least_squares_loss
from unmask.generators._face_stock import COLOUR, FACE, PARTS, colour_images, stock_of
from unmask.generators._face_tensors import (
    channels_last,
    check_side,
    faces_of,
    spread,
    to_pixels,
)
from unmask.generators._one_shot_networks import CONTENT_HALVINGS, IdentityEncoder, StyledPainter
from unmask.generators._patch_discriminator import PatchDiscriminator
from unmask.generators._person_pairs import of_another_person, of_the_same_person
from unmask.generators._picture_figures import psnr_db
from unmask.generators._precision import quick_precision
from unmask.generators._swap_losses import dssim, error_weight, face_weight, weighted_mean
from unmask.generators._swap_networks import HALVINGS
from unmask.generators._warped_batch import Warping, recolour, warped_pairs
from unmask.generators.base import GENERATORS, Batch, Figures, GeneratorConfig, GeneratorSpec
from unmask.generators.preview_rows import titled_columns
from unmask.generators.uses import FaceSwapper, PaintedFaces

if TYPE_CHECKING:
    from numpy.typing import NDArray

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

    def __post_init__(self) -> None:
        if self.batch < 2:
            raise UsageError(
                f"batch = {self.batch} came; faces are swapped within a batch.",
                hint="Give a batch of at least 2.",
            )


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
            if len(self.stock.names) < 2:
                raise UsageError(
                    f"{self.spec.title} learns from several people, and one came to train on.",
                    hint="Give more persons: folders or films.",
                )
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
        return {name: channels_last(network) for name, network in networks.items()}

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
        """Persons alike often, whatever number of pictures there is of each; two at least.

        Returns:
            ``bent`` and ``straight`` (B, 5, S, S) views of one picture each, ``other``
            (B, 5, S, S) another picture (or another view) of the same person, ``person`` (B,).
        """
        config = self.config
        persons = rng.integers(0, len(self._rows), config.batch)
        if (persons == persons[0]).all():  # nobody to swap with
            persons[-1] = (persons[0] + rng.integers(1, len(self._rows))) % len(self._rows)
        shown, known = (
            self.stock.some([int(rng.choice(self._rows[p])) for p in persons]).pixels()
            for _ in range(2)
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

    def training_step(self, batch: Batch, step: int) -> Figures:
        """Reconstruction and identification; after the warm-up also swaps between persons."""
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
            partners = torch.from_numpy(of_another_person(batch["person"].cpu().numpy()))
            swapped, more = self._swap_losses(straight, wanted.detach(), partners)
            losses |= more
        self.descend(torch.stack(list(losses.values())).sum(), "generator")
        figures = {name: float(value.detach()) for name, value in losses.items()}
        if step > config.warm_up:
            figures["judge"] = self._train_judge(straight[:, COLOUR], swapped)
        return figures

    def _likeness(self, painted: Tensor, straight: Tensor) -> dict[str, Tensor]:
        config, wanted = self.config, straight[:, COLOUR]
        face, parts = straight[:, FACE : FACE + 1], straight[:, PARTS : PARTS + 1]
        weight = error_weight(face, parts, config.background, config.parts)
        far = (painted[:, COLOUR] - wanted).abs()
        return {
            "structure": config.structure_loss * dssim(painted[:, COLOUR], wanted, weight),
            "pixels": config.pixel_loss * weighted_mean(far, weight),
            "mask": (painted[:, 3:] - face).square().mean(),
        }

    def _swap_losses(
        self, straight: Tensor, vectors: Tensor, partners: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        config, shown, strangers = self.config, straight[:, COLOUR], vectors[partners]
        # Frozen, or the identity network would learn to be pleased.
        with frozen(self._identity), frozen(self._judge), quick_precision(shown.device):
            swapped = self._painter(shown, strangers)[:, COLOUR]
            cosine = (self._identity(swapped) * strangers).sum(1)
            back = self._painter(swapped, vectors)[:, COLOUR]
            judged = self._judge(swapped)
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
        self.descend(loss, "judge")
        return float(loss.detach())

    def held_out_figures(self) -> Figures:
        """How well held-out persons are painted as themselves, and as each other.

        ``psnr_db`` and ``face_psnr_db``: reconstruction, the vector from another picture of the
        person where there is one. ``to_wanted`` and ``to_shown``: mean cosine between the vector
        of a swap and that of the person it should show, and the one it was made from.
        ``swap_share``: share of swaps that are nearer to the wanted person. These three are
        missing where one person alone is held out. The vectors are this run's own; a judge from
        outside will see less.
        """
        if not self.held_out:
            raise UsageError(
                "There is no held-out person to measure on.", hint="Give more persons."
            )
        stock = stock_of(self.held_out, self.config.size_px)
        stock = stock.some(spread(len(stock), _JUDGED_FACES))
        planes = stock.pixels()
        colour, face = planes[:, COLOUR], planes[:, FACE]
        vectors = self._vectors(colour)
        pairs = torch.from_numpy(of_the_same_person(stock.person))
        made, real = colour_images(self._paint(colour, vectors[pairs])), colour_images(colour)
        figures = {"psnr_db": psnr_db(made, real),
                   "face_psnr_db": psnr_db(made, real, face.numpy())}  # fmt: skip
        if len(np.unique(stock.person)) < 2:
            return figures
        return figures | self._swap_figures(colour, vectors, stock.person)

    def _swap_figures(
        self, colour: Tensor, vectors: Tensor, person: NDArray[np.int64]
    ) -> dict[str, float]:
        strangers = vectors[torch.from_numpy(of_another_person(person))]
        seen = self._vectors(self._paint(colour, strangers)[:, COLOUR])
        to_wanted, to_shown = (seen * strangers).sum(1), (seen * vectors).sum(1)
        return {
            "to_wanted": float(to_wanted.mean()),
            "to_shown": float(to_shown.mean()),
            "swap_share": float((to_wanted > to_shown).float().mean()),
        }

    def preview(self) -> Image:
        """Held-out persons (left) painted as other held-out persons (top); one, as themselves."""
        persons = {track.person or track.name: track.part(0, 1) for track in self._shown}
        tracks = list(persons.values())
        chosen = [tracks[number] for number in spread(len(tracks), 2 * _PREVIEW)]
        faces = to_pixels(faces_of(chosen, self.config.size_px), signed=False)
        half = max(1, len(faces) // 2)
        shown, wanted = faces[:half], faces[-half:]
        vectors = self._vectors(wanted)
        columns = {"shown": colour_images(torch.cat([torch.ones_like(shown[:1]), shown]))}
        for number in range(len(wanted)):
            painted = self._paint(shown, vectors[number].expand(len(shown), -1))[:, COLOUR]
            columns[f"as {number + 1}"] = colour_images(torch.cat([wanted[number, None], painted]))
        return titled_columns(columns)

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
        shown, known = (
            to_pixels(faces_of([one], self.config.size_px), signed=False)
            for one in (track, identity)
        )
        mean = functional.normalize(self._vectors(known).mean(0, keepdim=True))
        painted = self._paint(shown, mean.expand(len(shown), -1))
        return PaintedFaces(colour_images(painted), painted[:, 3].numpy().astype(np.float32))

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

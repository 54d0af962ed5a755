"""SyncNet expert: do these lips belong to this speech?

Two networks bring five frames of a mouth and the 0.2 s of speech beside them to one vector each;
the vectors are alike when both happened at the same time. It makes no pixels: it judges, and
teaches the lip-sync generator.

Source: Chung & Zisserman, "Out of Time: Automated Lip Sync in the Wild", ACCV Workshops 2016
(offsets, confidence, distance); Prajwal et al., "A Lip Sync Expert Is All You Need", ACM
Multimedia 2020 (colour, cosine and cross-entropy).
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from unmask.errors import CorruptMedia, InputError, NotFound, UsageError
from unmask.generators._face_tensors import check_side
from unmask.generators._mel import checked_speech
from unmask.generators._speaking_film import (
    FRAME_RATE,
    FRAMES,
    WINDOW_S,
    SpeakingFilm,
    film_of,
    speaking_films,
    varied_speech,
    varied_window,
    window,
    windows,
)
from unmask.generators._sync_network import SyncNetwork
from unmask.generators.base import (
    GENERATORS,
    Batch,
    Figures,
    Generator,
    GeneratorConfig,
    GeneratorSpec,
)

if TYPE_CHECKING:
    from unmask.generators.material import FaceTrack
    from unmask.types import Floats, Image

_APART = 10  # frames (0.4 s) between speech that belongs to the frames and speech that does not
_REACH = 15  # frames searched to either side for the best offset
_EACH_HELD_OUT = 4


@dataclass(frozen=True, slots=True)
class SyncNetConfig(GeneratorConfig):
    """Sizes; Wav2Lip's are 96 px, width 32, 512 numbers, batches of 64 pairs.

    Attributes:
        width: Channels of the first layers.
        vector: Numbers in an embedding.
        films: Films a batch; ``batch / films`` windows of each are compared all with all.
        weight_decay: Of AdamW.
        dropout: Of whole channels, before the last layer.
    """

    batch: int = 32
    learning_rate: float = 5e-4
    width: int = 16
    vector: int = 128
    films: int = 4
    weight_decay: float = 0.02
    dropout: float = 0.2

    def __post_init__(self) -> None:
        check_side(self.size_px, 16)
        if self.films < 1 or self.batch < 2 * self.films:
            raise UsageError(
                f"A batch of {self.batch} windows of {self.films} films came; there must be at "
                "least two of each.",
                hint="Raise batch, or lower films.",
            )


@dataclass(frozen=True, slots=True)
class SyncReading:
    """How well lips and speech fit, by this expert's own measure.

    The names are those of the literature (LSE-C, LSE-D); the numbers are not comparable with
    theirs, which belong to one published network.

    Attributes:
        confidence: Median over offsets minus least mean distance; higher: in sync.
        distance: Least mean distance over offsets, 0..2; lower: in sync.
        offset_frames: The offset of the speech with the least distance, at 25 frames a second;
            positive: the speech comes late (what fits a frame is heard that much after it).
        windows: Windows of five frames that were compared.
    """

    confidence: float
    distance: float
    offset_frames: int
    windows: int


@GENERATORS.register
class SyncNet(Generator):
    """Tells speech that belongs to a mouth's motion from speech that does not."""

    spec: ClassVar = GeneratorSpec(
        id="sync_net",
        title="Lip-sync expert",
        paper="Chung & Zisserman, Out of Time: Automated Lip Sync in the Wild, ACCVW 2016; "
        "Prajwal et al., A Lip Sync Expert Is All You Need, ACM Multimedia 2020",
        family="lip_sync",
        material="speaking_films",
        selected_by="accuracy",
        higher_is_better=True,
        differs=(
            "smaller; all windows of a film in a batch are compared with all, and the cosine is "
            "scaled and shifted before cross-entropy; windows without speech are left out"
        ),
    )
    config: SyncNetConfig
    config_class: ClassVar = SyncNetConfig
    averaged: ClassVar = ("expert",)
    small: ClassVar = {"size_px": 32, "batch": 4, "films": 2, "width": 4, "vector": 8}

    def build(self) -> dict[str, nn.Module]:
        """The expert alone."""
        config = self.config
        if self.material is not None:
            self._films = speaking_films(self.material.tracks, config.size_px)
            self._held_out = _told_apart(speaking_films(self.material.held_out, config.size_px))
            self._seen = {track.name for track in self.material.tracks}
        return {"expert": SyncNetwork(config.width, config.vector, config.dropout)}

    @property
    def expert(self) -> SyncNetwork:
        """The network itself."""
        return cast("SyncNetwork", self.networks["expert"])

    def build_optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """AdamW: so few films need the decay."""
        config = self.config
        weights = self.networks.parameters()
        optimiser = torch.optim.AdamW(
            weights, config.learning_rate, weight_decay=config.weight_decay
        )
        return {"expert": optimiser}

    def draw_batch(self, rng: np.random.Generator) -> Batch:
        """Windows of a few films: ``mouths``, ``speech``, ``film`` and ``at`` (frame) of each."""
        config = self.config
        each = config.batch // config.films
        mouths, speech, film, at = [], [], [], []
        for number in rng.integers(len(self._films), size=config.films):
            one = self._films[int(number)]
            starts = rng.choice(one.spoken, each, replace=len(one.spoken) < each)
            for start in starts:
                mouths.append(varied_window(window(one.mouths, int(start)), rng))
                speech.append(varied_speech(one.speech[start], rng))
            film += [int(number)] * each
            at += starts.tolist()
        return {
            "mouths": torch.from_numpy(np.stack(mouths)),
            "speech": torch.from_numpy(np.stack(speech)),
            "film": torch.tensor(film),
            "at": torch.tensor(at),
        }

    def training_step(self, batch: Batch, step: int) -> Figures:  # noqa: ARG002
        """Cross-entropy of the cosines of all windows of a film with all speech of that film."""
        expert = self.expert
        cosine = expert.see(batch["mouths"]) @ expert.hear(batch["speech"]).T
        together = torch.eye(len(cosine), dtype=torch.bool)
        gap = (batch["at"][:, None] - batch["at"]).abs()
        apart = (batch["film"][:, None] == batch["film"]) & (gap >= _APART)
        logit = expert.logit(cosine)
        loss = functional.softplus(-logit[together]).mean()
        if apart.any():
            loss = loss + functional.softplus(logit[apart]).mean()
        self.descend(loss, "expert")
        return {"loss": loss.item(), "scale": expert.scale.item()}

    def held_out_figures(self) -> Figures:
        """Accuracy on held-out windows, each once with its own speech, then with other speech.

        The other speech is of the same film, at least 0.4 s away, four times for each window.
        ``accuracy`` is over both kinds in equal parts at even odds (chance: .5); ``choice`` is
        how often its own speech fits better than the other (chance: .5). ``_tails`` are ends of
        films whose beginnings were trained on, ``_unseen`` films that were not.
        """
        sums: dict[str, list[float]] = {}
        for film in self._held_out:
            kind = "_tails" if film.name in self._seen else "_unseen"
            own, other = self._logits(film)
            right = ((own > 0).float() + (other <= 0).float()) / 2
            chosen = (own > other).float() + (own == other).float() / 2
            found = (float(right.sum()), float(chosen.sum()), float(len(own)))
            for name in ("", kind):
                total = sums.setdefault(name, [0.0, 0.0, 0.0])
                for place, value in enumerate(found):
                    total[place] += value
        figures = {"pairs": sums.get("", [0.0, 0.0, 0.0])[2]}
        for name, (right_sum, chosen_sum, count) in sums.items():
            figures[f"accuracy{name}"] = right_sum / count
            figures[f"choice{name}"] = chosen_sum / count
        return figures

    def preview(self) -> Image:
        """Held-out faces beside bars of their odds: green own speech, red other speech."""
        rows = []
        for film in self._held_out[:6]:
            face = film.images[film.spoken[len(film.spoken) // 2] + FRAMES // 2]
            bars, side = np.full_like(face, 255), len(face)
            for part, logit in enumerate(self._logits(film)):
                length = round(float(logit.sigmoid().mean()) * side)
                colour = ((0, 150, 0), (200, 0, 0))[part]
                bars[part * side // 2 : (part + 1) * side // 2 - 1, :length] = colour
            rows.append(np.concatenate([face, bars], 1))
        return np.concatenate(rows)

    @torch.no_grad()
    def confidence_and_distance(self, track: FaceTrack, audio: Floats) -> SyncReading:
        """Compare a film's lips with speech at offsets of up to 15 frames to either side.

        Args:
            track: Crops cut with the margin that the expert was trained with.
            audio: (N,) float32 mono at 16 kHz, from the track's time 0.

        Raises:
            InputError: The speech is missing, silent or too short, or the film is.

        Source: Chung & Zisserman, section 4.1, on this expert's embeddings.
        """
        until_s = float(track.pts_s[-1]) if len(track) else 0.0
        speech = checked_speech(audio, track.name, until_s=until_s, shortest_s=WINDOW_S)
        film = film_of(track, speech, self.config.size_px)
        count = len(film.mouths) - FRAMES + 1
        if count < _REACH + 1:
            raise InputError(
                f"{track.name} shows the face for {len(film.mouths) / FRAME_RATE:.2f} s; "
                f"{(_REACH + FRAMES) / FRAME_RATE:.2f} s are needed to search for the offset.",
                hint="Give a longer film.",
            )
        with _evaluating(self.networks):
            seen = self.expert.see(windows(film.mouths, np.arange(count)))
            heard = self.expert.hear(torch.from_numpy(film.speech[:count]))
        offsets = range(-_REACH, _REACH + 1)
        means = [float(_distances(seen, heard, offset).mean()) for offset in offsets]
        best = int(np.argmin(means))
        return SyncReading(
            confidence=float(np.median(means)) - means[best],
            distance=means[best],
            offset_frames=offsets[best],
            windows=count,
        )

    @torch.no_grad()
    def _logits(self, film: SpeakingFilm) -> tuple[Tensor, Tensor]:
        """Of each of the film's windows: with its own speech, and with four others."""
        starts = film.spoken
        with _evaluating(self.networks):
            seen = self.expert.see(windows(film.mouths, starts))
            heard = self.expert.hear(torch.from_numpy(film.speech[starts]))
            logit = self.expert.logit(seen @ heard.T)
        rng = np.random.default_rng(0)
        own, other = [], []
        for row, start in enumerate(starts):
            far = np.flatnonzero(np.abs(starts - start) >= _APART)
            if len(far):
                for column in rng.choice(far, _EACH_HELD_OUT):
                    own.append(logit[row, row])
                    other.append(logit[row, int(column)])
        return torch.stack(own), torch.stack(other)


def good_expert(folder: Path, accuracy: float, margin: float) -> SyncNet:
    """Load a trained expert, frozen, if it is good enough to teach.

    Args:
        folder: A run of ``sync_net``.
        accuracy: Held-out accuracy that it must have reached.
        margin: Of the crops that it will judge.

    Raises:
        NotFound: The folder holds no run with weights.
        CorruptMedia: Its files are damaged or of another method.
        UsageError: It is not good enough, or learned from crops of another margin.
    """
    record_path, weights_path = folder / "run.json", folder / "weights.pt"
    if not (record_path.is_file() and weights_path.is_file()):
        raise NotFound(
            f"{folder} holds no trained expert.",
            hint="Train one: unmask forge train sync_net. Or leave 'expert' empty.",
        )
    try:
        record = json.loads(record_path.read_text(encoding="utf-8"))
        kept = torch.load(weights_path, weights_only=True, map_location="cpu")
        reached, trained_margin = float(kept["figures"]["accuracy"]), float(record["margin"])
        with torch.random.fork_rng(devices=[]):
            expert = SyncNet(SyncNetConfig.from_mapping(record["config"]))
        expert.networks.load_state_dict(kept["networks"])
    except (ValueError, KeyError, TypeError, RuntimeError, OSError, EOFError,
            pickle.UnpicklingError) as error:  # fmt: skip
        raise CorruptMedia(
            f"{folder} is no run of sync_net that can be read ({type(error).__name__}).",
            hint="Train the expert again.",
        ) from error
    if reached < accuracy:
        raise UsageError(
            f"The expert tells held-out speech apart with accuracy {reached:.3f}; "
            f"{accuracy:.3f} is asked for (chance is 0.5).",
            hint="Train it on more films, lower expert_accuracy, or leave 'expert' empty.",
        )
    if abs(trained_margin - margin) > 0.01:
        raise UsageError(
            f"The expert learned from crops of margin {trained_margin}; these have {margin}.",
            hint="Extract the films with the same margin.",
        )
    expert.networks.eval()
    expert.networks.requires_grad_(False)
    return expert


@contextmanager
def _evaluating(networks: nn.Module) -> Iterator[None]:
    trains = networks.training
    networks.eval()
    try:
        yield
    finally:
        networks.train(trains)


def _distances(seen: Tensor, heard: Tensor, offset: int) -> Tensor:
    """Distances of each window to the speech ``offset`` frames later, where there is any."""
    count = len(seen) - abs(offset)
    first = max(0, -offset)
    beside: Tensor = seen[first : first + count] - heard[first + offset : first + offset + count]
    return beside.square().sum(1).sqrt()


def _told_apart(films: list[SpeakingFilm]) -> list[SpeakingFilm]:
    """Films that hold speech of two times that are far enough apart."""
    kept = [film for film in films if np.ptp(film.spoken) >= _APART]
    if not kept:
        raise UsageError(
            f"No held-out film holds {(_APART + FRAMES) / FRAME_RATE:.1f} s of speech, so nothing "
            "could be measured.",
            hint="Hold out longer films, or longer ends.",
        )
    return kept

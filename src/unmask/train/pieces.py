"""Loader processes: pieces of batches, made ahead of the network."""

from __future__ import annotations

import dataclasses
import signal
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import cv2
import torch
from torch.utils.data import DataLoader, Dataset

from unmask.train.samples import FaceSampler
from unmask.train.selection import TrainingFaces, target_rows
from unmask.train.step import Piece
from unmask.train.target_domain import TargetSampler

if TYPE_CHECKING:
    from unmask.datasets.store import FaceStore
    from unmask.networks.base import DetectorNetwork
    from unmask.train.network_recipe import NetworkRecipe
    from unmask.train.selection import Selection

_AHEAD = 4


class Pieces(Dataset[Piece]):
    """Piece number -> piece; any process can make any piece.

    A batch is cut into ``accumulate`` x ``devices`` pieces of equal size. Which samples a piece
    holds depends on its place in the batch only.

    Args:
        sampler: Draws labelled faces.
        target: Draws faces of a target domain, or None.
        recipe: What is trained.
        rank: Number of this device.
        devices: How many there are.
    """

    def __init__(
        self,
        sampler: FaceSampler,
        target: TargetSampler | None,
        recipe: NetworkRecipe,
        rank: int = 0,
        devices: int = 1,
    ) -> None:
        self._sampler, self._target = sampler, target
        self.accumulate, self._rank, self._devices = recipe.compute.accumulate, rank, devices
        places = recipe.batch if recipe.mixture.balance == "none" else recipe.batch // 2
        self._places = places // (self.accumulate * devices)

    def __getitem__(self, number: int) -> Piece:
        step, part = divmod(number, self.accumulate)
        first = (part * self._devices + self._rank) * self._places
        places = range(first, first + self._places)
        raw = self._sampler.batch(step, places)
        target = None
        if self._target is not None:
            target = torch.from_numpy(self._target.images(step, places))
        images, y_true, masks, known = (torch.from_numpy(array) for array in raw)
        return Piece(images, y_true, masks, known, target)

    def ahead(self, start: int, end: int, *, workers: int, pin: bool) -> Iterator[Piece]:
        """Pieces of the steps ``start`` to ``end``, made ahead by ``workers`` processes."""
        loader = DataLoader(
            self,
            batch_size=None,
            sampler=range(start * self.accumulate, end * self.accumulate),
            num_workers=workers,
            prefetch_factor=_AHEAD if workers else None,
            collate_fn=_as_is,
            worker_init_fn=_alone,
            pin_memory=pin,
            # Its own generator: a loader draws a number when it is started.
            generator=torch.Generator().manual_seed(0),
        )
        return iter(loader)


def pieces_of(
    recipe: NetworkRecipe,
    chosen: Selection,
    stores: Mapping[str, FaceStore],
    network: DetectorNetwork,
    *,
    rank: int,
    devices: int,
) -> Pieces:
    """The pieces that a device trains a network on.

    Raises:
        UsageError: A class is missing, or there is nothing of the target domain.
    """
    spec, size = network.spec, network.input_px
    faces = TrainingFaces(chosen, chosen.training, spec)
    sampler = FaceSampler(recipe, spec, size, faces)
    target = None
    if recipe.adaptation.target:
        found = target_rows(recipe, stores)
        unlabelled = dataclasses.replace(
            recipe, mixture=dataclasses.replace(recipe.mixture, balance="none", paired=False)
        )
        theirs = TrainingFaces(found, found.training, spec)
        per_place = 1 if recipe.mixture.balance == "none" else 2
        target = TargetSampler(FaceSampler(unlabelled, spec, size, theirs), per_place)
    return Pieces(sampler, target, recipe, rank, devices)


def _as_is(piece: Any) -> Any:
    return piece


def _alone(worker: int) -> None:
    """One thread a process; Ctrl-C reaches all of a terminal, but the parent must answer it."""
    del worker
    cv2.setNumThreads(0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Forked with the parent's answer to TERM, which is not theirs.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)

"""What a generator is: a spec, networks, one training step, held-out figures and a preview.

A method is one class in one file (or folder). The training engine (:mod:`unmask.forge.training`)
knows nothing of losses: it draws batches, calls :meth:`Generator.training_step`, averages weights,
saves, resumes, and keeps the weights with the best held-out figure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
from torch import Tensor, nn

from unmask.registry import Registry
from unmask.toml_records import record_of

if TYPE_CHECKING:
    import numpy as np

    from unmask.generators.material import Material
    from unmask.types import Image

Batch = dict[str, Tensor]
Figures = dict[str, float]

FAMILIES = ("swap", "reenactment", "lip_sync", "synthesis", "restoration")
MATERIALS = ("two_people", "people", "faces", "films", "speaking_films")


@dataclass(frozen=True, slots=True)
class GeneratorSpec:
    """Facts about a generator that lists, the command line and conformance tests derive from.

    Attributes:
        id: Short name (``autoencoder_swap``).
        title: Name for people.
        paper: Authors, title in short, venue and year.
        family: One of :data:`FAMILIES`. A swap, reenactment or lip-sync needs a statement of
            consent.
        material: What it is trained on, one of :data:`MATERIALS`: two people (tracks of the
            first are ``Material.tracks``, of the second ``Material.other``), several people or
            films (a track each), single faces, films of speaking people (tracks with audio).
        selected_by: Name of the held-out figure by which the best weights are kept.
        higher_is_better: Which way that figure goes.
        differs: What differs from the paper, in a sentence; empty: nothing that is known.
        code_licence: SPDX id.
    """

    id: str
    title: str
    paper: str
    family: str
    material: str
    selected_by: str
    higher_is_better: bool
    differs: str = ""
    code_licence: str = "Apache-2.0"

    @property
    def needs_consent(self) -> bool:
        """Whether people are shown doing or being what they did not or are not."""
        return self.family in {"swap", "reenactment", "lip_sync"}


@dataclass(frozen=True, slots=True)
class GeneratorConfig:
    """Base of a method's own configuration: frozen, of numbers, strings and tuples of them.

    The defaults are small enough to train on two cores; papers' sizes are named in the
    docstring of each method's own class.

    Attributes:
        size_px: Side of the square face that is generated.
        batch: Faces (or pairs, or clips) a step.
        learning_rate: Of the generator.
        average_decay: Share of the old weights' average that a step keeps in the long run.
    """

    size_px: int = 64
    batch: int = 16
    learning_rate: float = 1e-4
    average_decay: float = 0.995

    @classmethod
    def from_mapping(cls, given: Mapping[str, Any]) -> Self:
        """Build from a TOML table; unknown keys are refused by name.

        Raises:
            UsageError: A key is unknown or a value has the wrong type.
        """
        built: Self = record_of(cls, given, "The generator's configuration")
        return built

    def to_mapping(self) -> dict[str, Any]:
        """The same as plain values, for a run's record."""
        return asdict(self)


class Generator:
    """Base of every generator.

    Args:
        config: Of the class :attr:`config_class`.
        material: What is trained on. None: the networks are built for use only; then
            ``facts`` must hold what :meth:`facts` returned when they were trained.
        facts: What the networks' shapes or use depend on beside ``config``.
        seed: Seeds the weights.

    Attributes:
        networks: Everything that is trained or must be saved with it, by name.
        averaged: Names of the networks that are used with averaged weights.
        small: Values of the configuration that are quick enough for a test.
    """

    spec: ClassVar[GeneratorSpec]
    config_class: ClassVar[type[GeneratorConfig]] = GeneratorConfig
    averaged: ClassVar[tuple[str, ...]] = ("generator",)
    small: ClassVar[Mapping[str, Any]] = {}

    def __init__(
        self,
        config: GeneratorConfig,
        material: Material | None = None,
        *,
        facts: Mapping[str, Any] | None = None,
        seed: int = 0,
    ) -> None:
        self.config = config
        self.material = material
        self.given_facts = dict(facts or {})
        torch.manual_seed(seed)
        self.networks = nn.ModuleDict(self.build())
        self.optimisers = self.build_optimisers() if material is not None else {}

    @classmethod
    def crop_px(cls, config: GeneratorConfig) -> int:
        """Side of the crops that training wants; larger where faces are warped or reduced."""
        return config.size_px

    def build(self) -> dict[str, nn.Module]:
        """The networks; ``self.config``, ``self.material`` and ``self.given_facts`` are set."""
        raise NotImplementedError

    def build_optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """Optimisers over ``self.networks``; their state is saved and resumed."""
        raise NotImplementedError

    def rate_factor(self, step: int) -> float:  # noqa: ARG002
        """What the learning rates are multiplied by at ``step`` (from 1), for a warm-up."""
        return 1.0

    def facts(self) -> dict[str, Any]:
        """JSON-able facts that use needs beside the weights (names of people, a mean, ...)."""
        return self.given_facts

    def draw_batch(self, rng: np.random.Generator) -> Batch:
        """Draw one training batch from ``self.material``; all randomness comes from ``rng``."""
        raise NotImplementedError

    def training_step(self, batch: Batch, step: int) -> Figures:
        """One step of every optimiser.

        Randomness comes from PyTorch's default generator, which the engine seeds by step.

        Args:
            batch: As :meth:`draw_batch` returned it.
            step: From 1.

        Returns:
            Losses and the like, by name.
        """
        raise NotImplementedError

    def descend(self, loss: Tensor, *names: str, clip_norm: float | None = None) -> float:
        """One step of the named optimisers down a loss, with gradients of this loss alone.

        Args:
            loss: A scalar.
            names: Of :attr:`optimisers`.
            clip_norm: Longest gradient of each optimiser's weights; None: any.

        Returns:
            The longest gradient that came, before it was clipped; 0 without clipping.
        """
        optimisers = [self.optimisers[name] for name in names]
        for optimiser in optimisers:
            optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward([loss])
        longest = 0.0
        for optimiser in optimisers:
            if clip_norm is not None:
                weights = [one for group in optimiser.param_groups for one in group["params"]]
                norm = nn.utils.clip_grad_norm_(weights, clip_norm)
                longest = max(longest, float(norm))
            optimiser.step()
        return longest

    def held_out_figures(self) -> Figures:
        """Figures on the material's held-out tracks, in evaluation mode with averaged weights.

        Must hold ``spec.selected_by``. Draws nothing at random, or from a fixed seed.
        """
        raise NotImplementedError

    def preview(self) -> Image:
        """A sheet of pictures that shows where training stands: (H, W, 3) uint8 RGB.

        The engine writes it with labels.
        """
        raise NotImplementedError


GENERATORS: Registry[type[Generator]] = Registry("generator", "unmask.generators")

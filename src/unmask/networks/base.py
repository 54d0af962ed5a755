"""What a network is: a module with a spec, one forward pass, and its own losses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from unmask.errors import UsageError
from unmask.registry import Registry


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """Facts about a network that lists, tables, export and conformance tests derive from.

    Attributes:
        id: Short name (``mesonet-4``).
        title: Name for people.
        paper: Authors, title in short, venue and year.
        family: ``spatial``, ``frequency``, ``temporal`` or ``generalising``.
        modality: ``image`` (one crop) or ``clip`` (``clip_frames`` crops of one face).
        input_px: Side of the square crop that the paper uses.
        clip_frames: Frames of a clip; 1 for ``image``.
        crop_margin: Side of the crop over the longer side of the face hull.
        mean: Per-channel mean, RGB, on the 0..255 scale.
        std: Per-channel deviation, RGB, on the 0..255 scale.
        differs: What differs from the paper, in a sentence; empty: nothing that is known.
        trained_by: ``gradient``, or ``fit``: its classifier is fitted at once by
            :meth:`DetectorNetwork.fit`.
        code_licence: SPDX id.
    """

    id: str
    title: str
    paper: str
    family: str
    modality: str = "image"
    input_px: int = 224
    clip_frames: int = 1
    crop_margin: float = 1.3
    mean: tuple[float, float, float] = (127.5, 127.5, 127.5)
    std: tuple[float, float, float] = (127.5, 127.5, 127.5)
    differs: str = ""
    trained_by: str = "gradient"
    code_licence: str = "Apache-2.0"


class NetworkOutput(NamedTuple):
    """What a forward pass returns.

    Attributes:
        logits: (B,) float; higher = more manipulated, 0 = even odds in training.
        features: (B, D) float; what the last linear classifier saw. Adaptation aligns these.
        maps: (B, h, w) float logits of the share of manipulated pixels, or None.
        extra: Whatever else the network's own losses need, by name.
    """

    logits: Tensor
    features: Tensor
    maps: Tensor | None = None
    extra: dict[str, Tensor] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class TrainingBatch:
    """One batch as losses see it.

    Attributes:
        pixels: (B, 3, S, S) float32, or (B, T, 3, S, S) for clips; normalised by the spec.
        y_true: (B,) float32, 1 = fake.
        masks: (B, S, S) float32 0..1, share of foreign pixels; zero where it is not known.
        mask_known: (B,) bool; real faces are known to be zero.
        paired: Even rows are real and each odd row is a forgery of the row before it.
    """

    pixels: Tensor
    y_true: Tensor
    masks: Tensor
    mask_known: Tensor
    paired: bool = False


class DetectorNetwork(nn.Module):
    """Base of every network. Deterministic and batch-invariant in evaluation mode.

    Args:
        input_px: Side of the crops; None: the paper's (``spec.input_px``).
        pretrained: Ask timm's hub for ImageNet weights (networks with a timm backbone only).

    Attributes:
        smallest_px: Smallest side that the layers take.
        multiple_px: The side must be a multiple of this.
        has_pretrained: Whether a hub keeps weights to start from.

    Raises:
        UsageError: The side is too small or no such multiple, or there are no pretrained weights.
    """

    spec: ClassVar[NetworkSpec]
    smallest_px: ClassVar[int] = 32
    multiple_px: ClassVar[int] = 1
    has_pretrained: ClassVar[bool] = False

    def __init__(self, *, input_px: int | None = None, pretrained: bool = False) -> None:
        super().__init__()
        self.input_px = self.spec.input_px if input_px is None else input_px
        if self.input_px < self.smallest_px or self.input_px % self.multiple_px:
            raise UsageError(
                f"{self.spec.id} takes squares of at least {self.smallest_px} px in steps of "
                f"{self.multiple_px} px; {self.input_px} px came.",
                hint=f"Leave the size out for the {self.spec.input_px} px of the paper.",
            )
        if pretrained and not self.has_pretrained:
            raise UsageError(
                f"There are no pretrained weights for {self.spec.id}.",
                hint="Leave 'pretrained' out: it starts from random weights.",
            )
        self.pretrained = pretrained

    def forward(self, pixels: Tensor) -> NetworkOutput:
        """Score ``pixels``; see :class:`TrainingBatch` for their shape."""
        raise NotImplementedError

    def loss_terms(self, output: NetworkOutput, batch: TrainingBatch) -> dict[str, Tensor]:
        """Losses by name, already weighted: training minimises their sum.

        The default is binary cross-entropy of the logits.
        """
        return {"class": nnf.binary_cross_entropy_with_logits(output.logits, batch.y_true)}

    def initialise(self, path: Path) -> None:
        """Start from the arrays of a file (``.npz``); only networks that say so take one.

        Args:
            path: The file.

        Raises:
            UsageError: This network takes none.
            InputError: The file is absent, damaged or belongs to another network.
        """
        raise UsageError(
            f"{self.spec.id} does not start from a file of arrays; {path.name} came.",
            hint="Leave 'init' out, or choose mobilenet-v2.",
        )

    def fit(self, features: Tensor, y_true: Tensor) -> None:
        """Fit the classifier at once; only for ``spec.trained_by == "fit"``.

        Args:
            features: (N, D) features of the training set, in evaluation mode.
            y_true: (N,) 1 = fake.
        """
        raise NotImplementedError(f"{self.spec.id} is trained by {self.spec.trained_by}")

    def activation_map(self, pixels: Tensor) -> Tensor | None:
        """Class activation map, for networks that end in a mean over places and a linear logit.

        Args:
            pixels: (B, 3, S, S), as for :meth:`forward`.

        Returns:
            (B, h, w) the logit of each place, as if the whole crop looked like it: their mean is
            the logit of the crop. None: this network does not end so.

        Source: Zhou et al., "Learning Deep Features for Discriminative Localization", CVPR 2016,
        section 2; the bias is added here. For such networks Grad-CAM is this up to scale, before
        its ReLU (Selvaraju et al., ICCV 2017, section 3.1).
        """
        del pixels
        return None

    @torch.no_grad()
    def scores(self, pixels: Tensor) -> Tensor:
        """(B,) logits in evaluation mode, without gradients."""
        was_training = self.training
        self.eval()
        try:
            output: NetworkOutput = self(pixels)
            return output.logits.float()
        finally:
            self.train(was_training)


NETWORKS: Registry[type[DetectorNetwork]] = Registry("network", "unmask.networks")

"""Any image network as an ONNX file that says what it is.

The file runs without this package's training half: the generic detector
(:mod:`unmask.detectors.onnx_network`) reads from it how to cut its crops. Outputs are ``logits``
(B,) and, where the network has a map, ``maps`` (B, h, w) in 0..1.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from unmask import __version__
from unmask.detectors.weights_file import FACTS_VERSION, METADATA_KEY, NetworkFacts, facts_json
from unmask.errors import UsageError
from unmask.export.onnx_file import onnx_model
from unmask.networks._own_map import MapKind, map_kind_of, scores_and_map
from unmask.report.write import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from unmask.networks import DetectorNetwork
    from unmask.types import Floats


@dataclass(frozen=True, slots=True)
class Origin:
    """What a run knows about weights and a network does not.

    Attributes:
        training_sets: What the weights have seen.
        licence: Terms of the weights, in a few words.
        recipe_sha256: Digest of the recipe; empty: not known.
        steps: Training steps behind them; None: not known.
        crop_margin: Margin of the crops that they were trained on, in the middle; None: that of
            the network's spec.
    """

    training_sets: tuple[str, ...] = ()
    licence: str = "not stated"
    recipe_sha256: str = ""
    steps: int | None = None
    crop_margin: float | None = None


class DeployedNetwork(nn.Module):
    """A network as it is run: scores, and the map that it has.

    Args:
        network: Of modality ``image``; put into evaluation mode.

    Raises:
        UsageError: It scores clips.
    """

    def __init__(self, network: DetectorNetwork) -> None:
        super().__init__()
        if network.spec.modality != "image":
            raise UsageError(
                f"{network.spec.id} scores clips of {network.spec.clip_frames} crops; a scan "
                "scores single crops.",
                hint="Export an image network; clips are scored by 'unmask bench'.",
            )
        self.network = network
        self.kind: MapKind = map_kind_of(network)
        self.eval()

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs, in order."""
        return ["logits"] if self.kind == "none" else ["logits", "maps"]

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """(B, 3, S, S) -> logits (B,), and maps (B, h, w) in 0..1 where there are any."""
        logits, maps = scores_and_map(self.network, pixels, self.kind)
        return (logits,) if maps is None else (logits, maps)

    @torch.no_grad()
    def run(self, pixels: Floats) -> list[Floats]:
        """What PyTorch makes of the pixels: one array an output."""
        outputs = self(torch.from_numpy(pixels))
        return [np.asarray(output.float().numpy(), np.float32) for output in outputs]


def facts_of(deployed: DeployedNetwork, origin: Origin) -> NetworkFacts:
    """What the file of a network says about itself."""
    network = deployed.network
    spec = network.spec
    return NetworkFacts(
        version=FACTS_VERSION,
        id=spec.id,
        title=spec.title,
        paper=spec.paper,
        input_px=network.input_px,
        views=((origin.crop_margin or spec.crop_margin, False),),
        mean=spec.mean,
        std=spec.std,
        map_kind=deployed.kind,
        training_sets=origin.training_sets,
        code_licence=spec.code_licence,
        weights_licence=origin.licence,
        recipe_sha256=origin.recipe_sha256,
        steps=origin.steps,
        tool=f"unmask {__version__}",
    )


def network_bytes(deployed: DeployedNetwork, origin: Origin) -> bytes:
    """The ONNX file as bytes: the same for the same weights and origin.

    Raises:
        UsageError: The network has an operation that ONNX does not know.
    """
    side = deployed.network.input_px
    model = onnx_model(deployed, torch.zeros(2, 3, side, side), deployed.output_names)
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, facts_json(facts_of(deployed, origin))
    return bytes(model.SerializeToString(deterministic=True))


def export_network(deployed: DeployedNetwork, path: Path, origin: Origin) -> str:
    """Write the network with its facts.

    Args:
        deployed: The network.
        path: File to write; appears only when it is whole.
        origin: Where its weights come from.

    Returns:
        SHA-256 of the file, lower-case hex.

    Raises:
        UsageError: The network has an operation that ONNX does not know.
        OutputRefused: The file cannot be written.
    """
    data = network_bytes(deployed, origin)
    write_atomically(path, data, make_folder=True)
    return hashlib.sha256(data).hexdigest()

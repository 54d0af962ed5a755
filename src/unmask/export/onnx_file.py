"""Writing a network as ONNX: one file, any batch size, the same bytes for the same weights.

The file holds the graph, the weights and the version of the exporter; names of source files,
stack traces and node comments, which PyTorch puts in, are taken out, because they carry paths of
the machine and differ from one machine to the next.
"""

from __future__ import annotations

import hashlib
import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from unmask.errors import EnvironmentProblem, UsageError
from unmask.report.write import write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping

    from unmask.detectors._unmask_base_network import UnmaskBaseNetwork
    from unmask.types import Floats

INPUT_PX = 224
MAX_BYTES = 20 * 1024**2
TOLERANCE = 1e-4


class _Deployed(nn.Module):
    """The network as it is run: the class logit, and the map of foreign pixels as 0..1.

    The seam map helps training only and is left out.
    """

    def __init__(self, network: UnmaskBaseNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, 224, 224) -> logits (B,), maps (B, 28, 28)."""
        logits, maps = self.network(pixels)
        return logits, maps[:, 0].sigmoid()


def network_from(weights: Mapping[str, Tensor]) -> UnmaskBaseNetwork:
    """Build the network in evaluation mode from a state dict (a checkpoint's ``average``)."""
    from unmask.detectors._unmask_base_network import UnmaskBaseNetwork

    network = UnmaskBaseNetwork(frozen_blocks=0)
    network.load_state_dict(dict(weights))
    return network.eval()


def run_eager(network: UnmaskBaseNetwork, pixels: Floats) -> tuple[Floats, Floats]:
    """What PyTorch makes of (B, 3, S, S) pixels: logits (B,) and maps (B, S / 8, S / 8)."""
    with torch.no_grad():
        logits, maps = _Deployed(network).eval()(torch.from_numpy(pixels))
    return np.asarray(logits.numpy(), np.float32), np.asarray(maps.numpy(), np.float32)


def export_onnx(network: UnmaskBaseNetwork, path: Path) -> str:
    """Write the network as ONNX.

    Input ``pixels`` (B, 3, 224, 224) float32 RGB in -1..1; outputs ``logits`` (B,) and ``maps``
    (B, 28, 28) in 0..1.

    Args:
        network: The network; put into evaluation mode while it is traced.
        path: File to write; appears only when it is whole.

    Returns:
        SHA-256 of the file, lower-case hex.

    Raises:
        EnvironmentProblem: The file would be larger than 20 MB.
        OutputRefused: It cannot be written.
    """
    data = onnx_bytes(network)
    if len(data) > MAX_BYTES:
        raise EnvironmentProblem(
            f"The network would take {len(data):,} bytes; at most {MAX_BYTES:,} may ship.",
            hint="Train a smaller network.",
        )
    write_atomically(path, data, make_folder=True)
    return hashlib.sha256(data).hexdigest()


def onnx_bytes(network: UnmaskBaseNetwork) -> bytes:
    """The ONNX file as bytes; see :func:`export_onnx`."""
    was_training = network.training
    example = torch.zeros(2, 3, INPUT_PX, INPUT_PX)
    try:
        model = onnx_model(_Deployed(network).eval(), example, ["logits", "maps"])
    finally:
        network.train(was_training)
    return bytes(model.SerializeToString(deterministic=True))


def onnx_model(module: nn.Module, example: Tensor, outputs: list[str]) -> Any:
    """Trace a module in evaluation mode into an ONNX model (``onnx.ModelProto``), any batch size.

    Args:
        module: Takes one tensor of pixels.
        example: Pixels of two crops.
        outputs: Names of what it returns.

    Raises:
        UsageError: It has an operation that ONNX does not know.
    """
    # The exporter says that torchvision is absent, which nothing here needs, and trips over a
    # deprecation of its own.
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            program: Any = torch.onnx.export(
                module,
                (example,),
                input_names=["pixels"],
                output_names=outputs,
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        first = str(error).strip().partition("\n")[0]
        raise UsageError(
            f"This network cannot be written as ONNX: {first}",
            hint="It uses an operation that ONNX does not know; scan cannot run it.",
        ) from error
    finally:
        logger.setLevel(level)
    proto = program.model_proto
    strip(proto)
    return proto


def strip(proto: Any) -> None:
    """Take out everything that says where and how the file was made."""
    proto.doc_string = ""
    proto.ClearField("metadata_props")
    proto.graph.doc_string = ""
    proto.graph.ClearField("metadata_props")
    for message in (
        *proto.graph.node,
        *proto.graph.input,
        *proto.graph.output,
        *proto.graph.value_info,
        *proto.graph.initializer,
        *proto.functions,
    ):
        message.doc_string = ""
        message.ClearField("metadata_props")
    # Shapes of what lies between are found again by whoever reads the file.
    proto.graph.ClearField("value_info")

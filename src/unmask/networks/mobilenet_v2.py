"""MobileNetV2: small, and the one network whose ImageNet weights can come from a file of arrays.

Source: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018. What
differs: one logit; no dropout before it; batch normalisation with the epsilon 1e-3 of the Keras
weights, so that a file made from them and the hub's weights serve the same layers.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import nn

from unmask.errors import CorruptMedia, NotFound
from unmask.networks._timm_backbone import TimmNetwork, build_backbone
from unmask.networks.base import NETWORKS, DetectorNetwork, NetworkSpec

_EPS = 1e-3
_PREFIX = "features."


@NETWORKS.register
class MobileNetV2(TimmNetwork):
    """Inverted residuals with linear bottlenecks, width 1.0."""

    backbone_name: ClassVar = "mobilenetv2_100.ra_in1k"
    spec: ClassVar = NetworkSpec(
        id="mobilenet-v2",
        title="MobileNetV2",
        paper="Sandler et al., MobileNetV2, CVPR 2018",
        family="spatial",
        differs="one logit; no dropout before it",
    )

    def __init__(self, *, input_px: int | None = None, pretrained: bool = False) -> None:
        DetectorNetwork.__init__(self, input_px=input_px, pretrained=pretrained)
        self.backbone = build_backbone(self.backbone_name, pretrained=pretrained, bn_eps=_EPS)
        self.classifier = nn.Linear(1280, 1)

    def initialise(self, path: Path) -> None:
        """Start the backbone from ImageNet arrays.

        Args:
            path: An ``.npz`` whose keys ``features.N...`` lie in execution order: of each
                convolution its weights, then weight, bias, mean and variance of its batch
                normalisation. Other keys are left out.

        Raises:
            NotFound: There is no such file.
            CorruptMedia: It is damaged, or its arrays are not those of MobileNetV2 1.0.
        """
        state = self.backbone.state_dict()
        wanted = [key for key in state if not key.endswith("num_batches_tracked")]
        arrays = _read(path)
        if len(arrays) != len(wanted):
            raise _foreign(path, f"{len(arrays)} arrays instead of {len(wanted)}")
        for key, (name, array) in zip(wanted, arrays, strict=True):
            if state[key].shape != array.shape:
                shape = tuple(state[key].shape)
                raise _foreign(path, f"{name} has the shape {array.shape} instead of {shape}")
            state[key] = torch.from_numpy(array)
        self.backbone.load_state_dict(state)


def _read(path: Path) -> list[tuple[str, np.ndarray]]:
    if not path.is_file():
        raise NotFound(f"There is no file {path}.", hint="Give the path of an .npz of arrays.")
    try:
        with path.open("rb") as handle, np.load(handle) as file:
            return [(key, file[key].astype(np.float32)) for key in file if key.startswith(_PREFIX)]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError, TypeError) as error:
        raise CorruptMedia(
            f"{path.name} cannot be read as a file of arrays (.npz): {error}.",
            hint="Fetch the file again.",
        ) from error


def _foreign(path: Path, what: str) -> CorruptMedia:
    return CorruptMedia(
        f"{path.name} does not hold MobileNetV2 1.0: {what}.",
        hint="Keys must be 'features.N...' in execution order, as the module's docstring says.",
    )

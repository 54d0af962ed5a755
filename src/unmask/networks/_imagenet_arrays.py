"""ImageNet weights of MobileNetV2 from a file of arrays, for every network that has it inside."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import nn

from unmask.errors import CorruptMedia, NotFound

KERAS_EPS = 1e-3
"""Epsilon of the batch normalisations that the arrays belong to."""
_PREFIX = "features."
_HEAD_ARRAYS = 5  # the last convolution and its normalisation, which maps of features end before


def fill_mobilenet_v2(backbone: nn.Module, path: Path) -> None:
    """Let a MobileNetV2 1.0 of timm, with or without its last convolution, start from arrays.

    Args:
        backbone: The network; its batch normalisations have the epsilon :data:`KERAS_EPS`.
        path: An ``.npz`` whose keys ``features.N...`` lie in execution order: of each convolution
            its weights, then weight, bias, mean and variance of its batch normalisation. Other
            keys are left out.

    Raises:
        NotFound: There is no such file.
        CorruptMedia: It is damaged, or its arrays are not those of MobileNetV2 1.0.
    """
    state = backbone.state_dict()
    wanted = [key for key in state if not key.endswith("num_batches_tracked")]
    arrays = _read(path)
    if len(arrays) - len(wanted) not in {0, _HEAD_ARRAYS}:
        raise _foreign(path, f"{len(arrays)} arrays instead of {len(wanted)}")
    for key, (name, array) in zip(wanted, arrays, strict=False):
        if state[key].shape != array.shape:
            shape = tuple(state[key].shape)
            raise _foreign(path, f"{name} has the shape {array.shape} instead of {shape}")
        state[key] = torch.from_numpy(array)
    backbone.load_state_dict(state)


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
        hint="Keys must be 'features.N...' in execution order, as the reference of networks says.",
    )

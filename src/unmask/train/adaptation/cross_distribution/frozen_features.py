"""Frozen features: what an ImageNet network sees in a face, computed once and kept.

Of each of the network's stages the mean and the deviation of every channel over the places, and
the pooled output: fine traces live in early stages, and a mean alone forgets how they vary.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from unmask.errors import CorruptMedia
from unmask.networks.mobilenet_v2 import MobileNetV2
from unmask.train.scoring import crops_of, normalised

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from unmask.train.adaptation.cross_distribution.domains import Faces

_BATCH = 32
_SMALLEST = 1e-6
_FIRST_STAGE = 1  # the stem's sixteen channels say little


class FrozenNetwork:
    """MobileNetV2 with ImageNet weights, in evaluation mode.

    Args:
        arrays: File of its weights.
        input_px: Side of the crops.
        crop_margin: Side of the crop over the longer side of the face hull.

    Raises:
        InputError: The file is absent, damaged or not of this network.
    """

    def __init__(self, arrays: Path, input_px: int, crop_margin: float) -> None:
        self._network = MobileNetV2(input_px=input_px)
        self._network.initialise(arrays)
        self._network.eval()
        self._network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.crop_margin = crop_margin
        digest = hashlib.sha256(arrays.read_bytes())
        digest.update(f"{input_px} {crop_margin} {_FIRST_STAGE}".encode())
        self.digest = digest.hexdigest()

    @torch.inference_mode()
    def features(self, images: NDArray[np.uint8]) -> Tensor:
        """(B, S, S, 3) -> (B, D) float32."""
        backbone = cast("Any", self._network.backbone)
        planes = backbone.bn1(
            backbone.conv_stem(normalised(torch.from_numpy(images), MobileNetV2.spec))
        )
        parts: list[Tensor] = []
        for number, stage in enumerate(backbone.blocks):
            planes = stage(planes)
            if number >= _FIRST_STAGE:
                parts += [planes.mean((2, 3)), planes.std((2, 3))]
        return torch.cat(
            [*parts, backbone.forward_head(backbone.bn2(backbone.conv_head(planes)))], 1
        )

    def of(self, faces: Faces, on_done: Callable[[int], None]) -> NDArray[np.float32]:
        """(N, D) features of faces.

        Raises:
            CorruptMedia: A stored face is damaged.
        """
        found = []
        for start in range(0, len(faces.rows), _BATCH):
            rows = faces.rows[start : start + _BATCH]
            crops = crops_of(faces.store, rows, self._network.input_px, self.crop_margin)
            found.append(self.features(crops).numpy())
            on_done(len(rows))
        return np.concatenate(found)


class SourceComponents:
    """Principal components of standardised features, fitted on the labelled source alone.

    Heads train on a few hundred of them in a fraction of the time that all features take.

    Args:
        source: (N, D) features.
        count: Components to keep; 0: leave features as they are.
    """

    def __init__(self, source: Tensor, count: int) -> None:
        self._mean = source.mean(0)
        self._scale = source.std(0).clamp_min(_SMALLEST).reciprocal()
        self._basis: Tensor | None = None
        if count:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)  # the decomposition starts from a random one
                most = min(count, *source.shape)
                self._basis = torch.pca_lowrank(self._standardised(source), most, center=False)[2]

    def __call__(self, features: Tensor) -> Tensor:
        """(N, D) -> (N, count)."""
        return features if self._basis is None else self._standardised(features) @ self._basis

    def _standardised(self, features: Tensor) -> Tensor:
        return (features - self._mean) * self._scale


def cached_features(
    network: FrozenNetwork, faces: Faces, folder: Path, on_done: Callable[[int], None]
) -> NDArray[np.float32]:
    """Features of faces, from the folder where they were computed before.

    Raises:
        CorruptMedia: A stored face, or a file in the folder, is damaged.
    """
    columns = faces.store.columns
    what = [columns.sample_id[faces.rows].tolist(), columns.compression[faces.rows].tolist()]
    key = hashlib.sha256((network.digest + json.dumps(what)).encode()).hexdigest()
    path = folder / f"features-{key[:16]}.npz"
    if path.is_file():
        on_done(len(faces.rows))
        return _read(path)
    found = network.of(faces, on_done)
    folder.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}")
    with partial.open("wb") as handle:
        np.savez(handle, features=found)
    partial.replace(path)
    return found


def _read(path: Path) -> NDArray[np.float32]:
    try:
        with path.open("rb") as handle, np.load(handle) as file:
            features: NDArray[np.float32] = file["features"]
            return features
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise CorruptMedia(
            f"The features in {path} are damaged: {error}.", hint="Delete that file."
        ) from error

"""Does the exported file say what the network says? Asked of each engine that is there."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmask.errors import EnvironmentProblem
from unmask.export.onnx_file import INPUT_PX, TOLERANCE, run_eager
from unmask.inference import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from unmask.detectors._unmask_base_network import UnmaskBaseNetwork
    from unmask.export.network_file import DeployedNetwork
    from unmask.types import Floats

    Run = Callable[[Floats], list[Floats]]


@dataclass(frozen=True, slots=True)
class Parity:
    """Largest distance between an engine and PyTorch, over all test pixels.

    Distances of logits beyond -1..1 are relative: float32 has seven digits.

    Attributes:
        engine: ``openvino`` or ``onnxruntime``.
        logits: Largest distance of a logit.
        maps: Largest distance of a value of a map; 0 without one.
    """

    engine: str
    logits: float
    maps: float


def check_parity(network: UnmaskBaseNetwork, path: Path) -> list[Parity]:
    """Compare the file of an ``unmask-base`` network with it; see :func:`compare`."""

    def eager(pixels: Floats) -> list[Floats]:
        return list(run_eager(network, pixels))

    return compare(eager, path, probe_pixels())


def check_network_parity(deployed: DeployedNetwork, path: Path) -> list[Parity]:
    """Compare the file of any image network with it; see :func:`compare`."""
    network = deployed.network
    pixels = probe_pixels(network.input_px, mean=network.spec.mean, std=network.spec.std)
    return compare(deployed.run, path, pixels)


def compare(
    eager: Callable[[Floats], list[Floats]], path: Path, batches: list[Floats]
) -> list[Parity]:
    """Compare a file with what PyTorch gives, on noise and picture-like pixels of any batch size.

    ONNX Runtime is asked where it is installed.

    Args:
        eager: Gives one array an output.
        path: The exported file.
        batches: (B, 3, S, S) each.

    Raises:
        EnvironmentProblem: An engine is further than 1e-4 from PyTorch.
    """
    engines = ["openvino"] + (["onnxruntime"] if find_spec("onnxruntime") else [])
    expected = [eager(pixels) for pixels in batches]
    found = []
    for engine in engines:
        run = _openvino(path) if engine == "openvino" else _onnxruntime(path)
        gaps = [0.0, 0.0]
        for pixels, wanted in zip(batches, expected, strict=True):
            for i, (ours, theirs) in enumerate(zip(wanted, run(pixels), strict=True)):
                gaps[i] = max(gaps[i], _gap(ours, theirs.reshape(ours.shape)))
        found.append(Parity(engine, *gaps))
    worst = max(gap for one in found for gap in (one.logits, one.maps))
    if not all(max(one.logits, one.maps) <= TOLERANCE for one in found):  # also true of NaN
        raise EnvironmentProblem(
            f"The exported network differs from the trained one by {worst:.2g}; at most "
            f"{TOLERANCE:g} is allowed.",
            hint=f"Do not ship {path.name}; report it with the versions of torch and openvino.",
        )
    return found


def _gap(ours: Floats, theirs: Floats) -> float:
    """Largest distance; NaN where either is no number."""
    distance = np.abs(ours - theirs) / np.maximum(1, np.abs(ours))
    return float(distance.max()) if np.isfinite(distance).all() else float("inf")


def probe_pixels(
    side: int = INPUT_PX,
    *,
    mean: Sequence[float] = (127.5,) * 3,
    std: Sequence[float] = (127.5,) * 3,
) -> list[Floats]:
    """Batches of 1, 2 and 5: noise in -1..1, and smooth pictures with edges and grain.

    Args:
        side: Side of the crops.
        mean: Per-channel mean of the network, on the 0..255 scale.
        std: Per-channel deviation of the network, on the 0..255 scale.
    """
    rng = np.random.default_rng(7)
    noise = rng.uniform(-1, 1, (2, 3, side, side)).astype(np.float32)
    pictures = []
    for _ in range(5):
        knots = rng.uniform(0, 255, (6, 6, 3)).astype(np.float32)
        picture = cv2.resize(knots, (side, side), interpolation=cv2.INTER_CUBIC)
        middle = (5 * side // 14, 9 * side // 14)
        centre = (int(rng.integers(*middle)), int(rng.integers(*middle)))
        shade = tuple(float(value) for value in rng.uniform(60, 220, 3))
        axes = (15 * side // 56, 5 * side // 14)
        cv2.ellipse(picture, centre, axes, float(rng.uniform(0, 30)), 0, 360, shade, -1)
        grain = rng.normal(0, 4, picture.shape)
        pictures.append((np.clip(picture + grain, 0, 255) - mean) / std)
    batch = np.stack(pictures).transpose(0, 3, 1, 2).astype(np.float32)
    return [np.ascontiguousarray(batch[:1]), noise, np.ascontiguousarray(batch)]


def _openvino(path: Path) -> Run:
    return Session(path).run


def _onnxruntime(path: Path) -> Run:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda pixels: session.run(None, {"pixels": pixels})

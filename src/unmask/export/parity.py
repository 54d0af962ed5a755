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
    from collections.abc import Callable

    from unmask.detectors._unmask_base_network import UnmaskBaseNetwork
    from unmask.types import Floats

    Run = Callable[[Floats], list[Floats]]


@dataclass(frozen=True, slots=True)
class Parity:
    """Largest distance between an engine and PyTorch, over all test pixels.

    Attributes:
        engine: ``openvino`` or ``onnxruntime``.
        logits: Largest distance of a logit.
        maps: Largest distance of a value of a map.
    """

    engine: str
    logits: float
    maps: float


def check_parity(network: UnmaskBaseNetwork, path: Path) -> list[Parity]:
    """Compare the file with the network on noise and on picture-like pixels, three batch sizes.

    ONNX Runtime is asked where it is installed.

    Raises:
        EnvironmentProblem: An engine is further than 1e-4 from PyTorch.
    """
    engines = ["openvino"] + (["onnxruntime"] if find_spec("onnxruntime") else [])
    found = []
    for engine in engines:
        run = _openvino(path) if engine == "openvino" else _onnxruntime(path)
        gaps = np.zeros(2)
        for pixels in probe_pixels():
            for i, (ours, theirs) in enumerate(
                zip(run_eager(network, pixels), run(pixels), strict=True)
            ):
                gaps[i] = max(gaps[i], float(np.abs(ours - theirs.reshape(ours.shape)).max()))
        found.append(Parity(engine, float(gaps[0]), float(gaps[1])))
    worst = max(max(one.logits, one.maps) for one in found)
    if not worst <= TOLERANCE:  # also true of NaN
        raise EnvironmentProblem(
            f"The exported network differs from the trained one by {worst:.2g}; at most "
            f"{TOLERANCE:g} is allowed.",
            hint=f"Do not ship {path.name}; report it with the versions of torch and openvino.",
        )
    return found


def probe_pixels() -> list[Floats]:
    """Batches of 1, 2 and 5: noise, and smooth pictures with edges and grain; -1..1."""
    rng = np.random.default_rng(7)
    noise = rng.uniform(-1, 1, (2, 3, INPUT_PX, INPUT_PX)).astype(np.float32)
    pictures = []
    for _ in range(5):
        knots = rng.uniform(0, 255, (6, 6, 3)).astype(np.float32)
        picture = cv2.resize(knots, (INPUT_PX, INPUT_PX), interpolation=cv2.INTER_CUBIC)
        centre = (int(rng.integers(80, 144)), int(rng.integers(80, 144)))
        shade = tuple(float(value) for value in rng.uniform(60, 220, 3))
        cv2.ellipse(picture, centre, (60, 80), float(rng.uniform(0, 30)), 0, 360, shade, -1)
        grain = rng.normal(0, 4, picture.shape)
        pictures.append(np.clip(picture + grain, 0, 255) / 127.5 - 1)
    batch = np.stack(pictures).transpose(0, 3, 1, 2).astype(np.float32)
    return [np.ascontiguousarray(batch[:1]), noise, np.ascontiguousarray(batch)]


def _openvino(path: Path) -> Run:
    return Session(path).run


def _onnxruntime(path: Path) -> Run:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda pixels: session.run(["logits", "maps"], {"pixels": pixels})

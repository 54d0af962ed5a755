"""Fixtures that every test may use."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from subprocess import CompletedProcess

    from unmask.scanning.scanner import Scanner
    from unmask.types import Image

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session", autouse=True)
def _own_identity_and_log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What the tests sign and record is never that of whoever runs them."""
    folder = tmp_path_factory.mktemp("provenance")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("UNMASK_IDENTITY", str(folder / "identity"))
        environment.setenv("UNMASK_LOG", str(folder / "log.db"))
        yield


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The study data beside the checkout, which never travel with it.

    Skips, by name, where they are absent: no test that must pass may rest on them.
    """
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("study data: ../shared/data is not on this machine")
    return folder


@pytest.fixture(scope="session")
def face_models() -> Path:
    """The folder of the face models, fetched once if need be.

    Skips, by name, only where the network may not be used and they are absent.
    """
    from unmask import settings
    from unmask.faces import assets

    if settings.offline() and assets.missing():
        names = ", ".join(asset.filename for asset in assets.missing())
        pytest.skip(f"face models: {names} are absent and UNMASK_OFFLINE is set")
    return assets.ensure()


@pytest.fixture(scope="session")
def portraits() -> dict[str, Image]:
    """Two public-domain portraits that come inside packages, (H, W, 3) uint8 RGB by name."""
    import numpy as np
    from matplotlib import cbook
    from PIL import Image as Pillow
    from skimage import data

    with cbook.get_sample_data("grace_hopper.jpg") as file, Pillow.open(file) as picture:
        hopper = np.asarray(picture.convert("RGB"))
    return {"astronaut": np.asarray(data.astronaut()), "hopper": hopper}


@pytest.fixture(scope="session")
def scanner(face_models: Path) -> Scanner:
    """The scanner with the shipped weights, loaded once."""
    from unmask.scanning.scanner import Scanner

    assert face_models.is_dir()
    return Scanner()


@pytest.fixture(scope="session")
def portrait(portraits: dict[str, Image]) -> Image:
    """(512, 512, 3): a photograph with one face."""
    return portraits["astronaut"]


@pytest.fixture(scope="session")
def portrait_file(portrait: Image, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The portrait as a JPEG file; not to be changed."""
    from PIL import Image as Pillow

    path = tmp_path_factory.mktemp("portrait") / "portrait.jpg"
    Pillow.fromarray(portrait).save(path, quality=92)
    return path


@pytest.fixture(scope="session")
def portrait_film(portrait: Image, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of two seconds at ten frames a second that moves over the portrait."""
    from unmask.media import write_film

    path = tmp_path_factory.mktemp("film") / "portrait.mp4"
    frames = (portrait[:384, 2 * n : 2 * n + 384].copy() for n in range(20))
    write_film(path, frames, 10.0, crf=18)
    return path


@pytest.fixture(scope="session")
def demonstration(
    face_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, CompletedProcess[str]]:
    """What ``unmask demo`` left behind, run once as a user would: its folder, and how it ended."""
    folder = tmp_path_factory.mktemp("demonstration")
    done = subprocess.run(
        [sys.executable, "-m", "unmask", "demo", "-o", str(folder / "demo")],
        env={**os.environ, "UNMASK_MODELS": str(face_models), "UNMASK_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    return folder / "demo", done


@pytest.fixture(scope="session")
def network_file() -> Callable[..., Path]:
    """Write an ONNX file as ``unmask export`` does, of a network that anybody can compute.

    Its logit is four times the mean of the pixels; its map, cells of the eighth part of the side,
    the logistic function of their mean. Keywords change its facts; ``facts=None`` leaves them out.
    """
    pytest.importorskip("onnx", reason="the extra 'train' is not installed")
    import json

    from onnx import TensorProto, helper

    def make(path: Path, *, outputs: int = 2, side: int = 64, **changed: object) -> Path:
        def constant(name: str, values: list[float], kind: int = TensorProto.INT64):
            return helper.make_tensor(name, kind, [len(values)], values)

        nodes = [
            helper.make_node("ReduceMean", ["pixels", "all"], ["mean"], keepdims=0),
            helper.make_node("Mul", ["mean", "four"], ["logits"]),
            helper.make_node("ReduceMean", ["pixels", "channel"], ["grey"], keepdims=1),
            helper.make_node(
                "AveragePool", ["grey"], ["cells"], kernel_shape=[8, 8], strides=[8, 8]
            ),
            helper.make_node("Squeeze", ["cells", "channel"], ["flat"]),
            helper.make_node("Sigmoid", ["flat"], ["maps"]),
        ]
        shapes = {"logits": ["batch"], "maps": ["batch", side // 8, side // 8]}
        names = list(shapes)[:outputs]
        graph = helper.make_graph(
            nodes if outputs == 2 else nodes[:2],
            "plain",
            [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 3, side, side])],
            [helper.make_tensor_value_info(one, TensorProto.FLOAT, shapes[one]) for one in names],
            [
                constant("all", [1, 2, 3]),
                constant("channel", [1]),
                constant("four", [4.0], TensorProto.FLOAT),
            ],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        if changed.get("facts", changed) is not None:
            facts = {
                "version": 1,
                "id": "plain-mean",
                "title": "Plain mean",
                "paper": "Nobody, 2000",
                "input_px": side,
                "views": [[1.3, False]],
                "mean": [127.5, 127.5, 127.5],
                "std": [127.5, 127.5, 127.5],
                "map_kind": "class_activation" if outputs == 2 else "none",
                "training_sets": ["some_faces/train"],
                "weights_licence": "for tests",
            }
            helper.set_model_props(model, {"unmask.network": json.dumps(facts | changed)})
        path.write_bytes(model.SerializeToString(deterministic=True))
        return path

    return make

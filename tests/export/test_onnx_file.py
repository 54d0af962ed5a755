"""The exported file: says what the network says, for any batch, and nothing about its maker."""

from __future__ import annotations

import getpass
import hashlib
import socket
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra 'train' is not installed")
pytest.importorskip("onnx", reason="the extra 'train' is not installed")

from unmask.detectors.unmask_base import UnmaskBase
from unmask.errors import EnvironmentProblem, OutputRefused
from unmask.export.onnx_file import export_onnx, onnx_bytes, run_eager
from unmask.export.parity import check_parity, probe_pixels


def test_every_engine_agrees_with_pytorch(network, exported: tuple[Path, str]) -> None:
    found = check_parity(network, exported[0])
    assert found[0].engine == "openvino"
    assert all(max(one.logits, one.maps) < 1e-4 for one in found)


def test_parity_fails_where_weights_differ(network, exported: tuple[Path, str]) -> None:
    import torch

    bias = network.classify.bias.detach().clone()
    try:
        with torch.no_grad():
            network.classify.bias += 0.01
        with pytest.raises(EnvironmentProblem, match="differs"):
            check_parity(network, exported[0])
    finally:
        with torch.no_grad():
            network.classify.bias.copy_(bias)


def test_the_detector_runs_the_file_and_a_face_does_not_depend_on_its_batch(
    network, exported: tuple[Path, str]
) -> None:
    path, digest = exported
    detector = UnmaskBase(path)
    assert detector.weights_sha256 == digest == hashlib.sha256(path.read_bytes()).hexdigest()
    pixels = probe_pixels()[-1]
    together = detector.predict(pixels)
    assert together.logits.shape == (5,)
    assert together.maps is not None
    assert together.maps.shape == (5, 28, 28)
    assert 0 <= together.maps.min() <= together.maps.max() <= 1
    logits, _ = run_eager(network, pixels)
    assert together.logits == pytest.approx(logits, abs=1e-4)
    for i in range(5):
        alone = detector.predict(pixels[i : i + 1])
        assert alone.logits[0] == pytest.approx(together.logits[i], abs=1e-4)
        assert np.abs(alone.maps[0] - together.maps[i]).max() < 1e-4
    assert np.array_equal(detector.predict(pixels).logits, together.logits)


def test_names_shapes_and_types_of_the_interface(exported: tuple[Path, str]) -> None:
    import onnx

    graph = onnx.load(exported[0]).graph
    shape = [d.dim_param or d.dim_value for d in graph.input[0].type.tensor_type.shape.dim]
    assert graph.input[0].name == "pixels"
    assert shape == ["batch", 3, 224, 224]
    assert [output.name for output in graph.output] == ["logits", "maps"]
    onnx.checker.check_model(str(exported[0]), full_check=True)


def test_the_file_is_small_and_carries_no_trace_of_the_machine(exported: tuple[Path, str]) -> None:
    import onnx

    data = exported[0].read_bytes()
    assert len(data) < 20 * 1024**2
    here = str(Path(__file__).resolve().parent.parent.parent)
    for trace in (here, str(Path.home()), "site-packages", '.py"', socket.gethostname()):
        assert len(trace) < 4 or trace.encode() not in data
    assert f"/{getpass.getuser()}/".encode() not in data
    model = onnx.load(exported[0])
    assert not model.doc_string
    assert not model.metadata_props
    assert not any(node.doc_string or node.metadata_props for node in model.graph.node)


def test_the_same_weights_give_the_same_bytes(network, exported: tuple[Path, str]) -> None:
    assert hashlib.sha256(onnx_bytes(network)).hexdigest() == exported[1]


def test_a_place_that_cannot_be_written(network, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputRefused):
        export_onnx(network, tmp_path / "file" / "net.onnx")

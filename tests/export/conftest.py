"""A network with weights that are not those it starts with."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def network():
    torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")
    pytest.importorskip("onnxscript", reason="the extra 'train' is not installed")
    from unmask.detectors._unmask_base_network import UnmaskBaseNetwork

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(11)
        one = UnmaskBaseNetwork(frozen_blocks=0)
        with torch.no_grad():
            for name, value in one.state_dict().items():
                if name.endswith("running_var"):
                    value.uniform_(0.5, 2.0)
                elif name.endswith("running_mean"):
                    value.normal_(0, 0.1)
            one.classify.weight.normal_(0, 0.05)
            one.stem.norm.weight.fill_(0.5)
    return one.eval()


@pytest.fixture(scope="session")
def exported(network, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    from unmask.export.onnx_file import export_onnx

    path = tmp_path_factory.mktemp("export") / "some" / "net.onnx"
    return path, export_onnx(network, path)

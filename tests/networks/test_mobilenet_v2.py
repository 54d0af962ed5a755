"""Networks that start from a file of ImageNet arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")

from unmask.detectors._unmask_base_network import UnmaskBaseNetwork  # noqa: E402
from unmask.errors import CorruptMedia, NotFound, UsageError  # noqa: E402
from unmask.networks.base import NETWORKS  # noqa: E402
from unmask.networks.mesonet_4 import MesoNet4  # noqa: E402
from unmask.networks.mobilenet_v2 import MobileNetV2  # noqa: E402


def arrays_of(network: UnmaskBaseNetwork) -> dict[str, np.ndarray]:
    """What the file holds, read from the other MobileNetV2 of this project."""
    state = network.features.state_dict()
    return {
        f"features.{key}": value.numpy()
        for key, value in state.items()
        if not key.endswith("num_batches_tracked")
    }


@pytest.fixture(scope="module")
def base() -> UnmaskBaseNetwork:
    torch.manual_seed(3)
    network = UnmaskBaseNetwork(frozen_blocks=0)
    for module in network.features.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2.0)
    return network.eval()


@torch.no_grad()
def test_arrays_land_where_they_belong(base: UnmaskBaseNetwork, tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    np.savez(path, **arrays_of(base), **{"fc.weight": np.zeros(3, np.float32)})
    network = MobileNetV2(input_px=64).eval()
    network.initialise(path)
    pixels = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    planes = pixels
    for block in base.features:
        planes = block(planes)
    features = network(pixels).features
    assert float(features.std()) > 0.01
    torch.testing.assert_close(features, planes.mean((2, 3)), atol=1e-5, rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("network_id", ["cnn-lstm", "lrcn", "temporal-transformer"])
def test_networks_over_frames_start_from_the_same_arrays(
    network_id: str, base: UnmaskBaseNetwork, tmp_path: Path
) -> None:
    path = tmp_path / "weights.npz"
    np.savez(path, **arrays_of(base))
    network = NETWORKS.get(network_id)(input_px=96, backbone="mobilenetv2_100").eval()
    network.initialise(path)
    pixels = torch.rand(1, 2, 3, 96, 96, generator=torch.Generator().manual_seed(0)) * 2 - 1
    planes = pixels[0]
    for block in list(base.features)[:-1]:  # maps of features end before the last convolution
        planes = block(planes)
    torch.testing.assert_close(
        network.encoder(pixels)[0], planes.mean((2, 3)), atol=1e-5, rtol=1e-5
    )
    other = NETWORKS.get(network_id)(input_px=96, backbone="lcnet_050")
    with pytest.raises(UsageError, match="none that files of arrays hold"):
        other.initialise(path)


def test_the_shared_imagenet_arrays_fit(shared_data: Path) -> None:
    path = shared_data.parent / "init" / "mobilenetv2_imagenet.npz"
    if not path.is_file():
        pytest.skip("ImageNet arrays: ../shared/init/mobilenetv2_imagenet.npz is absent")
    network = MobileNetV2(input_px=64)
    before = network.backbone.conv_stem.weight.detach().clone()
    network.initialise(path)
    assert not torch.equal(network.backbone.conv_stem.weight, before)


@pytest.mark.parametrize("what", ["absent", "text", "cut short", "too few", "another shape"])
def test_a_file_that_is_none_is_told_and_changes_nothing(
    what: str, base: UnmaskBaseNetwork, tmp_path: Path
) -> None:
    path = tmp_path / "weights.npz"
    arrays = arrays_of(base)
    if what == "too few":
        arrays.pop("features.3.conv.0.0.weight")
    if what == "another shape":
        arrays["features.18.0.weight"] = np.zeros((3, 3), np.float32)
    if what == "text":
        path.write_text("not an archive")
    elif what != "absent":
        np.savez(path, **arrays)
    if what == "cut short":
        path.write_bytes(path.read_bytes()[:5000])
    network = MobileNetV2(input_px=64)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with pytest.raises(NotFound if what == "absent" else CorruptMedia) as caught:
        network.initialise(path)
    assert caught.value.hint
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_other_networks_take_no_file_of_arrays(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="mesonet-4") as caught:
        MesoNet4().initialise(tmp_path / "weights.npz")
    assert "mobilenet-v2" in caught.value.hint

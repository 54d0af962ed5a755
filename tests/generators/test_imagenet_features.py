"""Features of ImageNet: those of the whole network, and heard where their file is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'forge' is not installed")

from unmask.errors import CorruptMedia, MissingExtra, NotFound  # noqa: E402
from unmask.generators._imagenet_features import ImageNetFeatures  # noqa: E402
from unmask.generators.adversarial_swap import (  # noqa: E402
    AdversarialSwap,
    AdversarialSwapConfig,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from unmask.generators.material import Material


@pytest.fixture
def whole() -> Any:
    """MobileNetV2 of timm with random weights, in evaluation mode."""
    from unmask.networks._timm_backbone import build_backbone

    torch.manual_seed(0)
    try:
        whole = build_backbone("mobilenetv2_100.ra_in1k", pretrained=False, bn_eps=1e-3).eval()
    except MissingExtra:
        pytest.skip("timm: the extra 'train' is not installed")
    with torch.no_grad():
        for name, value in whole.state_dict().items():
            if name.endswith(("running_var", "bn1.weight", "bn2.weight", "bn3.weight")):
                value.copy_(torch.rand_like(value) + 0.5)
    return whole


@pytest.fixture
def weights(whole: Any, tmp_path: Path) -> Path:
    """Its arrays in execution order, as the file of ImageNet weights holds them."""
    arrays = {
        f"features.{number}": value.numpy()
        for number, (name, value) in enumerate(whole.state_dict().items())
        if not name.endswith("num_batches_tracked") and not name.startswith("classifier")
    }
    np.savez(tmp_path / "weights.npz", **arrays)
    return tmp_path / "weights.npz"


def test_imagenet_features_are_those_of_the_whole_network(whole: Any, weights: Path) -> None:
    pixels = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        x = whole.bn1(whole.conv_stem(pixels * 2 - 1))
        expected = []
        for block in whole.blocks[:3]:
            x = block(x)
            expected.append(x)
        found = ImageNetFeatures(weights)(pixels)
    for got, want in zip(found, expected, strict=True):
        torch.testing.assert_close(got, want, atol=1e-3, rtol=1e-3)


def test_features_from_a_wrong_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="There is no file"):
        ImageNetFeatures(tmp_path / "absent.npz")
    (tmp_path / "text.npz").write_text("no arrays")
    with pytest.raises(CorruptMedia, match="cannot be read"):
        ImageNetFeatures(tmp_path / "text.npz")
    np.savez(tmp_path / "other.npz", **{"features.0": np.zeros((3, 3))})
    with pytest.raises(CorruptMedia, match="does not hold MobileNetV2"):
        ImageNetFeatures(tmp_path / "other.npz")


def test_the_adversarial_swap_is_trained_by_them_where_they_are_given(
    weights: Path, material_for: Callable[[str], Material]
) -> None:
    def painter(**changed: object) -> torch.Tensor:
        config = AdversarialSwapConfig(**{**AdversarialSwap.small, **changed})
        swap = AdversarialSwap(config, material_for("two_people"), seed=2)
        torch.manual_seed(1)
        figures = swap.training_step(swap.draw_batch(np.random.default_rng(1)), 1)
        assert ("perceived" in figures) == bool(config.perceptual_weights)
        kept = swap.networks.state_dict()
        assert not any("seen" in name for name in kept)  # not a part of the run
        return torch.cat([one.flatten() for key, one in kept.items() if key.startswith("gen")])

    plain = painter()
    seen = painter(perceptual_weights=str(weights))
    unheard = painter(perceptual_weights=str(weights), perceptual_loss=0.0)
    assert not torch.equal(plain, seen)
    assert torch.allclose(plain, unheard, atol=1e-6)

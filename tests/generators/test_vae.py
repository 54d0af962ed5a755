"""The variational autoencoder: it learns, and its prior is what samples are drawn from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'forge' is not installed")

from unmask.errors import UsageError  # noqa: E402
from unmask.generators._sample_figures import (  # noqa: E402
    diversity_ratio,
    nearest_ratio,
    sliced_wasserstein,
)
from unmask.generators.vae import Vae, VaeConfig  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

    from unmask.generators.material import Material


def test_it_learns_to_repaint_faces(material_for: Callable[[str], Material]) -> None:
    config = replace(VaeConfig.from_mapping(Vae.small), batch=8, learning_rate=3e-3, warm_up=10)
    vae = Vae(config, material_for("faces"), seed=1)
    before = vae.held_out_figures()
    for step in range(1, 41):
        torch.manual_seed(step)
        vae.training_step(vae.draw_batch(np.random.default_rng(step)), step)
    after = vae.held_out_figures()
    assert after["bound"] < 0.8 * before["bound"]
    assert after["psnr_db"] > before["psnr_db"] + 2
    assert after["divergence_nats"] > 0


def test_the_divergence_is_that_of_two_gaussians() -> None:
    vae = Vae(VaeConfig.from_mapping(Vae.small), seed=1)
    torch.manual_seed(0)
    faces, mean, spread = torch.zeros(5, 3, 16, 16), torch.randn(5, 8), torch.randn(5, 8)
    found = vae._losses(faces, faces, mean, spread)[1] * faces[0].numel()
    normal = torch.distributions.Normal
    exact = torch.distributions.kl_divergence(
        normal(mean, (spread / 2).exp()), normal(torch.zeros(5, 8), torch.ones(5, 8))
    )
    torch.testing.assert_close(found, exact.sum(1).mean())


def test_without_truncation_left_all_samples_are_the_average() -> None:
    vae = Vae(VaeConfig.from_mapping(Vae.small), seed=1)
    faces = vae.sample(3, seed=1, truncation=0.0)
    assert np.array_equal(faces[0], faces[2])


def test_crowds_are_told_apart() -> None:
    rng = np.random.default_rng(0)
    smooth = rng.integers(60, 200, (30, 1, 1, 3)) * np.ones((1, 32, 32, 1))
    noisy = np.clip(smooth + rng.normal(0, 30, smooth.shape), 0, 255).astype(np.uint8)
    smooth = smooth.astype(np.uint8)
    assert sliced_wasserstein(noisy[:15], noisy[15:]) < 0.5 * sliced_wasserstein(
        smooth[:15], noisy[15:]
    )
    assert nearest_ratio(smooth[:5], smooth[20:], smooth[:20]) == 0
    assert nearest_ratio(smooth[20:], smooth[20:], smooth[:20]) == 1
    assert diversity_ratio(np.repeat(smooth[:1], 4, 0), smooth) == 0


def test_without_warm_up_the_divergence_counts_from_the_first_step(
    material_for: Callable[[str], Material],
) -> None:
    def after_a_step(**changed: float) -> torch.Tensor:
        config = replace(VaeConfig.from_mapping(Vae.small), **changed)  # type: ignore[arg-type]
        vae = Vae(config, material_for("faces"), seed=1)
        torch.manual_seed(0)
        vae.training_step(vae.draw_batch(np.random.default_rng(0)), 1)
        return torch.cat([one.detach().flatten() for one in vae.networks.parameters()])

    at_once = after_a_step(warm_up=0, beta=50.0)
    assert torch.equal(at_once, after_a_step(warm_up=1, beta=50.0))
    assert not torch.equal(at_once, after_a_step(warm_up=1000, beta=50.0))


def test_a_size_that_does_not_halve_is_refused() -> None:
    with pytest.raises(UsageError, match="power of two"):
        Vae(VaeConfig(size_px=40))

"""Super-resolution: where it starts, both of its networks, and what is measured."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'forge' is not installed")

from unmask.errors import UsageError  # noqa: E402
from unmask.generators._degradation import reduced  # noqa: E402
from unmask.generators._restoration_figures import (  # noqa: E402
    average_gradients,
    gradient_cosine,
    texture_error,
)
from unmask.generators.esrgan import Esrgan, EsrganConfig  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

    from unmask.generators.material import FaceTrack, Material


def trained(material: Material, steps: int, **changes: float) -> Esrgan:
    config = replace(EsrganConfig.from_mapping(Esrgan.small), **changes)  # type: ignore[arg-type]
    restorer = Esrgan(config, material, seed=1)
    for step in range(1, steps + 1):
        torch.manual_seed(step)
        restorer.training_step(restorer.draw_batch(np.random.default_rng(step)), step)
    return restorer


def test_it_starts_as_a_bicubic_enlargement(tracks: list[FaceTrack]) -> None:
    restorer = Esrgan(EsrganConfig.from_mapping(Esrgan.small), seed=1)
    images = tracks[0].images[:2]
    gap = restorer.restore(tracks[0].part(0, 2)).astype(int) - reduced(images, 192)
    assert np.abs(gap).max() <= 1  # halves are rounded in another unit


def test_it_learns_beyond_bicubic(material_for: Callable[[str], Material]) -> None:
    changes = {"faithful_steps": 80, "learning_rate": 4e-3, "degraded_share": 0.0, "batch": 4}
    figures = trained(material_for("faces"), 80, **changes).held_out_figures()
    assert figures["faithful_psnr_db"] > figures["bicubic_psnr_db"] + 0.05
    assert figures["gradient_cosine_after"] > 0.5


def test_the_sharp_network_leaves_the_faithful_one_when_the_game_begins(
    material_for: Callable[[str], Material], tracks: list[FaceTrack]
) -> None:
    images = tracks[0].images[:1]

    def ends(restorer: Esrgan) -> list[np.ndarray]:
        return [restorer.enlarge(images, sharpness=share) for share in (0, 1)]

    faithful, sharp = ends(trained(material_for("faces"), 2, faithful_steps=2))
    assert np.array_equal(faithful, sharp)
    played = trained(material_for("faces"), 4, faithful_steps=2, learning_rate=1e-2)
    faithful_later, sharp_later = ends(played)
    assert not np.array_equal(faithful_later, sharp_later)
    between = played.enlarge(images, sharpness=0.5)
    assert not np.array_equal(between, faithful_later)


def test_figures_on_known_answers(tracks: list[FaceTrack]) -> None:
    images = np.clip(tracks[0].images[:3], 20, 230)
    assert texture_error(images, images) == 0
    assert texture_error(images + np.uint8(10), images) == pytest.approx(0, abs=0.05)
    smooth = reduced(reduced(images, 24), 96)
    assert texture_error(smooth, images) > 0.5
    average = average_gradients(np.concatenate([track.images[:3] for track in tracks]))
    assert gradient_cosine(images, images, average) == pytest.approx(1, abs=1e-5)
    assert gradient_cosine(tracks[1].images[:3], images, average) < 0.3


def test_wrong_sizes_are_refused() -> None:
    with pytest.raises(UsageError, match="patch"):
        Esrgan(EsrganConfig(size_px=32, patch_px=64))

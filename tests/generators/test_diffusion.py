"""The diffusion model: its schedule, the way back from noise, and regions painted anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'forge' is not installed")

from unmask.errors import UsageError  # noqa: E402
from unmask.generators._noise_schedule import NoiseSchedule  # noqa: E402
from unmask.generators._region_masks import random_region  # noqa: E402
from unmask.generators.diffusion import Diffusion, DiffusionConfig  # noqa: E402

if TYPE_CHECKING:
    from unmask.generators.material import FaceTrack


def test_the_schedule_goes_from_picture_to_noise() -> None:
    kept = NoiseSchedule(1000).kept
    assert float(kept[0]) > 0.999
    assert float(kept[-1]) < 1e-5
    assert (kept.diff() < 0).all()
    # Equation 17 at half time, where the offset of 0.008 still shows.
    wanted = np.cos((0.5 + 0.008) / 1.008 * np.pi / 2) ** 2 / np.cos(0.008 / 1.008 * np.pi / 2) ** 2
    assert float(kept[499]) == pytest.approx(wanted, rel=1e-4)


def test_velocity_holds_both_picture_and_noise() -> None:
    schedule = NoiseSchedule(100)
    torch.manual_seed(0)
    picture, noise = torch.randn(2, 4, 3, 8, 8)
    time = torch.tensor([0, 20, 60, 98])
    noised, velocity = (
        schedule.noised(picture, noise, time),
        schedule.velocity(picture, noise, time),
    )
    torch.testing.assert_close(schedule.picture_of(noised, velocity, time), picture)
    again = schedule.velocity_from_noise(noised, noise, time)
    torch.testing.assert_close(again, velocity, rtol=1e-3, atol=1e-3)


def test_a_network_that_knows_the_picture_leads_back_to_it() -> None:
    schedule = NoiseSchedule(1000)
    torch.manual_seed(0)
    picture, start = torch.rand(2, 3, 8, 8) * 2 - 1, torch.randn(2, 3, 8, 8)

    def oracle(noised: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        kept = schedule.kept[time][:, None, None, None]
        noise = (noised - kept.sqrt() * picture) / (1 - kept).sqrt()
        return schedule.velocity(picture, noise, time)

    torch.testing.assert_close(schedule.way_back(start, 10, oracle), picture, atol=1e-3, rtol=1e-3)


def test_what_is_not_in_the_region_stays_as_it_came(tracks: list[FaceTrack]) -> None:
    diffusion = Diffusion(DiffusionConfig.from_mapping(Diffusion.small), seed=1)
    images = tracks[0].images[:2]
    masks = np.zeros(images.shape[:3], np.float32)
    masks[:, 20:70, 30:60] = 1
    painted = diffusion.inpaint(images, masks, seed=1)
    outside = masks == 0
    assert np.array_equal(painted[outside], images[outside])
    assert not np.array_equal(painted, images)
    assert not np.array_equal(painted, diffusion.inpaint(images, masks, seed=2))


def test_regions_are_parts_of_the_face_or_boxes(tracks: list[FaceTrack]) -> None:
    rng = np.random.default_rng(0)
    regions = np.stack([random_region(tracks[0].landmarks[0], 96, rng) for _ in range(40)])
    assert set(np.unique(regions)) == {0.0, 1.0}
    shares = regions.mean((1, 2))
    assert shares.min() > 0
    assert shares.max() < 0.8
    assert len(np.unique(shares)) > 20


def test_a_wrong_configuration_is_refused() -> None:
    with pytest.raises(UsageError, match="does not halve"):
        Diffusion(DiffusionConfig(size_px=20))
    with pytest.raises(UsageError, match="velocity or noise"):
        Diffusion(DiffusionConfig(target="picture"))

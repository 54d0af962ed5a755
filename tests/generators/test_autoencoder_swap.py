"""The autoencoder swap learns who is who, in the right direction, and goes on where it stopped."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'forge' is not installed")

from unmask.errors import UsageError  # noqa: E402
from unmask.generators._face_stock import stock_of  # noqa: E402
from unmask.generators._face_tensors import faces_of  # noqa: E402
from unmask.generators.autoencoder_swap import (  # noqa: E402
    AutoencoderSwap,
    AutoencoderSwapConfig,
)
from unmask.generators.material import FaceTrack, Material  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

SIDE = 32


def swap_of(material: Material, **changed: object) -> AutoencoderSwap:
    values = {**AutoencoderSwap.small, "width": 8, "code": 32, "batch": 8, "learning_rate": 2e-3}
    return AutoencoderSwap(AutoencoderSwapConfig(**{**values, **changed}), material, seed=1)


def advance(swap: AutoencoderSwap, first: int, last: int) -> None:
    for step in range(first, last + 1):
        torch.manual_seed(step)
        swap.training_step(swap.draw_batch(np.random.default_rng(step)), step)


@pytest.fixture(scope="module")
def learned(material_for: Callable[[str], Material]) -> AutoencoderSwap:
    swap = swap_of(material_for("two_people"), bend=0.02, turn_deg=5.0, flip=0.0)
    advance(swap, 1, 120)
    swap.networks.eval()
    return swap


def likeness(images: np.ndarray, track: FaceTrack) -> float:
    """Correlation of the mean picture with the mean of a track's faces."""
    wanted = faces_of([track], SIDE).mean(0).ravel()
    return float(np.corrcoef(images.mean(0).ravel(), wanted)[0, 1])


def test_a_swap_goes_the_way_it_was_asked_to(
    learned: AutoencoderSwap, tracks: list[FaceTrack]
) -> None:
    first, second = tracks
    to_second = learned.swap(first, to_other=True).images
    assert likeness(to_second, second) > likeness(to_second, first) + 0.1
    to_first = learned.swap(second, to_other=False).images
    assert likeness(to_first, first) > likeness(to_first, second) + 0.1
    kept = learned.swap(first, to_other=False).images
    assert likeness(kept, first) > likeness(kept, second) + 0.1


def test_figures_rise_and_know_a_swap(
    learned: AutoencoderSwap, material_for: Callable[[str], Material]
) -> None:
    before = swap_of(material_for("two_people")).held_out_figures()
    after = learned.held_out_figures()
    assert after["psnr_db"] > before["psnr_db"] + 4
    assert after["face_psnr_db"] > before["face_psnr_db"] + 4
    assert after["ssim"] > before["ssim"]
    assert after["swap_ratio"] > 1.2


def test_the_learned_mask_is_the_face(learned: AutoencoderSwap, tracks: list[FaceTrack]) -> None:
    masks = learned.swap(tracks[0], to_other=False).masks
    assert masks is not None
    drawn = stock_of([tracks[0]], SIDE).planes[..., 3] > 127
    painted = masks > 0.5
    assert (drawn & painted).sum() / (drawn | painted).sum() > 0.8


def test_what_is_resumed_ends_as_what_was_not(
    material_for: Callable[[str], Material],
) -> None:
    """A swap that fades after resuming has lost its optimiser or a decoder."""
    material = material_for("two_people")
    whole = swap_of(material)
    advance(whole, 1, 3)
    kept = copy.deepcopy((whole.networks.state_dict(), whole.optimisers["generator"].state_dict()))
    advance(whole, 4, 6)
    resumed = swap_of(material)
    resumed.networks.load_state_dict(kept[0])
    resumed.optimisers["generator"].load_state_dict(kept[1])
    advance(resumed, 4, 6)
    for key, value in whole.networks.state_dict().items():
        assert torch.equal(value, resumed.networks.state_dict()[key]), key


def test_both_people_are_named(material_for: Callable[[str], Material]) -> None:
    material = material_for("two_people")
    names = [material.tracks[0].person, material.other[0].person]
    assert swap_of(material).facts()["people"] == names


def test_one_person_is_refused(tracks: list[FaceTrack]) -> None:
    with pytest.raises(UsageError, match="two people, and one came"):
        swap_of(Material([tracks[0]], []))


def test_nothing_held_out_is_no_figure(tracks: list[FaceTrack]) -> None:
    with pytest.raises(UsageError, match="held-out"):
        swap_of(Material([tracks[0]], [], [tracks[1]], [])).held_out_figures()


def test_a_side_that_cannot_be_halved_is_refused(
    material_for: Callable[[str], Material],
) -> None:
    with pytest.raises(UsageError, match="size_px = 40") as refused:
        swap_of(material_for("two_people"), size_px=40)
    assert "multiple of 16" in str(refused.value.hint)

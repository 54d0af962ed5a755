"""Training pairs: what is bent, what stays, and what follows what."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'forge' is not installed")

from unmask.generators._face_stock import COLOUR, FACE, stock_of  # noqa: E402
from unmask.generators._warped_batch import Warping, recolour, warped_pairs  # noqa: E402
from unmask.generators.material import FaceTrack  # noqa: E402

STILL = Warping(bend=0.0, turn_deg=0.0, zoom=0.0, shift=0.0, flip=0.0)


@pytest.fixture
def planes(tracks: list[FaceTrack]) -> torch.Tensor:
    return stock_of([track.part(0, 3) for track in tracks], 64).pixels(64)


def test_without_warping_the_face_is_left_as_it_is(planes: torch.Tensor) -> None:
    bent, straight = warped_pairs(planes, 64, np.random.default_rng(0), STILL)
    torch.testing.assert_close(straight, planes, atol=1e-5, rtol=0)
    torch.testing.assert_close(bent, planes, atol=1e-5, rtol=0)


def test_only_one_of_the_pair_is_bent(planes: torch.Tensor) -> None:
    warping = Warping(bend=0.04, turn_deg=0.0, zoom=0.0, shift=0.0, flip=0.0)
    bent, straight = warped_pairs(planes, 64, np.random.default_rng(0), warping)
    torch.testing.assert_close(straight, planes, atol=1e-5, rtol=0)
    assert float((bent - planes)[:, COLOUR].abs().mean()) > 0.02


def test_a_flip_mirrors_both_and_the_mask(planes: torch.Tensor) -> None:
    warping = Warping(bend=0.0, turn_deg=0.0, zoom=0.0, shift=0.0, flip=1.0)
    bent, straight = warped_pairs(planes, 64, np.random.default_rng(0), warping)
    torch.testing.assert_close(straight, planes.flip(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(bent, straight)


def test_regions_move_with_the_face(planes: torch.Tensor) -> None:
    """Paint the face region white: wherever the white went, the region must say so."""
    marked = planes.clone()
    marked[:, COLOUR] = marked[:, FACE : FACE + 1]
    bent, straight = warped_pairs(marked, 32, np.random.default_rng(1), Warping())
    for moved in (bent, straight):
        torch.testing.assert_close(moved[:, 0], moved[:, FACE])
    assert float((bent[:, FACE] - straight[:, FACE]).abs().max()) > 0.5


def test_the_seed_decides(planes: torch.Tensor) -> None:
    first, again, other = (
        warped_pairs(planes, 32, np.random.default_rng(seed), Warping())[0] for seed in (4, 4, 5)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_colours_of_the_model_are_taken_inside_the_face(planes: torch.Tensor) -> None:
    models = planes.flip(0)
    taken = recolour(planes, models, np.random.default_rng(0), jitter=0.0, transfer=1.0)
    inside = planes[:, FACE] > 0.99
    theirs = models[:, FACE] > 0.99
    for number in range(len(planes)):
        wanted = models[number, COLOUR][:, theirs[number]].mean(1)
        found = taken[number, COLOUR][:, inside[number]].mean(1)
        before = planes[number, COLOUR][:, inside[number]].mean(1)
        assert float((found - wanted).abs().max()) < 0.04  # what is clipped is lost
        assert float((before - wanted).abs().max()) > 0.06
    assert torch.equal(taken[:, FACE:], planes[:, FACE:])


def test_no_jitter_and_no_transfer_change_nothing(planes: torch.Tensor) -> None:
    same = recolour(planes, planes.flip(0), np.random.default_rng(0), jitter=0.0, transfer=0.0)
    assert torch.equal(same, planes)

"""Dictionary restoration: parts cut out and put back, dictionaries, and the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'forge' is not installed")
pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from unmask.errors import UsageError  # noqa: E402
from unmask.generators._component_dictionary import (  # noqa: E402
    COMPONENTS,
    ComponentDictionary,
    component_boxes,
    cut_out,
    put_back,
)
from unmask.generators.dfdnet import Dfdnet, DfdnetConfig  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

    from unmask.generators.material import FaceTrack, Material


def test_a_part_that_is_cut_out_goes_back_where_it_was() -> None:
    torch.manual_seed(0)
    features = torch.randn(2, 4, 16, 16)
    boxes = torch.tensor([[4, 2, 12, 10], [0, 8, 8, 16]]) / 16  # whole pixels, 8 px wide
    parts = cut_out(features, boxes, 8)
    torch.testing.assert_close(parts[0], features[0, :, 2:10, 4:12], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(put_back(features, parts, boxes), features, atol=1e-5, rtol=1e-5)
    changed = put_back(features, parts + 1, boxes) - features
    assert changed[0, :, 2:10, 4:12].mean() == pytest.approx(1, abs=1e-4)
    assert changed[0].abs().sum() == pytest.approx(4 * 64, rel=1e-3)


def test_the_boxes_hold_the_parts(tracks: list[FaceTrack]) -> None:
    landmarks = tracks[0].landmarks
    boxes = component_boxes(landmarks, 96) * 96 - 0.5
    for number, points in enumerate(COMPONENTS.values()):
        part = landmarks[:, list(points)]
        assert (part >= boxes[:, number, None, :2]).all()
        assert (part <= boxes[:, number, None, 2:]).all()
        low, high = part.min(1), part.max(1)  # room is the same on all sides
        np.testing.assert_allclose(
            low - boxes[:, number, :2], boxes[:, number, 2:] - high, atol=1e-3
        )
    right, left, nose, mouth = ((boxes[0, n, :2] + boxes[0, n, 2:]) / 2 for n in range(4))
    assert right[0] < nose[0] < left[0]  # the person's own right is the picture's left
    assert right[1] < nose[1] < mouth[1]


def test_the_dictionary_finds_planted_clusters_whatever_their_contrast() -> None:
    torch.manual_seed(0)
    planted = torch.randn(3, 4, 4, 4)
    dictionary = ComponentDictionary(3, 4, 4)
    assert not dictionary.filled
    dictionary.fill(planted.repeat(10, 1, 1, 1) + 0.01 * torch.randn(30, 4, 4, 4), seed=0)
    assert dictionary.filled
    gaps = (dictionary.typical[:, None] - planted[None]).abs().mean((2, 3, 4))
    assert gaps.min(1).values.max() < 0.02
    entries, which = dictionary.chosen(0.3 * planted + 2)
    assert len(set(which.tolist())) == 3
    torch.testing.assert_close(entries, 0.3 * planted + 2, atol=0.05, rtol=0.05)


def test_fewer_faces_than_entries_fill_it_too() -> None:
    dictionary = ComponentDictionary(5, 2, 4)
    dictionary.fill(torch.randn(2, 2, 4, 4), seed=0)
    assert dictionary.typical.flatten(1).any(1).all()


def test_only_after_the_dictionaries_are_made_does_the_encoder_stand_still(
    material_for: Callable[[str], Material],
) -> None:
    restorer = Dfdnet(DfdnetConfig.from_mapping(Dfdnet.small), material_for("faces"), seed=1)

    def weights() -> torch.Tensor:
        return torch.cat([one.detach().flatten() for one in restorer.encoder.parameters()])

    kept = [weights()]
    for step in (1, 2, 3):
        figures = restorer.training_step(restorer.draw_batch(np.random.default_rng(step)), step)
        kept.append(weights())
        assert ("judge" in figures) == (step >= restorer.config.adversarial_from)
    assert not torch.equal(kept[0], kept[1])
    assert torch.equal(kept[1], kept[3])
    assert restorer._dictionary("mouth", 0).filled


def test_a_size_that_does_not_halve_is_refused() -> None:
    with pytest.raises(UsageError, match="multiple of 16"):
        Dfdnet(DfdnetConfig(size_px=100))

from __future__ import annotations

import numpy as np
import pytest

from unmask.provenance.visible_mark import with_visible_mark

METHODS = ("landmark_swap", "first_order_motion", "a_method_with_a_rather_long_name_of_many_words")


def bar_of(width: int, height: int, method: str) -> np.ndarray:
    marked = with_visible_mark(np.full((height, width, 3), 255, np.uint8), method)
    return marked[(marked < 255).any((1, 2))]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [(128, 128), (128, 900), (900, 128), (640, 480), (3840, 2160)])
def test_the_mark_is_legible_and_leaves_most_of_the_picture(
    size: tuple[int, int], method: str
) -> None:
    width, height = size
    bar = bar_of(width, height, method)
    assert len(bar) >= 14  # one line of letters that keep their form
    assert len(bar) >= min(size) / 32
    assert len(bar) <= height * 0.7
    if min(size) >= 480:
        assert len(bar) <= height * 0.12
    letters = bar.max(2) > 150
    assert 0.01 < letters.mean() < 0.35
    assert not letters[:, -1].any()  # no line runs out of the picture
    assert not letters[-1].any()


def test_the_method_is_named() -> None:
    bars = {bar_of(640, 480, method).tobytes() for method in METHODS}
    assert len(bars) == len(METHODS)


def test_the_picture_above_is_left_alone_and_the_input_too() -> None:
    image = np.arange(200 * 300 * 3, dtype=np.uint32).astype(np.uint8).reshape(200, 300, 3)
    before = image.copy()
    marked = with_visible_mark(image, "landmark_swap")
    assert np.array_equal(image, before)
    assert np.array_equal(marked[:160], image[:160])
    assert np.array_equal(with_visible_mark(image, "landmark_swap"), marked)

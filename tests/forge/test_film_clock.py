"""Frames with times of their own, shown on an even clock."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from unmask.forge.film_clock import at_constant_rate, constant_rate


def shown(pts_s, rate, start_s=0.0):
    frames = ((pts, np.full((1, 1, 3), n, np.uint8)) for n, pts in enumerate(pts_s))
    return [int(image[0, 0, 0]) for image in at_constant_rate(frames, rate, start_s)]


@pytest.mark.parametrize("rate", [Fraction(25), Fraction(30000, 1001), Fraction(10)])
def test_a_constant_rate_is_left_alone(rate):
    pts_s = [n / float(rate) for n in range(100)]
    assert constant_rate(pts_s, float(rate)) == rate
    assert shown(pts_s, rate) == list(range(100))
    assert shown([pts + 3.2 for pts in pts_s], rate, 3.2) == list(range(100))


def test_a_pause_is_filled_so_that_sound_stays_in_step():
    pts_s = [0.0, 1 / 30, 2 / 30, 8 / 30, 9 / 30]
    rate = constant_rate(pts_s, 5 / (10 / 30))
    assert rate == 30
    assert shown(pts_s, rate) == [0, 1, 2, 2, 2, 2, 2, 2, 3, 4]


def test_frames_that_come_too_close_give_way_to_the_later_one():
    assert shown([0.0, 0.04, 0.05, 0.08], Fraction(25)) == [0, 2, 3]


def test_too_few_frames_to_tell():
    assert constant_rate([0.0], None) == 25
    assert constant_rate([0.0, 0.1], 10.0) == 10
    assert shown([], Fraction(25)) == []

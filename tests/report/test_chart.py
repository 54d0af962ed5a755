from __future__ import annotations

import math
import re
import time
from xml.etree import ElementTree as ET

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmask.report.chart import MAX_BINS, describe, gather, timeline_chart
from unmask.report.drawing import place_in_picture, scale_ruler
from unmask.types import TimelinePoint


def points_of(pairs) -> list[TimelinePoint]:
    return [
        TimelinePoint(
            frame_index=index, pts_s=at, bbox_xyxy=(0.0, 0.0, 9.0, 9.0), logit=score, face_px=9.0
        )
        for index, (at, score) in enumerate(pairs)
    ]


def coordinates(svg: str) -> list[tuple[float, float]]:
    path = re.search(r'class="plot" d="([^"]*)"', svg)[1]
    return [(float(x), float(y)) for x, y in re.findall(r"(-?\d+\.\d+) (-?\d+\.\d+)", path)]


@pytest.mark.parametrize("count", [1, 2, 32, 64, 65, 400, 401, 5000])
def test_every_count_draws_well_formed_svg_within_its_frame(make, count):
    points = make.timeline(count, centre=0.5, until_s=59.0)
    svg = str(timeline_chart(points, threshold=0.9, duration_s=60.0))
    ET.fromstring(svg)  # noqa: S314 - our own drawing
    drawn = coordinates(svg)
    assert 1 <= len(drawn) <= min(count, MAX_BINS)
    assert all(0 <= x <= 720 and 0 <= y <= 260 for x, y in drawn)
    assert "stroke-dasharray" in svg
    assert svg.count("<circle") == (count if count <= 64 else 0)


def test_no_point_draws_nothing():
    assert timeline_chart([], threshold=0.0) is None
    assert timeline_chart(points_of([(math.nan, 1.0), (1.0, math.inf)]), threshold=0.0) is None
    assert describe([], None) == "No frame has a score."


def test_a_short_peak_among_thousands_is_kept():
    pairs = [(index / 30, -3.0) for index in range(5000)]
    pairs[2500] = (2500 / 30, 6.0)
    bins = gather(points_of(pairs))
    assert len(bins) <= MAX_BINS
    assert sum(item.count for item in bins) == 5000
    peak = max(bins, key=lambda item: item.high)
    assert peak.high == 6.0
    assert abs(peak.pts_s - 2500 / 30) < 5000 / 30 / MAX_BINS
    svg = str(timeline_chart(points_of(pairs), threshold=None))
    assert 'class="band"' in svg
    assert "highest +6.00 at 1:23.33" in describe(points_of(pairs), None)


def test_higher_scores_are_drawn_higher_and_later_ones_further_right():
    svg = str(timeline_chart(points_of([(2.0, 3.0), (1.0, -3.0)]), threshold=None))
    (x1, y1), (x2, y2) = coordinates(svg)
    assert x1 < x2
    assert y1 > y2


def test_the_line_breaks_where_the_face_was_away():
    pairs = [(float(at), 1.0) for at in (*range(10), *range(40, 50))]
    path = re.search(
        r'class="plot" d="([^"]*)"', str(timeline_chart(points_of(pairs), threshold=0))
    )
    assert path[1].count("M") == 2


def test_frames_out_of_scope_are_hollow():
    points = points_of([(0.0, 1.0), (1.0, 2.0)])
    points[1] = msgspec.structs.replace(points[1], in_scope=False)
    svg = str(timeline_chart(points, threshold=None))
    assert svg.count('class="dot"') == svg.count('class="dot-out"') == 1


def test_words_count_frames_at_or_above_the_threshold():
    words = describe(points_of([(0.0, 1.0), (1.0, 0.9), (2.0, 0.0)]), 0.9)
    assert "2 of 3 at or above +0.90" in words


finite = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e6, max_value=1e6)


@given(st.lists(st.tuples(finite, finite), min_size=1, max_size=40), st.none() | finite)
@settings(max_examples=80, deadline=None)
def test_any_numbers_draw(pairs, threshold):
    svg = str(timeline_chart(points_of(pairs), threshold=threshold))
    ET.fromstring(svg)  # noqa: S314 - our own drawing
    assert "nan" not in svg
    assert "inf" not in svg


def test_all_at_once_and_many():
    started = time.perf_counter()
    svg = timeline_chart(points_of([(1.0, float(at % 3)) for at in range(20_000)]), threshold=0.0)
    assert svg is not None
    assert time.perf_counter() - started < 30  # a hang, not a speed, is what this looks for


@pytest.mark.parametrize("value", [-99.0, -5.0, 0.0, 2.41, 99.0])
@pytest.mark.parametrize("threshold", [None, 1.3, 50.0])
def test_the_ruler_holds_every_value(value, threshold):
    svg = str(scale_ruler(value, threshold))
    ET.fromstring(svg)  # noqa: S314 - our own drawing
    needle = float(re.search(r'class="needle"[^>]*d="M(-?[\d.]+) ', svg)[1])
    assert 24 <= needle <= 696
    assert svg.count("stroke-dasharray") == (1 if threshold == 1.3 else 0)


def test_the_place_of_a_face_stays_in_the_picture():
    svg = str(place_in_picture((-50.0, 10.0, 5000.0, 20.0), 1280, 720))
    box = re.search(r'class="box" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', svg)
    assert float(box[1]) == 0
    assert float(box[2]) <= 96
    assert place_in_picture((0.0, 0.0, 1.0, 1.0), 0, 720) is None
    assert place_in_picture((math.nan, 0.0, 1.0, 1.0), 10, 10) is None

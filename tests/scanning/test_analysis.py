"""Gathering evidence, with a finder and a detector that follow a script."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest

from unmask.detectors import DetectorOutput
from unmask.detectors.views import to_pixels
from unmask.errors import InternalFault
from unmask.scanning.analysis import SCORES_PER_S, Analyzer


def analyze(script, *, dense: bool = False):
    return Analyzer(script, script, dense=dense).run(script.frames())


def test_each_face_gets_the_score_of_its_own_crop(script, placed) -> None:
    left, right = placed(90, 160, logit=2.0), placed(230, 160, logit=-1.5)
    found = analyze(script([[left, right]] * 5))
    assert sorted(found.tracks) == [0, 1]
    assert found.tracks[0].score == pytest.approx(2.0)
    assert found.tracks[1].score == pytest.approx(-1.5)
    assert (found.frames_seen, found.frames_with_faces) == (5, 5)
    assert (found.faces_found, found.faces_scored) == (10, 10)
    assert (found.first_s, found.last_s) == (0.0, 0.4)
    assert not found.crowded


def test_crops_are_scored_in_full_batches_and_the_rest_at_the_end(script, placed) -> None:
    made = script([[placed(160, 160)]] * 19)
    analyze(made)
    assert made.batches == [8, 8, 3]


def test_counts_hold_where_some_frames_have_no_face(script, placed) -> None:
    one = [placed(160, 160, logit=1.0)]
    found = analyze(script([one, [], one, [], []]))
    assert (found.frames_seen, found.frames_with_faces, found.faces_scored) == (5, 2, 2)
    assert found.timeline.counts == [1, 0, 1, 0, 0]
    assert found.last_s == pytest.approx(0.4)


def test_no_face_at_all_is_no_evidence(script) -> None:
    found = analyze(script([[], [], []]))
    assert (found.tracks, found.faces_scored, found.frames_seen) == ({}, 0, 3)


def test_as_many_faces_as_are_kept_is_a_crowd(script, placed) -> None:
    people = [placed(60 + 90 * n, 160, size_px=60) for n in range(4)]
    assert analyze(script([people])).crowded
    assert not analyze(script([people[:2]])).crowded


def test_faces_out_of_scope_do_not_enter_the_timeline(script, placed) -> None:
    clear = placed(90, 160, logit=1.0)
    blurred = placed(230, 160, logit=6.0, sharpness=1.0)
    found = analyze(script([[clear, blurred]] * 4))
    assert found.timeline.counts == [1, 1, 1, 1]
    assert found.timeline.scores == pytest.approx([1.0] * 4)
    assert found.tracks[1].judged == 0
    assert found.faces_scored == 8


def test_sampled_frames_are_searched_thoroughly_each(script, placed) -> None:
    made = script([[placed(160, 160)]] * 3, rate=0.5)
    analyze(made)
    assert made.searches == [("thorough", 0), ("thorough", 1), ("thorough", 2)]


def test_in_a_dense_film_faces_are_followed_between_searches(script, placed) -> None:
    made = script([[placed(160, 160, logit=0.5)]] * 91, rate=10.0)
    found = analyze(made, dense=True)
    assert found.faces_found == 91
    assert list(found.tracks) == [0]
    kinds = dict(map(reversed, made.searches))
    assert len(kinds) == len(made.searches) == 91  # each frame is looked at once
    assert kinds[0] == kinds[40] == kinds[80] == "thorough"  # every four seconds
    assert {kinds[10 * n] for n in (1, 2, 3, 5, 6, 7, 9)} == {"quick"}  # every second
    scored = {point.frame_index for point in found.tracks[0].timeline}
    assert all(kinds[index] != "move" for index in scored)  # what is scored was measured anew


def test_in_a_dense_film_a_face_is_scored_so_often_a_second(script, placed) -> None:
    first, second = placed(90, 160, logit=1.0), placed(230, 160, logit=-1.0)
    made = script([[first]] * 30 + [[first, second]] * 31, rate=30.0)
    found = analyze(made, dense=True)
    assert (found.frames_seen, found.frames_with_faces) == (61, 61)
    assert found.faces_found > found.faces_scored
    times = [point.pts_s for point in found.tracks[0].timeline]
    every_s = 1 / SCORES_PER_S
    assert times == pytest.approx([n * every_s for n in range(2 * SCORES_PER_S + 1)], abs=1e-6)
    # Somebody new is scored at once.
    assert found.tracks[1].timeline[0].pts_s == pytest.approx(1.0)
    assert found.tracks[1].score == pytest.approx(-1.0)


def test_a_slow_film_has_every_face_scored(script, placed) -> None:
    found = analyze(script([[placed(160, 160)]] * 20, rate=SCORES_PER_S), dense=True)
    assert found.faces_scored == found.faces_found == 20


@pytest.mark.parametrize(
    ("index", "tried"), [(2, ["move", "follow", "quick"]), (3, ["follow", "quick"])]
)
def test_a_face_that_is_lost_is_searched_for_in_the_same_frame(
    index: int, tried: list[str], script, placed
) -> None:
    made = script([[placed(160, 160)]] * 6, rate=12.0)
    made.lose_at = {index}
    found = analyze(made, dense=True)
    assert found.faces_found == 6
    assert [kind for kind, at in made.searches if at == index] == tried


def test_somebody_who_walks_in_is_found_at_the_next_search(script, placed) -> None:
    first, second = placed(90, 160), placed(230, 160, logit=3.0)
    made = script([[first]] * 2 + [[first, second]] * 20)
    found = analyze(made, dense=True)
    assert len(found.tracks) == 2
    assert found.tracks[1].timeline[0].pts_s == pytest.approx(1.0)


def test_an_empty_frame_of_a_dense_film_is_always_looked_at(script, placed) -> None:
    made = script([[]] * 3 + [[placed(160, 160)]] * 3)
    found = analyze(made, dense=True)
    assert found.faces_found == 3


def test_frames_are_freed_while_their_crops_wait(script, placed) -> None:
    made = script([[placed(160, 160)]] * 7)  # fewer than a batch, so that all of them wait
    analyzer = Analyzer(made, made, dense=False)
    alive = []

    def watched():
        for frame in made.frames():
            alive.append(weakref.ref(frame.image))
            yield frame

    frames = watched()
    for frame in frames:
        analyzer._take(frame)
    del frame
    frames.close()
    gc.collect()
    assert [ref for ref in alive if ref() is not None] == []


def test_the_same_frames_give_the_same_evidence(script, placed) -> None:
    faces = [[placed(90 + n, 160, logit=n / 10), placed(230, 160, logit=-1.0)] for n in range(20)]
    one, other = (analyze(script(faces), dense=True) for _ in range(2))
    assert one.timeline == other.timeline
    for track_id, track in one.tracks.items():
        again = other.tracks[track_id]
        assert track.timeline == again.timeline
        assert np.array_equal(track.best.crop, again.best.crop)


def test_a_score_that_is_no_number_ends_the_analysis(script, placed) -> None:
    made = script([[placed(160, 160)]])
    made.predict = lambda _: DetectorOutput(np.array([np.nan], np.float32), None)
    with pytest.raises(InternalFault, match="no number"):
        analyze(made)


def test_a_detector_may_have_no_map(script, placed) -> None:
    made = script([[placed(160, 160)]])
    made.predict = lambda _: DetectorOutput(np.array([1.5], np.float32), None)
    found = analyze(made)
    assert found.tracks[0].best.map is None
    assert found.tracks[0].best.map_peak == 0.0


def test_pixels_are_normalised_by_the_spec_and_turned_to_channels_first(script) -> None:
    made = script([])
    made.spec = replace(made.spec, mean=(10.0, 20.0, 30.0), std=(1.0, 2.0, 4.0))
    rng = np.random.default_rng(0)
    crops = [rng.integers(0, 256, (32, 32, 3), dtype=np.uint8) for _ in range(3)]
    pixels = to_pixels(crops, made.spec)
    assert pixels.shape == (3, 3, 32, 32)
    assert pixels.dtype == np.float32
    assert pixels.flags.c_contiguous
    expected = (np.stack(crops).astype(np.float64) - (10, 20, 30)) / (1, 2, 4)
    np.testing.assert_allclose(pixels, expected.transpose(0, 3, 1, 2), atol=1e-4)

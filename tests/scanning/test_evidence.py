"""What is kept of a followed face: exact sums, a bounded timeline, one picture."""

from __future__ import annotations

import numpy as np
import pytest

from unmask.scanning import analysis, evidence
from unmask.scanning.analysis import Evidence
from unmask.scanning.evidence import ScoreTimeline, TrackEvidence, rounded_box


def test_running_sums_equal_those_over_all_sightings(sighting) -> None:
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 2, 500)
    sharpness = rng.uniform(0, 30, 500)  # below 8 is blurred, and then not judged
    yaw = rng.uniform(-80, 80, 500)  # beyond 60 is turned away
    track = TrackEvidence(4)
    for number in range(500):
        track.add(
            sighting(
                number, float(logits[number]), sharpness=sharpness[number], yaw_deg=yaw[number]
            )
        )
    judged = (sharpness >= 8) & (abs(yaw) <= 60)
    assert (track.frames, track.judged) == (500, int(judged.sum()))
    assert track.score == pytest.approx(logits[judged].mean(), abs=1e-12)
    assert track.above_zero == int((logits[judged] > 0).sum())
    assert track.sharpness_sum == pytest.approx(sharpness.sum())
    assert track.yaw_sum == pytest.approx(abs(yaw).sum())
    assert track.face_px_sum == pytest.approx(200.0 * 500)
    best = int(np.flatnonzero(judged)[logits[judged].argmax()])
    assert track.best is not None
    assert track.best.frame_index == best
    assert track.best.map_peak == pytest.approx(1 / (1 + np.exp(-logits[best])), abs=1e-6)
    assert (track.best.crop == best % 256).all()


def test_a_sighting_that_can_be_judged_is_shown_before_a_higher_score_that_cannot(sighting) -> None:
    track = TrackEvidence(0)
    track.add(sighting(0, 9.0, sharpness=1.0))
    track.add(sighting(1, -3.0))
    track.add(sighting(2, 8.0, sharpness=1.0))
    assert track.best is not None
    assert track.best.frame_index == 1
    assert track.score == -3.0


def test_a_track_never_judged_has_no_score_and_its_most_common_reason(track, sighting) -> None:
    made = track([1.0, 2.0], sharpness=1.0)
    made.add(sighting(2, 3.0, yaw_deg=80.0))
    assert made.score is None
    reason = made.main_reason()
    assert reason is not None
    assert reason.code == "face_too_blurred"


def test_the_best_sighting_holds_nothing_of_its_batch(sighting) -> None:
    maps = np.zeros((8, 4, 4), np.float32)
    seen = sighting(0, 1.0)
    seen = type(seen)(
        **{name: getattr(seen, name) for name in seen.__slots__ if name != "map"}, map=maps[3]
    )
    track = TrackEvidence(0)
    track.add(seen)
    assert track.best is not None
    assert track.best.map is not None
    assert track.best.map.base is None


@pytest.mark.parametrize("count", [1, 2000, 2001, 2002, 4100, 9000])
def test_a_long_timeline_keeps_every_kth_point(count: int, sighting, monkeypatch) -> None:
    monkeypatch.setattr(evidence, "TIMELINE_POINTS", 2000)
    track = TrackEvidence(0)
    one = sighting(0, 0.0)
    for number in range(count):
        track.add(
            type(one)(
                number, number / 25, one.bbox_xyxy, one.quality, float(number), one.crop, None
            )
        )
    numbers = [point.frame_index for point in track.timeline]
    step = numbers[1] - numbers[0] if len(numbers) > 1 else 1
    assert numbers == list(range(0, count, step))
    assert len(numbers) <= 2000
    assert len(numbers) > 900 or step == 1
    assert step == 1 or count > 2000
    # Statistics are not thinned.
    assert track.frames == count
    assert track.score == pytest.approx((count - 1) / 2)


def test_the_timeline_of_scores_is_the_mean_of_each_stretch(monkeypatch) -> None:
    monkeypatch.setattr(evidence, "TIMELINE_POINTS", 10)
    rng = np.random.default_rng(5)
    faces = rng.integers(0, 4, 83)  # how many in each frame; some frames have none
    logits = [list(rng.normal(size=count)) for count in faces]
    line = ScoreTimeline()
    pending: list[tuple[int, float]] = []
    for number, frame in enumerate(logits):
        assert line.see(number / 10) == number
        pending += [(number, float(logit)) for logit in frame]
        if len(pending) > 7:  # scores come later than frames, in batches
            for known in pending:
                line.add(*known)
            pending = []
    for known in pending:
        line.add(*known)
    step = 16  # 83 frames, halved until at most 10 stretches are left
    assert line.times == [start / 10 for start in range(0, 83, step)]
    for stretch, start in enumerate(range(0, 83, step)):
        inside = [logit for frame in logits[start : start + step] for logit in frame]
        assert line.counts[stretch] == len(inside)
        assert line.scores[stretch] == pytest.approx(sum(inside))


def test_faces_of_one_frame_share_a_stretch() -> None:
    line = ScoreTimeline()
    for pts_s in (0.0, 1.0):
        number = line.see(pts_s)
        line.add(number, 1.0)
        line.add(number, 3.0)
    assert (line.times, line.scores, line.counts) == ([0.0, 1.0], [4.0, 4.0], [2, 2])


def test_pictures_are_kept_of_the_highest_scores_only(sighting) -> None:
    gathered = Evidence()
    count = analysis.PICTURES + 40
    rng = np.random.default_rng(7)
    logits = rng.permutation(count).astype(float)
    for track_id, logit in enumerate(logits):
        gathered.add(track_id, sighting(track_id, float(logit)))
    kept = {
        track.track_id
        for track in gathered.tracks.values()
        if track.best is not None and track.best.crop is not None
    }
    assert kept == set(np.argsort(logits)[-analysis.PICTURES :].tolist())
    assert len(gathered.tracks) == gathered.faces_scored == count
    without = next(one for one in gathered.tracks.values() if one.track_id not in kept)
    assert without.best is not None
    assert without.best.map is None
    assert without.best.map_peak > 0  # what was seen stays known


def test_a_face_that_gets_a_higher_score_gets_its_picture_back(sighting) -> None:
    gathered = Evidence()
    for track_id in range(analysis.PICTURES + 1):
        gathered.add(track_id, sighting(0, 10.0 - track_id / 100))
    last = gathered.tracks[analysis.PICTURES]
    assert last.best is not None
    assert last.best.crop is None
    gathered.add(analysis.PICTURES, sighting(1, 50.0))
    assert last.best.crop is not None
    held = [one for one in gathered.tracks.values() if one.best and one.best.crop is not None]
    assert len(held) == analysis.PICTURES


def test_all_timelines_together_are_bounded(sighting, monkeypatch) -> None:
    monkeypatch.setattr(analysis, "POINTS", 300)
    gathered = Evidence()
    for number in range(400):
        for track_id in range(5):
            gathered.add(track_id, sighting(number, 0.0))
        points = sum(len(track.timeline) for track in gathered.tracks.values())
        assert points <= 300
    for track in gathered.tracks.values():
        numbers = [point.frame_index for point in track.timeline]
        assert numbers == list(range(0, 400, numbers[1]))


def test_boxes_are_written_to_a_tenth_of_a_pixel() -> None:
    assert rounded_box((1.04, 2.06, 3.0, 400.123456)) == (1.0, 2.1, 3.0, 400.1)

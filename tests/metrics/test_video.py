"""Films from frames: answers worked out by hand, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

from unmask.errors import UsageError
from unmask.metrics import roc_auc_score
from unmask.metrics.video import VIDEO_RULES, video_scores

# Film "b" comes first, and its frames are not side by side.
IDS = ["b", "a", "b", "a", "b", "a", "a", "c"]
TRUE = [1, 0, 1, 0, 1, 0, 0, 1]
SCORE = [3.0, -1.0, -0.5, 0.0, 0.5, -2.0, 4.0, -7.0]


@pytest.mark.parametrize(
    ("rule", "b", "a", "c"),
    [
        ("mean", 1.0, 0.25, -7.0),
        ("median", 0.5, -0.5, -7.0),
        ("max", 3.0, 4.0, -7.0),
        ("top_k_mean", 1.75, 2.0, -7.0),  # half of 3 and of 4 frames: 2 each
        ("vote", 2 / 3, 0.5, 0.0),
    ],
)
def test_every_rule_by_hand(rule, b, a, c):
    films = video_scores(TRUE, SCORE, IDS, rule, top_share=0.5)
    assert films.video_id.tolist() == ["b", "a", "c"]
    assert films.y_true.tolist() == [1, 0, 1]
    assert films.frames.tolist() == [3, 4, 1]
    assert films.y_score.tolist() == pytest.approx([b, a, c], abs=1e-12)


def test_the_default_is_the_mean():
    default, mean = video_scores(TRUE, SCORE, IDS), video_scores(TRUE, SCORE, IDS, "mean")
    assert default.y_score.tolist() == mean.y_score.tolist()
    assert set(VIDEO_RULES) == {"mean", "median", "max", "top_k_mean", "vote"}


def test_a_vote_needs_more_than_half():
    films = video_scores(TRUE, SCORE, IDS, "vote")
    assert films.called.tolist() == [True, False, False]  # 2 of 3; 2 of 4 is no majority; 0 of 1


def test_scores_at_the_threshold_are_called():
    films = video_scores([1, 1, 0], [0.0, 1.0, 0.49], ["x", "x", "y"], threshold=0.5)
    assert films.called.tolist() == [True, False]
    vote = video_scores([1, 1, 1], [0.5, 0.5, 0.4], ["x", "x", "x"], "vote", threshold=0.5)
    assert vote.y_score.tolist() == pytest.approx([2 / 3])


@pytest.mark.parametrize(("frames", "share", "k"), [(30, 0.1, 3), (31, 0.1, 4), (3, 0.1, 1)])
def test_how_many_frames_the_top_share_is(frames, share, k):
    scores = np.arange(frames, dtype=float)
    films = video_scores([1] * frames, scores, ["f"] * frames, "top_k_mean", top_share=share)
    assert films.y_score[0] == pytest.approx(scores[-k:].mean())


@pytest.mark.parametrize("rule", VIDEO_RULES)
def test_order_of_frames_does_not_matter(rule):
    rng = np.random.default_rng(2)
    ids = rng.integers(0, 6, 80).astype(str)
    labels = (ids.astype(int) % 2).astype(int)
    scores, order = rng.normal(size=80), rng.permutation(80)
    first = video_scores(labels, scores, ids, rule)
    second = video_scores(labels[order], scores[order], ids[order], rule)
    one = dict(zip(first.video_id, first.y_score, strict=True))
    other = dict(zip(second.video_id, second.y_score, strict=True))
    assert one == pytest.approx(other)
    assert roc_auc_score(first.y_true, first.y_score) == pytest.approx(
        roc_auc_score(second.y_true, second.y_score)
    )


def test_four_forgeries_of_one_film_are_four_films():
    # Grouped by a folder's or source's name they would be pooled into one.
    ids = ["deepfakes/000", "face2face/000", "faceswap/000", "neural/000", "000"]
    films = video_scores([1, 1, 1, 1, 0], [1.0, 2.0, 3.0, 4.0, 0.0], ids)
    assert len(films.video_id) == 5


def test_ids_may_be_numbers():
    films = video_scores([0, 1, 1], [0.0, 1.0, 3.0], [10, 9, 9])
    assert films.video_id.tolist() == ["10", "9"]
    assert films.y_score.tolist() == [0.0, 2.0]


def test_a_film_with_both_labels_is_named():
    with pytest.raises(UsageError, match=r"1 of 2 films have frames of both labels: a\.") as caught:
        video_scores([0, 1, 1], [0.0, 1.0, 2.0], ["a", "a", "b"])
    assert "own video_id" in caught.value.hint


@pytest.mark.parametrize("missing", ["", None])
def test_a_frame_without_a_film_is_refused(missing):
    ids = np.array(["a", missing], dtype=object)
    with pytest.raises(UsageError, match="1 of 2 frames have no video_id"):
        video_scores([0, 1], [0.0, 1.0], ids)


def test_unknown_rules_and_shares_are_refused():
    with pytest.raises(UsageError, match="no video rule called 'average'") as caught:
        video_scores([0], [0.0], ["a"], "average")
    assert "mean, median" in caught.value.hint
    for share in (0.0, 1.5, math.nan):
        with pytest.raises(UsageError, match="top_share"):
            video_scores([0], [0.0], ["a"], "top_k_mean", top_share=share)


@pytest.mark.parametrize(
    ("y_true", "y_score", "ids"),
    [
        ([0, 1], [0.0], ["a", "b"]),
        ([0], [math.nan], ["a"]),
        ([0, 1], [0.0, 1.0], ["a"]),
        ([], [], []),
    ],
)
def test_wrong_shapes_and_nan_are_refused(y_true, y_score, ids):
    with pytest.raises(ValueError, match=r"shape|NaN"):
        video_scores(y_true, y_score, ids)

from __future__ import annotations

import json

import numpy as np
import pytest

from unmask import metrics
from unmask.bench.comparison.entries import entries, video_level, vote_level
from unmask.bench.comparison.scores import concatenate, from_columns
from unmask.bench.comparison.slices import slices
from unmask.bench.comparison.tables import flat, make_tables
from unmask.errors import UsageError

FILMS, FRAMES = 40, 3


def table(detector="ours", data_set="a", seed=0, shift=1.2, **constant):
    """40 originals of three frames and as many forgeries by two methods."""
    rng = np.random.default_rng((seed, len(data_set), len(detector)))
    y_true = np.repeat(np.tile([0, 1], FILMS), FRAMES)
    count = len(y_true)
    film = np.repeat(np.arange(2 * FILMS), FRAMES)
    method = np.where(y_true == 0, "real", np.where(film % 4 == 1, "swap", "mouth"))
    columns = {
        "detector": [detector] * count, "data_set": [data_set] * count,
        "video_id": [f"v{i}" for i in film], "source_id": [f"s{i // 2}" for i in film],
        "sample_id": [f"f{i}" for i in range(count)], "y_true": y_true, "method": method,
        "logit": rng.normal(size=count) + shift * y_true, "seed": [seed] * count,
        "yaw_deg": rng.uniform(-50, 50, count), "face_px": rng.uniform(60, 250, count),
        "sharpness": rng.uniform(5, 500, count),
        "groups": [json.dumps({"skin": "dark" if i % 2 else "light"}) for i in film],
    }  # fmt: skip
    columns |= {name: [value] * count for name, value in constant.items()}
    return from_columns(columns)


def test_a_film_scores_the_mean_logit_and_the_vote_the_share_called():
    entry = next(entries(table()))
    video, vote = video_level(entry), vote_level(entry)
    first = entry.samples.video_id == "v1"
    at = int(np.flatnonzero(video.samples.video_id == "v1")[0])
    assert video.logits[0, at] == pytest.approx(entry.logits[0, first].mean(), abs=1e-12)
    assert vote.logits[0, at] == pytest.approx((entry.logits[0, first] >= 0).mean())
    assert len(video.samples) == 2 * FILMS
    assert vote.thresholds[0] > 0.5


def test_levels_are_named_apart_and_have_their_own_numbers():
    found = make_tables(table(), resamples=20).overall
    assert [record.level for record in found] == ["image", "video", "video vote"]
    one = table()
    means = [one.logit[one.video_id == v].mean() for v in dict.fromkeys(one.video_id.tolist())]
    expected = metrics.roc_auc_score(np.tile([0, 1], FILMS), means)
    assert found[1].cell["auc"].value == pytest.approx(expected, abs=1e-9)
    assert found[2].cell["log_loss"].value is None
    assert "no probability" in found[2].cell["log_loss"].note


def test_a_film_with_both_labels_is_refused():
    columns = table().columns()
    columns["video_id"] = np.full(len(columns["video_id"]), "v0")
    with pytest.raises(UsageError, match="both labels: a/v0"):
        make_tables(from_columns(columns), resamples=5)


def test_cross_auc_pits_reals_of_one_set_against_fakes_of_the_other():
    first, second = table(data_set="a"), table(data_set="bb", seed=1, shift=0.3)
    columns = second.columns() | {"seed": first.seed}
    both = concatenate([first, from_columns(columns)])
    found = {one.data_set: one for one in make_tables(both, resamples=10).crossed}
    assert set(found) == {"a against bb", "bb against a"}
    y_true = np.repeat([0, 1], FILMS * FRAMES)
    logit = np.concatenate([first.logit[first.y_true == 0], second.logit[second.y_true == 1]])
    expected = metrics.roc_auc_score(y_true, logit)
    assert found["a against bb"].cell["auc"].value == pytest.approx(expected, abs=1e-9)


def test_within_and_cross_follow_from_the_training_set():
    both = concatenate([table(trained_on="a/train + c/train"),
                        table(data_set="bb", trained_on="a/train + c/train")])  # fmt: skip
    found = make_tables(both, resamples=5).overall
    assert {(r.data_set, r.protocol) for r in found} == {("a", "within"), ("bb", "cross")}


def test_a_left_out_method_is_set_beside_the_detector_that_saw_it():
    blind = table(left_out="swap", shift=0.2)
    found = make_tables(concatenate([table(), blind]), resamples=10)
    assert [(r.name, r.protocol) for r in found.left_out] == [("swap", "left out")]
    chosen = (blind.y_true == 0) | (blind.method == "swap")
    expected = metrics.roc_auc_score(blind.y_true[chosen], blind.logit[chosen])
    assert found.left_out[0].cell["auc"].value == pytest.approx(expected, abs=1e-9)
    assert found.seen[0].cell["auc"].value > found.left_out[0].cell["auc"].value
    assert {record.entry[2] for record in found.overall} == {""}


def test_the_threshold_comes_from_validation_scores_only():
    tests, shifted = table(), table(split="validation", seed=0)
    columns = shifted.columns() | {"logit": shifted.logit + 5}
    found = next(entries(concatenate([tests, from_columns(columns)])))
    assert found.threshold_source == "equal error on validation scores"
    assert 4.5 < found.thresholds[0] < 7
    assert next(entries(tests)).thresholds[0] == 0.0


def test_slices_cover_every_column():
    kinds = {one.by for one in slices(table())}
    assert kinds == {"head pose", "face size", "sharpness", "method", "skin"}


def test_a_kind_with_one_slice_that_holds_everything_is_left_out():
    columns = table().columns() | {"compression": np.full(2 * FILMS * FRAMES, "c23")}
    assert "compression" not in {one.by for one in slices(from_columns(columns))}
    columns["compression"][0] = "c40"
    assert "compression" in {one.by for one in slices(from_columns(columns))}


def test_pose_slices_cut_at_15_and_30_degrees_to_both_sides():
    one = table()
    pose = [s for s in slices(one) if s.by == "head pose"]
    assert [int(s.rows.sum()) for s in pose] == [
        int((np.abs(one.yaw_deg) < 15).sum()),
        int(((np.abs(one.yaw_deg) >= 15) & (np.abs(one.yaw_deg) < 30)).sum()),
        int((np.abs(one.yaw_deg) >= 30).sum()),
    ]


def test_a_method_slice_holds_all_reals():
    one = table()
    swap = next(s for s in slices(one) if s.name == "swap")
    assert (one.method[swap.rows & (one.y_true == 1)] == "swap").all()
    assert swap.rows[one.y_true == 0].all()


def test_the_ends_of_a_slice_are_compared_with_an_interval():
    one = table(shift=0.0)
    easier = np.where((np.abs(one.yaw_deg) >= 30) & (one.y_true == 1), 3.0, 0.0)
    columns = one.columns() | {"logit": one.logit + easier}
    found = make_tables(from_columns(columns), resamples=200).differences
    pose = next(d for d in found if d.by == "head pose")
    assert pose.auc.low > 0.2
    sharp = next(d for d in found if d.by == "sharpness")
    assert sharp.auc.low < 0 < sharp.auc.high


def test_a_csv_row_holds_every_number_and_note():
    columns = flat(make_tables(table(), resamples=10).slices)
    assert {"auc", "auc_low", "auc_high", "auc_note", "slice", "threshold_source"} <= set(columns)
    assert len(set(map(len, columns.values()))) == 1


def test_group_labels_that_are_not_json_are_named():
    columns = table().columns()
    columns["groups"] = np.full(len(columns["groups"]), "female")
    with pytest.raises(UsageError, match="'female'"):
        make_tables(from_columns(columns), resamples=5)

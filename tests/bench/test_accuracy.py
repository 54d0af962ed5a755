from __future__ import annotations

import pytest

from unmask.bench import accuracy
from unmask.bench.samples import dfdc_val, unseen_dev
from unmask.bench.scoring import FileScore, score_files
from unmask.metrics import cllr, roc_auc_score


def one(y_true, logit, label="inconclusive", *, group="g", log10_lr=None, faces=1):
    return FileScore(
        name=f"{group}-{y_true}", y_true=y_true, group=group, label=label, log10_lr=log10_lr,
        logit=logit, faces_found=faces, frames_seen=1, reasons="", error="",
    )  # fmt: skip


def by_key(rows):
    assert len({row.key for row in rows}) == len(rows)
    return {row.key: row for row in rows}


@pytest.fixture
def scores(scanner, data):
    return score_files(scanner, dfdc_val(data))


def test_auc_over_all_counts_pairs_without_a_score_half():
    files = [one(0, 1.0, group="a"), one(0, None, group="b"), one(1, 2.0, group="c"),
             one(1, 0.5, group="d"), one(1, None, group="e")]  # fmt: skip
    logits = {id(f): f.logit for f in files}
    pairs = [
        0.5 if None in (logits[id(f)], logits[id(r)]) else float(f.logit > r.logit)
        for f in files if f.y_true for r in files if not r.y_true
    ]  # fmt: skip
    auc = by_key(accuracy.ranking_rows(files))["auc"]
    assert auc.value == pytest.approx(sum(pairs) / len(pairs))
    assert auc.low <= auc.value <= auc.high


def test_nothing_scored_ranks_nothing():
    files = [one(0, None, group="a", faces=0), one(1, None, group="b", faces=0)]
    rows = by_key(accuracy.ranking_rows(files))
    assert rows["auc"].value == 0.5
    assert rows["auc_in_scope"].value is None
    assert all(row.value is None for row in accuracy.calibration_rows(files))


def test_ranking_of_the_tree(scores):
    rows = by_key(accuracy.ranking_rows(scores))
    judged = [s for s in scores if s.log10_lr is not None]
    assert len(judged) == 22  # one without a face, one out of scope
    expected = roc_auc_score([s.y_true for s in judged], [s.logit for s in judged])
    assert rows["auc_in_scope"].value == pytest.approx(expected)
    assert 0.5 < rows["auc"].value < 1
    assert rows["tpr_at_fpr_1"].value <= rows["tpr_at_fpr_10"].value


def test_decisions_count_abstentions_as_not_called(scores):
    rows = by_key(accuracy.decision_rows(scores))
    called = [s.label == "manipulation_supported" for s in scores]
    right = sum(c == bool(s.y_true) for c, s in zip(called, scores, strict=True))
    assert rows["accuracy"].value == pytest.approx(right / 24)
    assert rows["false_alarms"].value == 0
    # 0 of 12: the exact binomial bound, not the bootstrap's 0
    assert rows["false_alarms"].low == 0
    assert rows["false_alarms"].high == pytest.approx(1 - 0.025 ** (1 / 12))
    fakes = [c for c, s in zip(called, scores, strict=True) if s.y_true]
    assert rows["detections"].value == pytest.approx(sum(fakes) / 12)
    assert rows["detections"].note == f"{sum(fakes)} of 12"


def test_coverage_tells_abstentions_apart(scores):
    rows = by_key(accuracy.coverage_rows(scores))
    assert rows["faces_found"].value == pytest.approx(23 / 24)
    assert rows["faces_found_real"].value == pytest.approx(11 / 12)
    assert rows["faces_found_fake"].value == 1
    assert rows["out_of_scope_real"].value == pytest.approx(1 / 12)
    assert rows["out_of_scope_fake"].value == pytest.approx(1 / 12)
    between = [s for s in scores if s.log10_lr is not None and -0.5 < s.log10_lr < 1]
    total = rows["inconclusive_real"].value * 12 + rows["inconclusive_fake"].value * 12
    assert total == pytest.approx(len(between))


def test_calibration_takes_the_ratios_at_their_word(scores):
    rows = by_key(accuracy.calibration_rows(scores))
    judged = [s for s in scores if s.log10_lr is not None]
    expected = cllr([s.y_true for s in judged], [s.log10_lr for s in judged])
    assert rows["cllr"].value == pytest.approx(expected)
    assert rows["cllr_min"].value <= rows["cllr"].value
    assert 0 <= rows["ece"].value <= 1
    assert "by chance alone 0." in rows["ece"].note


def test_pairs_of_the_unseen_films(scanner, data):
    row = accuracy.pair_row(score_files(scanner, unseen_dev(data)))
    assert row.value == pytest.approx((1 + 0.5 + 0) / 3)
    assert row.note.startswith("1 of 3 pairs")


def test_a_pair_without_a_score_is_undecided():
    files = [one(0, 0.0, group="a"), one(1, None, group="a"), one(0, 0.0, group="b"),
             one(1, 1.0, group="b")]  # fmt: skip
    row = accuracy.pair_row(files)
    assert row.value == pytest.approx(0.75)
    assert "1 without both scores" in row.note


def test_intervals_follow_sources_not_files():
    # ten copies of each of four sources must not look like forty independent files
    few = [one(0, 0.0, "manipulation_supported" if g < 2 else "inconclusive", group=str(g))
           for g in range(4)]  # fmt: skip
    many = [file for file in few for _ in range(10)]
    narrow, wide = (accuracy.share_row("k", "t", files, [f.called for f in files])
                    for files in (few, many))  # fmt: skip
    assert (narrow.low, narrow.high) == (wide.low, wide.high)

"""The cross-distribution study: no original in two places, and a whole one in small."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")

from unmask.errors import CorruptMedia, UsageError  # noqa: E402
from unmask.metrics import roc_auc_score  # noqa: E402
from unmask.networks.mobilenet_v2 import MobileNetV2  # noqa: E402
from unmask.train.adaptation.cross_distribution import study as studies  # noqa: E402
from unmask.train.adaptation.cross_distribution.domains import (  # noqa: E402
    source_faces,
    target_faces,
)
from unmask.train.adaptation.cross_distribution.frozen_features import (  # noqa: E402
    SourceComponents,
)
from unmask.train.adaptation.cross_distribution.measures import domain_probe  # noqa: E402
from unmask.train.adaptation.cross_distribution.recipe import (  # noqa: E402
    Source,
    Target,
    read_study,
)
from unmask.train.adaptation.cross_distribution.trial import few_of_each  # noqa: E402

STUDY = """
init = "tiny.npz"
strategies = ["gradient_reversal", "coral"]
seeds = [1, 2]
few = 2
input_px = 64

[source]
path = "drawn"
split = "train"
test_split = "val"
faces = 20

[[targets]]
name = "filmed"
path = "drawn"
split = "train"
test_split = "val"
film_crf = 40
faces = 20

[training]
components = 6
hidden = 8
steps = 6
batch = 8
"""


@pytest.fixture(scope="module")
def arrays(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of weights of MobileNetV2, drawn at random."""
    torch.manual_seed(0)
    state = MobileNetV2(input_px=32).backbone.state_dict()
    kept = [value.numpy() for key, value in state.items() if "num_batches" not in key]
    path = tmp_path_factory.mktemp("init") / "tiny.npz"
    np.savez(path, **{f"features.{n}": array for n, array in enumerate(kept)})
    return path


def _read(tmp_path: Path, text: str = STUDY):
    path = tmp_path / "study.toml"
    path.write_text(text, encoding="utf-8")
    return read_study(path)


def test_the_shipped_study_is_valid(repository: Path) -> None:
    study = read_study(repository / "recipes" / "studies" / "cross-distribution.toml")
    assert {target.name for target in study.targets} == {"compressed", "portraits"}
    assert len(study.seeds) == 3


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("batch = 8", "batch = 7", "even"),
        ("film_crf = 40", "film_crf = 99", "0..51"),
        ("seeds = [1, 2]", "seeds = []", "seeds is empty"),
        ("few = 2", "fwe = 2", "fwe"),
    ],
)
def test_impossible_studies_are_refused(old: str, new: str, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=complaint):
        _read(tmp_path, STUDY.replace(old, new))


def test_no_original_is_in_two_places(drawn_store) -> None:
    store = drawn_store(40)
    train, test = source_faces(store, Source("", "train", "val", faces=200))
    same = target_faces(store, Target("filmed", "", split="train", test_split="val", film_crf=30))
    forged = target_faces(store, Target("forged", "", forgeries={"landmark_swap": 1.0}, faces=20))
    originals = [set(faces.source_id) for faces in (train, same[0], same[1])]
    assert not originals[0] & originals[1]
    assert not (originals[0] | originals[1]) & originals[2]
    assert originals[2] == set(test.source_id)
    assert not set(forged[0].source_id) & set(forged[1].source_id)
    assert train.y_true.mean() == 0.5
    assert forged[0].y_true.tolist() == [0, 1] * (len(forged[0].rows) // 2)


def test_filmed_faces_are_coded_the_same_way_each_time(drawn_store) -> None:
    store = drawn_store(8)
    adapted, _ = target_faces(
        store, Target("filmed", "", split="train", test_split="val", film_crf=40)
    )
    row = int(adapted.rows[0])
    coded = adapted.store.face(row).image
    assert np.array_equal(coded, adapted.store.face(row).image)
    assert not np.array_equal(coded, store.face(row).image)
    assert set(adapted.store.columns.compression) == {"x264-crf40"}


def test_probe_tells_far_domains_apart_and_not_one_from_itself() -> None:
    rng = np.random.default_rng(0)
    here, there = rng.normal(size=(2, 400, 4)).astype(np.float32)
    assert abs(domain_probe(here, there) - 0.5) < 0.08
    assert domain_probe(here, there + 4) > 0.95


def test_components_are_those_of_the_source() -> None:
    drawn = torch.Generator().manual_seed(0)
    source = (
        torch.randn(50, 3, generator=drawn).double() @ torch.randn(3, 8, generator=drawn).double()
    )
    reduced = SourceComponents(source, 3)
    standard = (source - source.mean(0)) / source.std(0)
    distances = torch.cdist(standard, standard)
    assert torch.allclose(torch.cdist(reduced(source), reduced(source)), distances, atol=1e-6)
    assert torch.equal(SourceComponents(source, 0)(source), source)


def test_few_of_each_takes_both_classes() -> None:
    y_true = torch.tensor([0.0, 1, 1, 0, 0, 1, 1, 1])
    rows = few_of_each(y_true, 2, 0)
    assert y_true[rows].tolist() == [0, 0, 1, 1]
    assert len(set(rows.tolist())) == 4


def test_a_whole_study_in_small(
    drawn_store, arrays: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = drawn_store(24)
    monkeypatch.setattr(studies, "open_store", lambda _: store)
    study = _read(tmp_path)
    said: list[str] = []
    rows = studies.run_study(
        study, tmp_path / "out", data=arrays.parent, shards=tmp_path, on_progress=said.append
    )
    methods = [row.method for row in rows]
    assert methods == ["preliminary", "trained_longer", "gradient_reversal", "coral", "few_shot",
                       "target_labels"]  # fmt: skip
    assert rows[0].gain == 0
    for row in rows:
        assert row.auc_low <= row.auc <= row.auc_high
        assert row.gain == pytest.approx(row.auc - rows[0].auc)
        assert len(row.seeds) == 2
    assert np.isnan(rows[3].classifier_accuracy)
    assert 0 <= rows[2].classifier_accuracy <= 1
    table = (tmp_path / "out" / "cross-distribution.csv").read_text(encoding="utf-8")
    assert [line["method"] for line in csv.DictReader(table.splitlines())] == methods
    with np.load(tmp_path / "out" / "features-filmed-coral.npz") as kept:
        assert len(kept["features"]) == len(kept["domain"]) == len(kept["y_true"])
        assert set(kept["domain"]) == {"source", "filmed"}
    _again_from_what_was_computed(study, tmp_path, arrays, rows)


def _again_from_what_was_computed(study, tmp_path: Path, arrays: Path, before) -> None:
    """The second run gives the same numbers, and a damaged file is named."""
    again = studies.run_study(
        study, tmp_path / "out", data=arrays.parent, shards=tmp_path, on_progress=lambda _: None
    )
    assert [dataclasses.replace(row, classifier_accuracy=0) for row in again] == [
        dataclasses.replace(row, classifier_accuracy=0) for row in before
    ]
    kept = next((tmp_path / "out" / "features").glob("features-*.npz"))
    kept.write_bytes(kept.read_bytes()[:100])
    with pytest.raises(CorruptMedia, match=kept.name):
        studies.run_study(
            study, tmp_path / "out", data=arrays.parent, shards=tmp_path, on_progress=print
        )


def test_measures_agree_with_a_plain_auc(drawn_store) -> None:
    from unmask.train.adaptation.cross_distribution.measures import measured
    from unmask.train.adaptation.cross_distribution.trial import Outcome

    store = drawn_store(40)
    faces = target_faces(store, Target("t", "", split="train", test_split="val"))[1]
    rng = np.random.default_rng(0)

    def outcome(method: str, seed: int, lift: float) -> Outcome:
        logits = rng.normal(size=len(faces.rows)) + lift * faces.y_true
        features = rng.normal(size=(len(faces.rows), 3)).astype(np.float32)
        return Outcome("t", method, seed, logits, logits, features, features, {})

    outcomes = [outcome(m, s, lift) for s in (1, 2, 3)
                for m, lift in (("preliminary", 0.3), ("mmd", 3.0))]  # fmt: skip
    before, after = measured(outcomes, faces, {"t": faces})
    plain = [roc_auc_score(faces.y_true, o.target_logits) for o in outcomes[1::2]]
    assert after.seeds == pytest.approx(plain)
    assert after.gain == pytest.approx(np.mean(plain) - before.auc)
    assert 0 < after.gain_low < after.gain < after.gain_high
    gains = np.array(plain) - before.seeds
    assert after.gain_seeds == pytest.approx(4.303 * gains.std(ddof=1) / 3**0.5)

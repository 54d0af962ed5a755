"""A whole study with real, tiny networks, from TOML to page."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from unmask.bench.comparison import study_runs
from unmask.bench.comparison.runner import run_study
from unmask.bench.comparison.score_files import read_scores
from unmask.bench.comparison.study import merged, read_study
from unmask.cli import main
from unmask.errors import UsageError
from unmask.faces.topology import FACE_OVAL
from unmask.train.facecache import write_index

SIDE_PX = 96
ORIGINALS = 60

STUDY = """
title = "Two tiny networks"
about = "Does the machinery hold?"
seeds = [1, 2]
resamples = 20

[training]
steps = 6
batch = 8
input_px = 64
[training.optimiser]
rate = 0.003
warm_up_steps = 1
[training.evaluation]
every = 0
[training.tracking]
tensorboard = false
[training.data]
validation_share = 0.3
[[training.data.stores]]
name = "pairs"
path = "pairs"
[training.crops]
parts = ["flip"]

[[networks]]
id = "mesonet-4"

[[networks]]
id = "mesonet-4"
name = "mesonet-4 small"
training = { steps = 3 }

[[tests]]
name = "pairs/all"
path = "pairs"

[[published]]
name = "Somebody's"
data_set = "pairs/all"
auc = 0.6
source = "a paper"

[robustness]
test = "pairs/all"
degradations = ["jpeg", "h264"]
strengths = { jpeg = [20], h264 = [40] }
faces = 60

[adversarial]
test = "pairs/all"
attacks = ["fgsm"]
epsilons = [8]
faces = 60

[heat_maps]
test = "pairs/all"
faces = 1
networks = ["mesonet-4"]
methods = ["grad_cam"]

[features]
networks = ["mesonet-4", "mesonet-4 small"]
tests = ["pairs/all"]
faces = 40
"""


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """A face cache of 60 originals and as many "forgeries", which are tinted."""
    root = tmp_path_factory.mktemp("shards")
    folder = root / "pairs"
    folder.mkdir()
    rng = np.random.default_rng(0)
    label = np.tile([0, 1], ORIGINALS).astype(np.int8)
    images = rng.integers(60, 180, (len(label), SIDE_PX, SIDE_PX, 3), dtype=np.uint8)
    images[label == 1, ..., 0] += 40
    (folder / "pixels.u8").write_bytes(images.tobytes())
    points = rng.uniform(30, 66, (468, 2)).astype(np.float32)
    angle = np.linspace(0, 2 * np.pi, len(FACE_OVAL), endpoint=False)
    points[list(FACE_OVAL)] = np.stack([48 + 20 * np.sin(angle), 48 - 26 * np.cos(angle)], 1)
    numbers = np.arange(len(label))
    write_index(folder, {
        "path": np.array([f"{i}.png" for i in numbers]),
        "source": np.full(len(label), "pairs"),
        "label": label,
        "group": np.array([f"o{i // 2}" for i in numbers]),
        "offset": (numbers * SIDE_PX * SIDE_PX * 3).astype(np.int64),
        "height": np.full(len(label), SIDE_PX, np.int32),
        "width": np.full(len(label), SIDE_PX, np.int32),
        "landmarks": np.repeat(points[None], len(label), 0),
    })  # fmt: skip
    return root


@pytest.fixture(scope="module")
def finished(shards, tmp_path_factory):
    """The study, run once through the command line; its folder and its file."""
    folder = tmp_path_factory.mktemp("study")
    path = folder / "tiny.toml"
    path.write_text(STUDY)
    code = main(["bench", str(path), "-o", str(folder / "out"), "--shards", str(shards),
                 "--workers", "0", "--threads", "1", "-q"])  # fmt: skip
    assert code == 0
    return folder / "out", path


def place(out, shards):
    said = []
    stores = study_runs.Stores(shards)
    where = study_runs.Place(out=out, stores=stores, data=None, workers=0, threads=1,
                             say=said.append)  # fmt: skip
    return where, said


def rows(path):
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


def test_a_study_leaves_scores_tables_and_pages(finished):
    out, _ = finished
    table = read_scores(out / "scores.parquet")
    assert table.detectors() == ["mesonet-4", "mesonet-4 small"]
    assert set(table.seed.tolist()) == {1, 2}
    assert set(table.split.tolist()) == {"test", "validation"}
    overall = rows(out / "tables" / "overall.csv")
    assert [row["seeds"] for row in overall] == ["2", "2"]
    assert {row["threshold_source"] for row in overall} == {"equal error on validation scores"}
    assert {row["protocol"] for row in overall} == {"within"}
    stress = rows(out / "tables" / "robustness.csv")
    assert {row["kind"] for row in stress} == {"clean", "jpeg", "h264"}
    assert len(rows(out / "tables" / "features.csv")) == 2 * 40
    page = (out / "comparison.html").read_text()
    assert "Somebody&#39;s (published)" in page
    assert page.count("<svg") >= 5
    assert page.count('<img src="data:image/jpeg;base64,') == 3  # a hit, a miss, a false alarm
    assert "Where they looked" in page


def test_changed_pixels_mislead_and_are_not_kept(finished):
    out, _ = finished
    points = rows(out / "tables" / "adversarial.csv")
    by_kind = {(p["detector"], p["kind"]): float(p["accuracy"]) for p in points}
    for name in ("mesonet-4", "mesonet-4 small"):
        assert by_kind[name, "fgsm"] <= by_kind[name, "clean"]
    kept = {path.suffix for path in out.rglob("*") if path.is_file()}
    assert not kept & {".png", ".jpg", ".npy", ".npz"}


def test_the_page_runs_nothing_and_loads_nothing(finished):
    page = (finished[0] / "comparison.html").read_text()
    assert "<script" not in page
    assert "style=" not in page
    assert 'src="http' not in page
    assert page.count(' id="') == len(set(_ids(page)))


def _ids(page):
    return [part.partition('"')[0] for part in page.split(' id="')[1:]]


def test_nothing_finished_is_done_again(finished, shards):
    out, path = finished
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*.p*") if "tables" not in p.parts}
    where, said = place(out, shards)
    found = run_study(read_study(path), where)
    assert not found.failures
    assert [line for line in said if "features" not in line and "heat maps" not in line] == []
    changed = [p.name for p, when in before.items() if p.stat().st_mtime_ns != when]
    assert changed == ["scores.parquet"]


def test_a_network_that_fails_costs_the_others_nothing(shards, tmp_path):
    text = STUDY.replace("training = { steps = 3 }", 'training = { init = "absent.npz" }')
    study = tmp_path / "tiny.toml"
    cut = text.index("[robustness]")
    study.write_text(text[:cut].replace("seeds = [1, 2]", "seeds = [1]"))
    out = tmp_path / "out"
    code = main(["bench", str(study), "-o", str(out), "--shards", str(shards), "--workers", "0",
                 "--threads", "1", "-q"])  # fmt: skip
    assert code == 3
    assert [row["detector"] for row in rows(out / "tables" / "overall.csv")] == ["mesonet-4"]
    (failure,) = rows(out / "tables" / "failures.csv")
    assert failure["detector"] == "mesonet-4 small"
    assert "absent.npz" in failure["message"]
    assert "absent.npz" in (out / "comparison.html").read_text()


def test_when_everything_fails_the_reason_is_said(shards, tmp_path, capsys):
    text = STUDY.replace("input_px = 64", 'input_px = 64\ninit = "absent.npz"')
    study = tmp_path / "tiny.toml"
    study.write_text(text[: text.index("[robustness]")])
    code = main(["bench", str(study), "-o", str(tmp_path / "out"), "--shards", str(shards), "-q"])
    shown = capsys.readouterr().err
    assert code == 2
    assert "absent.npz" in shown
    assert "Traceback" not in shown


def test_foreign_scores_alone_make_a_comparison(finished, tmp_path):
    out, _ = finished
    foreign = out / "scores.parquet"
    study = tmp_path / "foreign.toml"
    study.write_text(f'title = "Foreign"\nresamples = 20\nscores = ["{foreign}"]\n')
    where, _ = place(tmp_path / "out", tmp_path)
    found = run_study(read_study(study), where)
    mine = {row["detector"]: row["auc"] for row in rows(out / "tables" / "overall.csv")}
    for record in found.tables.overall:
        assert float(mine[record.detector]) == pytest.approx(record.cell["auc"].value, abs=1e-12)


@pytest.mark.parametrize(
    ("change", "said", "hint"),
    [
        (("resamples", "resample"), "unknown key 'resample'", "resamples"),
        (('test = "pairs/all"\ndeg', 'test = "pairs/al"\ndeg'), "no test called 'pairs/al'",
         "pairs/all"),
        (('id = "mesonet-4"\nname', 'id = "mesonet-5"\nname'), "'mesonet-5'", "mesonet-4"),
        (("jpeg = [20]", "jpg = [20]"), "no degradation called 'jpg'", "jpeg"),
        (("rate = 0.003", "rat = 0.003"), "unknown key 'rat'", "rate"),
        (('attacks = ["fgsm"]', 'attacks = ["transfer"]'), "needs adversarial.surrogate", ""),
        (('name = "mesonet-4 small"', 'name = "mesonet-4"'), "two networks have the same name", ""),
        (("steps = 6", "steps = 6\nseed = 3"), "has the key 'seed'", "seeds"),
    ],
)  # fmt: skip
def test_a_wrong_study_is_refused_by_name(tmp_path, change, said, hint):
    path = tmp_path / "wrong.toml"
    assert change[0] in STUDY
    path.write_text(STUDY.replace(*change))
    with pytest.raises(UsageError) as caught:
        read_study(path)
    assert said in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize("name", ["equal-budget", "adversarial", "lstm-in-small"])
def test_the_studies_that_are_shipped_can_be_read(repository, name):
    plan = read_study(repository / "recipes" / "studies" / f"{name}.toml")
    assert len({choice.title for choice in plan.study.networks}) == len(plan.study.networks) > 3


def test_a_study_and_the_shipped_bench_do_not_mix(tmp_path, capsys):
    path = tmp_path / "tiny.toml"
    path.write_text(STUDY)
    assert main(["bench", str(path), "--unseen"]) == 2
    assert "--unseen does not go with a STUDY" in capsys.readouterr().err
    assert main(["bench", "--workers", "2"]) == 2
    assert "--workers needs a STUDY" in capsys.readouterr().err


def test_overrides_are_merged_table_by_table():
    base = {"steps": 5, "optimiser": {"rate": 0.1, "kind": "sgd"}}
    assert merged(base, {"optimiser": {"rate": 0.2}}) == {
        "steps": 5, "optimiser": {"rate": 0.2, "kind": "sgd"},
    }  # fmt: skip
    assert base["optimiser"]["rate"] == 0.1


def test_training_without_a_method_has_its_own_folder_and_stores(shards, tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(STUDY.replace("seeds = [1, 2]", 'seeds = [1]\nleft_out = ["pairs"]'))
    runs = study_runs.runs_of(read_study(path), study_runs.Stores(shards))
    assert [run.left_out for run in runs] == ["", "", "pairs", "pairs"]
    assert len({run.folder for run in runs}) == 4
    assert runs[2].recipe.data.stores[0].labels == ("real",)
    path.write_text(STUDY.replace("seeds = [1, 2]", 'seeds = [1]\nleft_out = ["neural"]'))
    with pytest.raises(UsageError, match="'neural'"):
        study_runs.runs_of(read_study(path), study_runs.Stores(shards))


def test_few_sources_are_whole_and_the_same_for_every_network(shards):
    columns = study_runs.Stores(shards).get("pairs").columns
    every = np.arange(len(columns))
    few = study_runs.few_sources(columns, every, 21)
    assert len(few) == 20
    assert set(np.unique(columns.source_id[few], return_counts=True)[1].tolist()) == {2}
    assert np.array_equal(few, study_runs.few_sources(columns, every, 21))


def test_a_network_goes_on_from_another_seed_by_seed(shards, tmp_path):
    later = 'name = "mesonet-4 small"\nafter = "mesonet-4"'
    path = tmp_path / "tiny.toml"
    path.write_text(STUDY.replace('name = "mesonet-4 small"', later))
    plan = read_study(path)
    runs = study_runs.runs_of(plan, study_runs.Stores(shards))
    first, second = runs[0], runs[1]
    assert second.recipe.init == f"runs/{first.folder}/weights.pt"
    assert runs[3].before.folder == runs[2].folder  # of the second seed
    where, said = place(tmp_path / "out", shards)
    went_on = study_runs.trained(second, where)  # trains what comes before it, too
    assert any(line.startswith("mesonet-4, seed 1") for line in said)
    before = study_runs.trained(first, where)
    weights = zip(went_on.parameters(), before.parameters(), strict=True)
    far = [float((one - other).detach().abs().max()) for one, other in weights]
    assert 0 < max(far) < 0.1  # three steps away, not at a start of its own


def test_a_network_goes_on_only_from_one_of_its_kind_above(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(STUDY.replace('id = "mesonet-4"\n', 'id = "mesonet-4"\nafter = "itself"\n', 1))
    with pytest.raises(UsageError, match="'itself', which is no network above it"):
        read_study(path)
    later = 'name = "mesonet-4 small"\nafter = "mesonet-4"\ninput_px = 96'
    path.write_text(STUDY.replace('name = "mesonet-4 small"', later))
    with pytest.raises(UsageError, match="another kind of network or size"):
        read_study(path)

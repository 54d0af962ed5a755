"""Runs of generators: resumed as unbroken, the best kept, nothing unlabelled."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'forge' is not installed")

from unmask.errors import (  # noqa: E402
    ConsentMissing,
    CorruptMedia,
    EnvironmentProblem,
    NotFound,
    UsageError,
)
from unmask.forge import training  # noqa: E402
from unmask.forge.run_record import checked_consent, read_record, record_of  # noqa: E402
from unmask.forge.training import GeneratorRun, Schedule, load_generator  # noqa: E402
from unmask.generators.base import GENERATORS  # noqa: E402
from unmask.provenance import CredentialStatus, read_credentials  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

    from unmask.generators.material import Material

METHOD = "autoencoder_swap"
CONSENT = "Both are drawn; nobody is shown."
QUICK = Schedule(6, evaluate_every=2, preview_every=1000, save_every=1)


def new_run(folder: Path, material: Material, seed: int = 1, **options: Any) -> GeneratorRun:
    cls = GENERATORS.get(METHOD)
    config = cls.config_class.from_mapping(cls.small)
    record = record_of(cls.spec, config, material, seed=seed, consent=CONSENT)
    return GeneratorRun(record, config, material, folder, **options)


@pytest.fixture
def no_preview(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the sheet out where it is not what is tested: signing takes a moment."""
    monkeypatch.setattr(GeneratorRun, "write_preview", lambda _run: None)


@pytest.mark.usefixtures("no_preview")
def test_a_resumed_run_equals_an_unbroken_one(tmp_path: Path, two_people: Material) -> None:
    unbroken = new_run(tmp_path / "unbroken", two_people)
    assert unbroken.train(QUICK)
    broken = new_run(tmp_path / "broken", two_people)

    def stop_at_three(now: training.Progress) -> None:
        if now.step == 3:
            broken._stop()

    assert not broken.train(QUICK, stop_at_three) or broken.step == 4
    resumed = new_run(tmp_path / "broken", two_people)
    assert 0 < resumed.step < 6
    assert resumed.train(QUICK)
    assert_same_state(unbroken, resumed)
    rows = [(run.folder / "log.csv").read_text().splitlines() for run in (unbroken, resumed)]
    assert rows[0][-1] == rows[1][-1]


def assert_same_state(one: GeneratorRun, other: GeneratorRun) -> None:
    ours, theirs = one.generator.networks.state_dict(), other.generator.networks.state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    for name, average in one.averages.items():
        mine, yours = average.state, other.averages[name].state
        assert all(torch.equal(mine[key], yours[key]) for key in mine)


@pytest.mark.usefixtures("no_preview")
def test_the_best_weights_are_kept(
    tmp_path: Path, two_people: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run(tmp_path, two_people)
    spec = run.generator.spec
    values = iter([20.0, 25.0, 10.0] if spec.higher_is_better else [20.0, 15.0, 30.0])
    monkeypatch.setattr(run.generator, "held_out_figures", lambda: {spec.selected_by: next(values)})
    run.train(QUICK)
    kept = torch.load(tmp_path / training.WEIGHTS, weights_only=True)
    assert kept["step"] == 4
    generator, record = load_generator(tmp_path)
    assert record.method == METHOD
    assert record.consent == CONSENT
    assert not generator.networks.training


@pytest.mark.usefixtures("no_preview")
def test_a_loss_that_is_no_number_ends_it_and_loses_nothing(
    tmp_path: Path, two_people: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run(tmp_path, two_people)
    step = run.generator.training_step

    def broken_step(batch: Any, number: int) -> dict[str, float]:
        return {"loss": float("nan")} if number == 4 else step(batch, number)

    monkeypatch.setattr(run.generator, "training_step", broken_step)
    with pytest.raises(EnvironmentProblem, match="became nan at step 4"):
        run.train(QUICK)
    assert new_run(tmp_path, two_people).step == 3


def test_the_preview_is_labelled(tmp_path: Path, two_people: Material) -> None:
    run = new_run(tmp_path, two_people)
    run.train(Schedule(2))
    state = read_credentials(tmp_path / training.PREVIEW)
    assert state.status is CredentialStatus.VALID
    assert any("trainedAlgorithmicMedia" in one.replace("WithT", "t")
               for one in state.digital_source_types)  # fmt: skip


@pytest.mark.usefixtures("no_preview")
def test_a_folder_of_another_run_is_refused(tmp_path: Path, two_people: Material) -> None:
    new_run(tmp_path, two_people).train(Schedule(1))
    with pytest.raises(UsageError, match="another method"):
        new_run(tmp_path, two_people, seed=2)
    assert new_run(tmp_path, two_people, seed=2, fresh=True).step == 0


@pytest.mark.usefixtures("no_preview")
def test_other_faces_under_the_same_names_are_refused(tmp_path: Path, two_people: Material) -> None:
    new_run(tmp_path, two_people).train(Schedule(1))

    def changed(levels: int) -> Material:
        tracks = [replace(one, images=one.images + np.uint8(levels)) for one in two_people.other]
        return replace(two_people, other=tracks)

    assert new_run(tmp_path, changed(1)).step == 1  # as another machine's arithmetic finds them
    with pytest.raises(UsageError, match="or material"):
        new_run(tmp_path, changed(20))


@pytest.mark.usefixtures("no_preview")
def test_a_checkpoint_of_before_is_gone_on_with(tmp_path: Path, two_people: Material) -> None:
    """It knows neither its faces nor its statement; the record beside it knows the latter."""
    new_run(tmp_path, two_people).train(Schedule(1))
    state = torch.load(tmp_path / training.CHECKPOINT, weights_only=True)
    del state["material"], state["consent"]
    torch.save(state, tmp_path / training.CHECKPOINT)
    assert new_run(tmp_path, two_people).step == 1
    assert read_record(tmp_path).consent == CONSENT


@pytest.mark.usefixtures("no_preview")
@pytest.mark.parametrize("record_is_there", [True, False])
def test_the_first_statement_of_consent_stays(
    tmp_path: Path, two_people: Material, record_is_there: bool
) -> None:
    new_run(tmp_path, two_people).train(Schedule(1))
    if not record_is_there:
        (tmp_path / "run.json").unlink()
    cls = GENERATORS.get(METHOD)
    config = cls.config_class.from_mapping(cls.small)
    later = record_of(cls.spec, config, two_people, seed=1, consent="Somebody else said so later")
    assert GeneratorRun(later, config, two_people, tmp_path).record.consent == CONSENT
    assert read_record(tmp_path).consent == CONSENT
    GeneratorRun(later, config, two_people, tmp_path, fresh=True)
    assert read_record(tmp_path).consent == "Somebody else said so later"


@pytest.mark.usefixtures("no_preview")
def test_a_damaged_checkpoint_is_named(tmp_path: Path, two_people: Material) -> None:
    new_run(tmp_path, two_people).train(Schedule(1))
    path = tmp_path / training.CHECKPOINT
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CorruptMedia, match=r"checkpoint\.pt cannot be used"):
        new_run(tmp_path, two_people)


def test_a_folder_without_a_run(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no run"):
        load_generator(tmp_path)
    (tmp_path / "run.json").write_text('{"method": 3}')
    with pytest.raises(CorruptMedia, match="damaged"):
        read_record(tmp_path)


@pytest.mark.parametrize("statement", [None, "", "   ", "yes", "agreed "])
def test_a_swap_needs_consent(statement: str | None) -> None:
    with pytest.raises(UsageError, match="statement of consent"):
        checked_consent(GENERATORS.get(METHOD).spec, statement)


def test_the_rule_of_consent_is_that_of_the_labels() -> None:
    swap, faces = GENERATORS.get(METHOD).spec, GENERATORS.get("vae").spec
    with pytest.raises(ConsentMissing, match="at most 500"):
        checked_consent(swap, "agreed " * 100)
    assert checked_consent(swap, "  They agreed on paper  ") == "They agreed on paper"
    assert checked_consent(faces, None) == checked_consent(faces, "  ") == ""


def test_a_schedule_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="at least 1"):
        Schedule(0)
    with pytest.raises(UsageError, match="share of the steps"):
        Schedule(10, rate_falls_over=1.5)


def test_the_rate_falls_over_the_last_steps() -> None:
    schedule = Schedule(10, rate_falls_over=0.5)
    factors = [schedule.rate_factor(step) for step in range(1, 11)]
    assert factors[:5] == [1.0] * 5
    assert all(one > after > 0 for one, after in itertools.pairwise(factors[4:]))
    assert factors[-1] < 0.1
    assert {Schedule(10).rate_factor(step) for step in range(1, 11)} == {1.0}


@pytest.mark.usefixtures("no_preview")
def test_a_falling_rate_reaches_the_optimiser(tmp_path: Path, two_people: Material) -> None:
    run = new_run(tmp_path, two_people)
    groups = [g for optimiser in run.generator.optimisers.values() for g in optimiser.param_groups]
    before = [group["lr"] for group in groups]
    falling = Schedule(2, evaluate_every=100, preview_every=100, rate_falls_over=1.0)
    run.train(falling)
    expected = [rate * falling.rate_factor(2) for rate in before]
    assert [group["lr"] for group in groups] == pytest.approx(expected)
    # Who goes on with a longer run starts from the configured rate, not from the fallen one.
    longer = new_run(tmp_path, two_people)
    longer.train(Schedule(3))
    assert [g["lr"] for o in longer.generator.optimisers.values() for g in o.param_groups] == before

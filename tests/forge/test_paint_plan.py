"""What is refused before anything is loaded, and what labels say of who painted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra 'forge' is not installed")
pytest.importorskip("c2pa", reason="the extra 'forge' is not installed")

from tests.forge.stores import untrained_run

from unmask.errors import ConsentMissing, UsageError
from unmask.forge.animating import animate
from unmask.forge.conversion_settings import ConvertSettings
from unmask.forge.converting import convert
from unmask.forge.labels import label_of_run
from unmask.forge.merging import MergeSettings
from unmask.forge.paint_plan import PaintRequest, checked_plan, plan_of
from unmask.forge.preview_sheet import write_preview
from unmask.forge.run_record import WEIGHTS, read_record
from unmask.media import write_film, write_picture
from unmask.provenance import iptc

if TYPE_CHECKING:
    from collections.abc import Callable

CONSENT = "Nobody is shown; for a test"
TRAINING_CONSENT = "They agreed, for tests"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Runs whose weights are gone: whatever reads them fails with another error."""
    folder = tmp_path_factory.mktemp("runs")

    def run(method: str) -> Path:
        path = folder / method
        if not path.exists():
            (untrained_run(path, method) / WEIGHTS).unlink()
        return path

    return run


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    write_picture(tmp_path / "wall.png", np.full((64, 64, 3), 90, np.uint8))
    return tmp_path / "wall.png"


@pytest.mark.parametrize(
    ("method", "options", "said"),
    [
        ("esrgan", {"audio": "a.wav"}, "no use for --audio"),
        ("esrgan", {"identity": "a.png"}, "no use for --identity"),
        ("autoencoder_swap", {"audio": "a.wav"}, "no use for --audio"),
        ("autoencoder_swap", {"identity": "a.png"}, "no use for --identity"),
        ("one_shot_swap", {}, "wanted face from a picture"),
        ("one_shot_swap", {"identity": "a.png", "to_other": False}, "no use for --to a"),
        ("wav2lip", {}, "none came"),
        ("wav2lip", {"audio": "a.wav", "identity": "a.png"}, "no use for --identity"),
        ("vae", {}, "converts no film"),
        ("first_order_motion", {}, "--driving"),
        (None, {}, "wanted face from a picture"),
        (None, {"identity": "a.png", "audio": "a.wav"}, "no use for --audio"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    runs: Callable[[str], Path], method: str | None, options: dict[str, str | bool], said: str
) -> None:
    paths = {key: Path(one) if isinstance(one, str) else one for key, one in options.items()}
    with pytest.raises(UsageError) as caught:
        plan_of(PaintRequest(runs(method) if method else None, **paths))  # type: ignore[arg-type]
    assert said in str(caught.value) + str(caught.value.hint)


def test_only_restorers_restore(runs: Callable[[str], Path]) -> None:
    with pytest.raises(UsageError, match="restores nothing"):
        plan_of(PaintRequest(runs("autoencoder_swap"), restore=runs("vae")))


def test_consent_is_asked_for_before_weights_are_read(
    runs: Callable[[str], Path], picture: Path, tmp_path: Path
) -> None:
    """The runs have none: a call that came as far would say so."""
    swap, motion = runs("autoencoder_swap"), runs("first_order_motion")
    none = ConvertSettings()
    with pytest.raises(ConsentMissing):
        convert(picture, tmp_path / "out.png", PaintRequest(swap), none)
    with pytest.raises(ConsentMissing):
        write_preview(picture, tmp_path / "out.png", PaintRequest(swap), none)
    with pytest.raises(ConsentMissing):
        animate(picture, picture, tmp_path / "out.mp4", motion, none)
    long = ConvertSettings(consent="agreed " * 100)
    with pytest.raises(ConsentMissing, match="at most 500"):
        convert(picture, tmp_path / "out.png", PaintRequest(swap), long)
    assert [path.name for path in tmp_path.glob("out*")] == []


def test_the_output_is_none_of_the_inputs(
    runs: Callable[[str], Path], picture: Path, tmp_path: Path
) -> None:
    face, film = tmp_path / "face.png", tmp_path / "film.mp4"
    face.hardlink_to(picture)
    write_film(film, [np.full((64, 64, 3), 90, np.uint8)] * 3, 25)
    by_picture = PaintRequest(None, identity=picture)
    other = tmp_path / "other.png"
    write_picture(other, np.full((64, 64, 3), 50, np.uint8))
    settings = ConvertSettings(consent=CONSENT)
    for call in (
        lambda: convert(other, face, by_picture, settings),
        lambda: write_preview(other, face, by_picture, settings),
        lambda: write_preview(picture, picture, PaintRequest(None, identity=other), settings),
        lambda: animate(picture, film, film, runs("first_order_motion"), settings),
        lambda: convert(film, film, PaintRequest(runs("wav2lip"), audio=other), settings),
        lambda: convert(other, film, PaintRequest(runs("wav2lip"), audio=film), settings),
    ):
        before = {path: path.read_bytes() for path in (picture, film, other)}
        with pytest.raises(UsageError, match="input itself"):
            call()
        assert before == {path: path.read_bytes() for path in before}


def test_animating_refuses_what_it_would_drop(
    runs: Callable[[str], Path], picture: Path, tmp_path: Path
) -> None:
    plain = ConvertSettings(consent=CONSENT)
    for settings, option in (
        (replace(plain, merge=MergeSettings(mask="oval")), "--mask"),
        (replace(plain, merge=MergeSettings(sharpen=1)), "--sharpen"),
        (replace(plain, keep_masks=tmp_path), "--keep-masks"),
        (replace(plain, sigma_s=0.0), "--smooth"),
    ):
        with pytest.raises(UsageError, match=f"no use for {option}:"):
            animate(picture, picture, tmp_path / "out.mp4", runs("first_order_motion"), settings)


def test_the_label_names_the_restorer(runs: Callable[[str], Path], picture: Path) -> None:
    request = PaintRequest(runs("autoencoder_swap"), restore=runs("esrgan"))
    label = plan_of(request).label(picture, CONSENT, {"mask": "oval"})
    assert label.digital_source_type == iptc.COMPOSITE_WITH_TRAINED
    facts = dict(label.facts or {})
    assert (facts["restored_by"], facts["mask"]) == ("esrgan", "oval")
    assert facts["restorer_trained_on"] == "2 faces of 1 source"
    plain = plan_of(replace(request, restore=None)).label(picture, CONSENT)
    assert "restored_by" not in (plain.facts or {})


def test_a_restored_landmark_swap_is_no_composite_of_captures(
    runs: Callable[[str], Path], picture: Path
) -> None:
    request = PaintRequest(None, identity=picture)
    assert plan_of(request).label(picture, CONSENT).digital_source_type == iptc.COMPOSITE_CAPTURE
    restored = plan_of(replace(request, restore=runs("esrgan"))).label(picture, CONSENT)
    assert restored.digital_source_type == iptc.COMPOSITE_WITH_TRAINED
    assert [one.relationship for one in restored.ingredients] == ["parentOf", "componentOf"]


def test_what_was_agreed_for_training_does_not_cover_a_film(
    runs: Callable[[str], Path], picture: Path, tmp_path: Path
) -> None:
    run = runs("autoencoder_swap")
    record = read_record(run)
    assert record.consent == TRAINING_CONSENT
    assert plan_of(PaintRequest(run)).label(picture, None).consent is None
    assert label_of_run(record, "preview").consent == TRAINING_CONSENT
    _, label = checked_plan(picture, tmp_path / "out.png", PaintRequest(run), CONSENT)
    assert label.consent == CONSENT

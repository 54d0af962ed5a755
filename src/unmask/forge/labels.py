"""What a generator's work says of itself."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from unmask.errors import LabelFailed
from unmask.generators.base import GENERATORS
from unmask.provenance import ForgeryLabel, Ingredient, iptc, write_labelled_picture

if TYPE_CHECKING:
    from unmask.forge.run_record import RunRecord
    from unmask.types import Image

# Shares of the shorter side. Rows of equal faces can beat in time with the watermark's pattern;
# a border changes the scale at which it is laid over them.
_BORDERS = (0.06, 0.125, 0.2)
_WHITE = 255
# What ingredients are called in signed credentials. File names often name people.
ORIGINAL, ADDED = "What it was made from", "What was added"


def label_of_run(record: RunRecord, title: str) -> ForgeryLabel:
    """The label of what a trained generator shows of itself: a preview, or faces of nobody.

    Args:
        record: Of the run; what was agreed to for training covers what training shows.
        title: What people are shown, after the method's title.
    """
    spec = GENERATORS.get(record.method).spec
    whole = spec.family == "synthesis"
    return ForgeryLabel(
        title=f"{spec.title}: {title}",
        method=spec.id,
        digital_source_type=iptc.TRAINED if whole else iptc.COMPOSITE_WITH_TRAINED,
        seed=record.seed,
        consent=record.consent or None,
        family=spec.family,
        facts=_facts(record),
    )


def label_of_conversion(
    record: RunRecord,
    ingredients: Sequence[Ingredient],
    *,
    consent: str | None,
    facts: Mapping[str, Any] | None = None,
) -> ForgeryLabel:
    """The label of somebody's film or picture that a trained generator forged.

    Args:
        record: Of the run.
        ingredients: The original (``parentOf``) and what else went in.
        consent: The statement for this film. That of training is never taken in its place: the
            person in the film is another one.
        facts: More to be declared.
    """
    spec = GENERATORS.get(record.method).spec
    return ForgeryLabel(
        title=spec.title,
        method=spec.id,
        digital_source_type=iptc.COMPOSITE_WITH_TRAINED,
        ingredients=tuple(ingredients),
        seed=record.seed,
        consent=consent,
        family=spec.family,
        facts={**_facts(record), **(facts or {})},
    )


def _facts(record: RunRecord) -> dict[str, Any]:
    return {"trained_on": trained_on(record), "run": record.digest()}


def trained_on(record: RunRecord) -> str:
    """How much a run was trained on. Not names of files: those often name people."""
    faces, sources = sum(record.faces[::2]), len(record.sources)  # every other is held out
    return f"{faces:,} faces of {sources} {'source' if sources == 1 else 'sources'}"


def write_labelled_sheet(
    path: str | os.PathLike[str], sheet: Image, label: ForgeryLabel, *, ground: int = _WHITE
) -> None:
    """Write a sheet of faces with all labels, on as narrow a border as the watermark needs.

    Args:
        path: Ends in ``.jpg``, ``.jpeg`` or ``.png``.
        sheet: (H, W, 3) uint8 RGB without marks.
        label: What is declared.
        ground: Grey level of the sheet between its pictures, which the border goes on with.

    Raises:
        ConsentMissing, UsageError, InputError, LabelFailed, OutputRefused, MissingExtra: As for
            :func:`unmask.provenance.write_labelled_picture`.
    """
    for share in _BORDERS:
        try:
            write_labelled_picture(path, _bordered(sheet, share, ground), label)
        except LabelFailed as error:
            if type(error) is not LabelFailed or share == _BORDERS[-1]:
                raise
        else:
            return


def _bordered(sheet: Image, share: float, ground: int) -> Image:
    width = round(min(sheet.shape[:2]) * share)
    colour = (ground, ground, ground)
    grown = cv2.copyMakeBorder(sheet, 0, width, 0, width, cv2.BORDER_CONSTANT, value=colour)
    return np.asarray(grown, np.uint8)

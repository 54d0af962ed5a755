"""What a generator's work says of itself."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

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


def label_of_run(
    record: RunRecord,
    title: str,
    ingredients: Sequence[Ingredient] = (),
    *,
    consent: str | None = None,
) -> ForgeryLabel:
    """The label of what a trained generator made.

    Args:
        record: Of the run.
        title: What people are shown, after the method's title.
        ingredients: The original (``parentOf``) and what else went in.
        consent: The statement; None: the one that was given when it was trained.
    """
    spec = GENERATORS.get(record.method).spec
    whole = spec.family == "synthesis" and not ingredients
    return ForgeryLabel(
        title=f"{spec.title}: {title}",
        method=spec.id,
        digital_source_type=iptc.TRAINED if whole else iptc.COMPOSITE_WITH_TRAINED,
        ingredients=tuple(ingredients),
        seed=record.seed,
        consent=(consent or record.consent) or None,
        family=spec.family,
        facts={"trained_on": ", ".join(record.sources)},
    )


def write_labelled_sheet(path: str | os.PathLike[str], sheet: Image, label: ForgeryLabel) -> None:
    """Write a sheet of faces with all labels, on as narrow a border as the watermark needs.

    Args:
        path: Ends in ``.jpg``, ``.jpeg`` or ``.png``.
        sheet: (H, W, 3) uint8 RGB without marks.
        label: What is declared.

    Raises:
        ConsentMissing, UsageError, InputError, LabelFailed, OutputRefused, MissingExtra: As for
            :func:`unmask.provenance.write_labelled_picture`.
    """
    for share in _BORDERS:
        try:
            write_labelled_picture(path, _bordered(sheet, share), label)
        except LabelFailed as error:
            if type(error) is not LabelFailed or share == _BORDERS[-1]:
                raise
        else:
            return


def _bordered(sheet: Image, share: float) -> Image:
    width = round(min(sheet.shape[:2]) * share)
    ground = sheet[-1, -1].tolist()
    grown = cv2.copyMakeBorder(sheet, 0, width, 0, width, cv2.BORDER_CONSTANT, value=ground)
    return np.asarray(grown, np.uint8)

"""What a generator's work says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from unmask.generators.base import GENERATORS
from unmask.provenance import ForgeryLabel, Ingredient, iptc

if TYPE_CHECKING:
    from unmask.forge.run_record import RunRecord


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
        facts={"trained_on": ", ".join(record.sources), "family": spec.family},
    )

"""What a conversion is asked to paint with, checked and labelled before anything is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmask.errors import UsageError
from unmask.forge.conversion_settings import check_names
from unmask.forge.labels import ADDED, ORIGINAL, label_of_conversion, trained_on
from unmask.forge.run_record import RunRecord, read_record
from unmask.forgeries.landmark_swap import LandmarkSwap
from unmask.generators.base import GENERATORS
from unmask.generators.uses import FaceAnimator, FaceRestorer, FaceSwapper, LipSyncer
from unmask.provenance import ForgeryLabel, Ingredient, iptc
from unmask.provenance.labelled import FILMS, PICTURES, check_label

if TYPE_CHECKING:
    from unmask.generators.base import Generator, GeneratorSpec

LANDMARK_SWAP = LandmarkSwap.spec.id


@dataclass(frozen=True, slots=True)
class PaintRequest:
    """What is to be painted with.

    Attributes:
        run: Folder of a trained run; None: the landmark swap, which needs ``identity``.
        to_other: From the first person to the second (True) or back.
        identity: Picture of the person whose face is wanted.
        audio: Film or sound file with the speech wanted.
        restore: Folder of a restorer's run, applied to what was painted.
    """

    run: Path | None
    to_other: bool = True
    identity: Path | None = None
    audio: Path | None = None
    restore: Path | None = None

    @property
    def components(self) -> list[Path]:
        """Files that go into the result beside what is forged."""
        return [file for file in (self.identity, self.audio) if file is not None]


@dataclass(frozen=True, slots=True, eq=False)
class PaintPlan:
    """A request that fits its generator, with what the label must say of it.

    Attributes:
        request: As it came.
        record: Of the run that paints; None for the landmark swap.
        restorer: Of the run that restores what was painted; None: nothing does.
    """

    request: PaintRequest
    record: RunRecord | None
    restorer: RunRecord | None

    def label(
        self, path: Path, consent: str | None, facts: dict[str, Any] | None = None
    ) -> ForgeryLabel:
        """What the film or picture made of ``path`` will declare."""
        components = [Ingredient(one, "componentOf", ADDED) for one in self.request.components]
        ingredients = (Ingredient(path, "parentOf", ORIGINAL), *components)
        said = dict(facts or {})
        if self.restorer is not None:
            said |= {
                "restored_by": self.restorer.method,
                "restorer_trained_on": trained_on(self.restorer),
            }
        if self.record is not None:
            return label_of_conversion(self.record, ingredients, consent=consent, facts=said)
        # A trained restorer paints pixels of its own: no longer a composite of captures alone.
        kind = iptc.COMPOSITE_CAPTURE if self.restorer is None else iptc.COMPOSITE_WITH_TRAINED
        return ForgeryLabel(
            title=LandmarkSwap.spec.title,
            method=LANDMARK_SWAP,
            digital_source_type=kind,
            ingredients=ingredients,
            consent=consent,
            facts=said,
            family=LandmarkSwap.spec.family,
        )


def checked_plan(
    path: Path,
    out: Path,
    request: PaintRequest,
    consent: str | None,
    *,
    facts: dict[str, Any] | None = None,
    suffixes: tuple[str, ...] = PICTURES + FILMS,
) -> tuple[PaintPlan, ForgeryLabel]:
    """Refuse at once what cannot be painted or labelled; no weights are read and no model.

    Args:
        path: What is to be forged.
        out: What is to be written.
        request: What paints.
        consent: The statement for this film or picture.
        facts: More to be declared.
        suffixes: What the name of ``out`` may end in.

    Raises:
        ConsentMissing: No statement of consent came where one is needed.
        UsageError: Options do not fit each other or the generator, or ``out`` is an input.
        InputError: A file or a run's record cannot be read.
        OutputRefused, LabelFailed, MissingExtra: ``out`` could not be written with its labels.
    """
    check_names(out, path, *request.components)
    plan = plan_of(request)
    label = plan.label(path, consent, facts)
    check_label(out, label, suffixes)
    return plan, label


def plan_of(request: PaintRequest) -> PaintPlan:
    """Hold a request against what its runs can do.

    Raises:
        UsageError: Options do not fit the generator.
        InputError: A run's record cannot be read.
    """
    record = None if request.run is None else read_record(request.run)
    restorer = None if request.restore is None else read_record(request.restore)
    if restorer is not None and not issubclass(GENERATORS.get(restorer.method), FaceRestorer):
        raise UsageError(
            f"{_spec(restorer).title} restores nothing.",
            hint="Give --restore a run of a restoration model.",
        )
    if record is None:
        _check_options(request, LandmarkSwap.spec.title, wants=("identity",))
    else:
        cls = GENERATORS.get(record.method)
        _check_options(request, cls.spec.title, wants=_wanted(cls))
    return PaintPlan(request, record, restorer)


def animator_record(run: Path) -> RunRecord:
    """The record of a run that animates pictures.

    Raises:
        UsageError: The run is of another use.
        InputError: Its record cannot be read.
    """
    record = read_record(run)
    if not issubclass(GENERATORS.get(record.method), FaceAnimator):
        raise UsageError(
            f"{_spec(record).title} does not animate pictures, so --driving has no use.",
            hint="Give a run of a motion model, or leave --driving out.",
        )
    return record


def _spec(record: RunRecord) -> GeneratorSpec:
    return GENERATORS.get(record.method).spec


def _wanted(cls: type[Generator]) -> Sequence[str]:
    """Which options a generator has a use for.

    Raises:
        UsageError: It converts nothing.
    """
    if issubclass(cls, FaceSwapper):
        return ("direction",) if cls.spec.material == "two_people" else ("identity",)
    if issubclass(cls, LipSyncer):
        return ("audio",)
    if issubclass(cls, FaceRestorer):
        return ()
    if issubclass(cls, FaceAnimator):
        raise UsageError(
            f"{cls.spec.title} animates a picture by a film, and none came.",
            hint="Give the picture as INPUT and the film with --driving FILE.",
        )
    raise UsageError(
        f"{cls.spec.title} makes faces of its own; it converts no film.",
        hint="Give a run of a swap, motion, lip-sync or restoration model.",
    )


def _check_options(request: PaintRequest, title: str, wants: Sequence[str]) -> None:
    """Refuse options that are missing, and those that would be dropped in silence.

    Sound that is not asked for would change what a person is heard to say, whatever paints.
    """
    if "identity" in wants and request.identity is None:
        instead = ", or name a trained RUN" if request.run is None else ""
        raise UsageError(
            f"{title} takes the wanted face from a picture, and none came.",
            hint=f"Give it with --identity FILE{instead}.",
        )
    if "audio" in wants and request.audio is None:
        raise UsageError(
            f"{title} moves the mouth to speech, and none came.",
            hint="Give a sound file or film with --audio FILE.",
        )
    unused = [
        option
        for name, option, given in (
            ("identity", "--identity", request.identity is not None),
            ("audio", "--audio", request.audio is not None),
            ("direction", "--to a", not request.to_other),
        )
        if given and name not in wants
    ]
    if unused:
        raise UsageError(
            f"{title} has no use for {' and '.join(unused)}.",
            hint=f"Leave {'it' if len(unused) == 1 else 'them'} out, or give a run that has: "
            "--audio is for lip-sync, --identity for swaps by one picture, --to for two people.",
        )

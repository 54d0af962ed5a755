"""What a generator's run is: written beside its weights, read when it is resumed or used."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmask import __version__
from unmask.errors import CorruptMedia, InputError, NotFound
from unmask.media.encode import replacing
from unmask.provenance import ForgeryLabel
from unmask.provenance.declaration import check_consent

if TYPE_CHECKING:
    from unmask.generators.base import GeneratorConfig, GeneratorSpec
    from unmask.generators.material import Material

RECORD, WEIGHTS = "run.json", "weights.pt"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """Facts of one run.

    Attributes:
        method: Id of the generator.
        config: Its configuration, as plain values.
        seed: Of weights and batches.
        margin: Side of the crops over the longer side of the face hull.
        sources: Names of the files and folders trained on; no paths.
        faces: Crops to train on and held out, of each person where there are two.
        consent: The statement that was given, or empty where none is needed.
        facts: What the generator needs beside its weights.
        version: Of Unmask.
    """

    method: str
    config: dict[str, Any]
    seed: int
    margin: float
    sources: tuple[str, ...]
    faces: tuple[int, ...]
    consent: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    version: str = __version__

    def with_facts(self, facts: dict[str, Any]) -> RunRecord:
        """The same, with the generator's facts."""
        return replace(self, facts=facts)

    def digest(self) -> str:
        """SHA-256 of what decides the result: method, configuration, seed and material."""
        decisive = (self.method, self.config, self.seed, self.margin, self.sources, self.faces)
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


def record_of(
    spec: GeneratorSpec,
    config: GeneratorConfig,
    material: Material,
    *,
    seed: int = 0,
    consent: str | None = None,
) -> RunRecord:
    """Describe a run that is to begin.

    Raises:
        ConsentMissing: The method shows people doing what they did not, and no statement of
            consent came.
    """
    tracks = (material.tracks, material.held_out, material.other, material.other_held_out)
    return RunRecord(
        method=spec.id,
        config={k: list(v) if isinstance(v, tuple) else v for k, v in config.to_mapping().items()},
        seed=seed,
        margin=material.margin,
        sources=tuple(path.name for path in material.sources),
        faces=tuple(sum(map(len, part)) for part in tracks),
        consent=checked_consent(spec, consent),
    )


def checked_consent(spec: GeneratorSpec, consent: str | None) -> str:
    """The statement of consent, where one is needed; empty where none is and none came.

    The rule is that of the labels (:func:`unmask.provenance.declaration.check_consent`), so that
    no run is trained under a statement that its previews could not carry.

    Raises:
        ConsentMissing: It is needed and missing, or too short or too long for a label.
    """
    said = (consent or "").strip()
    label = ForgeryLabel(spec.title, spec.id, "", consent=said or None, family=spec.family)
    check_consent(label)
    return said


def write_record(folder: Path, record: RunRecord) -> None:
    """Lay the record beside what it describes."""
    text = json.dumps(asdict(record), indent=1, ensure_ascii=False) + "\n"
    with replacing(folder / RECORD) as beside:
        beside.write_text(text, encoding="utf-8")


def first_consent(folder: Path) -> str:
    """The statement that a run was begun under: it is kept when the run is gone on with."""
    try:
        return read_record(folder).consent
    except InputError:  # absent or damaged: written anew
        return ""


def read_record(folder: Path) -> RunRecord:
    """The record of a run.

    Raises:
        NotFound: The folder holds no run.
        CorruptMedia: Its record cannot be read.
    """
    path = folder / RECORD
    if not path.is_file():
        raise NotFound(
            f"There is no run of a generator in {folder}.",
            hint="Give the folder that 'unmask forge train' wrote.",
        )
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        known = {key: table[key] for key in RunRecord.__dataclass_fields__}
        return RunRecord(**known | {key: tuple(known[key]) for key in ("sources", "faces")})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptMedia(
            f"The record {path} is damaged ({type(error).__name__}: {error}).",
            hint="Train again with --fresh.",
        ) from error

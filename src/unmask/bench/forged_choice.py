"""Chosen real faces and their forgeries by several methods, as shards that are made once."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from unmask import forgeries
from unmask.bench.comparison.study_runs import fingerprint, slug
from unmask.bench.face_choice import ChosenFaces, FaceChoice
from unmask.bench.told import FewTimes
from unmask.datasets.shards import ShardStore
from unmask.forge.forged_data_set import ForgingPlan, Progress, forge_data_set

if TYPE_CHECKING:
    from unmask.bench.workplace import Workplace
    from unmask.forge.face_forgers import FaceForger

_TOLD_TIMES = 5


def forged_choice(
    choice: FaceChoice,
    forgers: Sequence[FaceForger],
    place: Workplace,
    *,
    split: str,
    seed: int,
    per_face: int = 1,
) -> ShardStore:
    """Forge the chosen faces, or read what was forged before.

    Args:
        choice: The faces.
        forgers: The methods.
        place: Where stores lie and shards go.
        split: What the shards call all of them: official splits of the faces mean nothing here,
            since all of a choice serves one purpose.
        seed: Of the forgeries.
        per_face: Forgeries of each face by each method.

    Raises:
        UsageError: No face is left, or a method needs a second person and there is none.
        InputError: A store is absent or damaged.
        OutputRefused: The shards cannot be written.
    """
    faces = place.stores.get(choice.path)
    chosen = ChosenFaces(faces, choice.rows(faces.columns), split)
    methods = [one.id for one in forgers]  # those of runs hold a digest of their weights
    key = fingerprint(choice, methods, per_face, seed, split, code_of_forgeries())
    folder = place.out / "forged" / f"{slug(choice.name)}-{key}"
    told = FewTimes(place.say, _TOLD_TIMES)

    def on_progress(now: Progress) -> None:
        told.tell(f"{choice.name}: originals forged:", now.sources, now.total)

    made = forge_data_set(
        chosen, forgers, folder, ForgingPlan(per_face, seed), on_progress=on_progress
    )
    if made.losses:
        place.say(f"{choice.name}: {len(made.losses)} faces could not be forged")
    return ShardStore(folder)


@functools.cache
def code_of_forgeries() -> str:
    """Digest of the code and weights of the forgeries: with other ones, faces are forged anew."""
    room = Path(str(forgeries.__file__)).parent
    digest = hashlib.sha256()
    for path in sorted(path for path in room.rglob("*") if path.suffix in {".py", ".onnx"}):
        digest.update(path.relative_to(room).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()

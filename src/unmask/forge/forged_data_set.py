"""Data sets out of the forge: pairs, masks, methods and splits in the laboratory's shard format.

Every face is stored as it came, once, and forged by every method; forgeries share its source, so
that splits, pairs and bootstraps keep them together. The label stands in the manifest and nowhere
in the pixels: a detector that met marks in training would look for marks. Each shard and the
manifest say that they hold synthetic faces, and how they were made.

What is forged depends on the seed, the face and the method alone, not on how far an earlier call
came: the same call gives the same bytes, whether it was interrupted or not.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unmask import __version__
from unmask.datasets.faces_of import Loss
from unmask.datasets.prepare_scope import hold_scope, write_left_out
from unmask.datasets.preprocessing import Preprocessing
from unmask.datasets.shards import LEFT_OUT, MANIFEST, SCOPE, SHARDS
from unmask.datasets.shards_write import FORMAT, Sample, join_tables, read_meta, write_shard
from unmask.errors import CorruptMedia, UsageError
from unmask.forge.face_forgers import CLIP_FRAMES
from unmask.forge.forged_samples import SampleMaker
from unmask.media.encode import replacing
from unmask.provenance import ForgeryLabel
from unmask.provenance.declaration import check_consent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.datasets.store import FaceStore
    from unmask.forge.face_forgers import FaceForger

DATA_SET = "forged"
CARD = "README.md"
FACES_PER_SHARD = 512
SPLITS: Mapping[str, float] = {"train": 0.8, "val": 0.1, "test": 0.1}


@dataclass(frozen=True, slots=True)
class ForgingPlan:
    """What is to be made of which faces.

    Attributes:
        per_face: Forgeries of each face by each method.
        seed: Seed of everything.
        splits: Share of the sources of each split, for faces that have no official one.
        limit: At most so many sources; 0: all.
        consent: A statement of consent that is kept beside those of the runs.
        faces_per_shard: About so many; a kill loses at most one shard.
    """

    per_face: int = 1
    seed: int = 0
    splits: Mapping[str, float] = field(default_factory=lambda: dict(SPLITS))
    limit: int = 0
    consent: str = ""
    faces_per_shard: int = FACES_PER_SHARD

    def __post_init__(self) -> None:
        shares = list(self.splits.values())
        if not shares or min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
            raise UsageError(
                f"The shares of the splits are {_words(self.splits)}; they must add up to 1.",
                hint="For example: --splits train=0.8,val=0.1,test=0.1",
            )
        # The same rule as for films and pictures, so that what is kept here could be said there.
        check_consent(
            ForgeryLabel(
                "Forged faces", DATA_SET, "", consent=self.consent or None, family="synthesis"
            )
        )
        if self.per_face < 1 or self.limit < 0 or self.faces_per_shard < 1:
            raise UsageError(
                f"per_face is {self.per_face}, limit {self.limit}, faces_per_shard "
                f"{self.faces_per_shard}; expected 1 or more (limit 0 or more).",
                hint="Correct the call.",
            )


@dataclass(frozen=True)
class ForgedPreprocessing(Preprocessing):
    """Preprocessing of forged faces: what else the stored pixels depend on."""

    forging: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a data set is: sources done, all of them, and faces stored."""

    sources: int
    total: int
    faces: int


@dataclass(frozen=True, slots=True)
class Forged:
    """What a call left in the folder.

    Attributes:
        sources: Originals that faces and forgeries come from.
        faces: Faces stored, real and forged.
        by_method: Of these, by method.
        losses: Faces that a method could not forge, and films and pictures that gave no face or
            not all.
        shards_made: Shards that this call wrote; the others were there.
    """

    sources: int
    faces: int
    by_method: Mapping[str, int]
    losses: Sequence[Loss]
    shards_made: int


@dataclass(frozen=True, slots=True)
class _Shard:
    tar: Path
    digest: str
    sources: tuple[str, ...]


OnProgress = Callable[[Progress], None]


def forge_data_set(
    faces: FaceStore,
    forgers: Sequence[FaceForger],
    folder: Path,
    plan: ForgingPlan | None = None,
    *,
    on_progress: OnProgress | None = None,
) -> Forged:
    """Make, or go on with, a data set of forged faces beside their originals.

    Args:
        faces: Where the faces lie; its forgeries are left aside.
        forgers: The methods.
        folder: Where the shards go.
        plan: How many, from which seed, into which splits.
        on_progress: Called after every shard, first with all that were there already.

    Raises:
        UsageError: The folder holds another data set, there are no real faces, or a method needs
            a second person and there is none.
        CorruptMedia: A face is damaged.
        OutputRefused: The folder cannot be written.
    """
    plan = plan or ForgingPlan()
    report = on_progress or (lambda _: None)
    rows, splits = _targets(faces, plan)
    how = _preprocessing(faces, rows, splits, forgers, plan)
    options = {
        "methods": " ".join(one.id for one in forgers), "seed": str(plan.seed),
        "per_face": str(plan.per_face), "synthetic": "true",
    } | {name: str(number) for name, number in _clip_frames(forgers).items()}  # fmt: skip
    facts = _facts(forgers, plan)
    options |= _agreed(folder, facts["consent"])
    scope = hold_scope(folder, DATA_SET, options, sorted(set(splits.values())), how)
    maker = SampleMaker(faces, rows, splits, forgers, plan.per_face, plan.seed)
    shards = _shards(maker.sources, maker.weights, how, folder, plan.faces_per_shard)
    done = {one.tar: meta for one in shards if (meta := _found(one)) is not None}
    told = sum(len(one.sources) for one in shards if one.tar in done)
    total = len(maker.sources)
    report(Progress(told, total, sum(meta["faces"] for meta in done.values())))
    todo = [one for one in shards if one.tar not in done]
    for shard in todo:
        losses: list[Loss] = []
        write_shard(shard.tar, _samples(maker, shard, losses), facts | {"format": FORMAT,
                    "digest": shard.digest}, losses)  # fmt: skip
        done[shard.tar] = read_meta(shard.tar.with_suffix(".parquet"))
        told += len(shard.sources)
        report(Progress(told, total, sum(meta["faces"] for meta in done.values())))
    unread = list(getattr(faces, "losses", ()))
    return _finish(folder, scope | facts, shards, done, len(todo), unread)


def _targets(faces: FaceStore, plan: ForgingPlan) -> tuple[NDArray[np.int64], dict[str, str]]:
    """Rows of the real faces, and the split of each source."""
    columns = faces.columns
    rows = np.flatnonzero(columns.y_true == 0)
    if not len(rows):
        raise UsageError(
            f"There is no real face among {len(columns)}.", hint="Give real faces with --from."
        )
    splits: dict[str, str] = {}
    for row in rows.tolist():
        source, official = str(columns.source_id[row]), str(columns.split[row])
        if splits.get(source, official) != official:
            raise UsageError(
                f"The source {source!r} lies in the splits {splits[source]!r} and {official!r}.",
                hint="Sources that are in two splits would leak; mend the manifest they come from.",
            )
        splits[source] = official
    ordered = sorted(splits, key=_hashed)[: plan.limit or None]
    chosen = {source: splits[source] or _drawn_split(source, plan.splits) for source in ordered}
    kept = np.isin(columns.source_id[rows], list(chosen))
    return rows[kept], chosen


def _hashed(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()


def _drawn_split(source: str, shares: Mapping[str, float]) -> str:
    """By a hash of the name, so that a source keeps its split when others are added."""
    place = int(hashlib.sha256(f"split:{source}".encode()).hexdigest()[:8], 16) / 2**32
    for name, share in shares.items():
        place -= share
        if place < 0:
            return name
    return list(shares)[-1]


def _preprocessing(
    faces: FaceStore,
    rows: NDArray[np.int64],
    splits: Mapping[str, str],
    forgers: Sequence[FaceForger],
    plan: ForgingPlan,
) -> ForgedPreprocessing:
    known = getattr(getattr(faces, "facts", None), "preprocessing", {})
    plain = {name: known[name] for name in ("frames", "burst", "margin", "max_side_px", "people")
             if name in known}  # fmt: skip
    digest = hashlib.sha256(json.dumps(sorted(splits.items())).encode())
    digest.update("\n".join(faces.columns.sample_id[rows].tolist()).encode())
    return ForgedPreprocessing(
        **plain,
        forging={
            "methods": " ".join(one.id for one in forgers), "per_face": plan.per_face,
            "seed": plan.seed, "faces": digest.hexdigest(), **_clip_frames(forgers),
        },
    )  # fmt: skip


def _clip_frames(forgers: Sequence[FaceForger]) -> dict[str, int]:
    """Frames of clips, where a call named another number: sets from before it could stay whole."""
    return {f"frames of {one.id}": one.frames for one in forgers
            if one.frames not in {1, CLIP_FRAMES}}  # fmt: skip


def _facts(forgers: Sequence[FaceForger], plan: ForgingPlan) -> dict[str, Any]:
    """What every shard and the manifest say of themselves."""
    consents = {one.id: str(one.facts["consent"]) for one in forgers if one.facts.get("consent")}
    return {
        "synthetic": True,
        "about": "Holds forged faces for training and testing detectors; labels are in the "
                 "manifest, not in the pixels. Not for publication as pictures.",
        "methods": [dict(one.facts) for one in forgers],
        "seed": plan.seed,
        "consent": consents | ({"data set": plan.consent} if plan.consent else {}),
        "tool": {"name": "unmask", "version": __version__},
    }  # fmt: skip


def _agreed(folder: Path, consents: Mapping[str, str]) -> dict[str, str]:
    """The statements that the set is made under, as one of its options.

    So a folder keeps those that it was begun with, and other ones are refused. Folders that were
    begun before statements were options go on without.
    """
    begun = folder / SCOPE
    if begun.is_file():
        with suppress(ValueError, KeyError, TypeError):  # said where the scope is held against
            if "consent" not in json.loads(begun.read_text(encoding="utf-8"))["options"]:
                return {}
    said = "; ".join(f"{name}: {text}" for name, text in sorted(consents.items()))
    return {"consent": said} if said else {}


def _shards(
    sources: Sequence[str],
    weights: Mapping[str, int],
    how: Preprocessing,
    folder: Path,
    size: int,
) -> list[_Shard]:
    """Sources cut into shards of about ``size`` faces, in the order of a hash of their names."""
    made: list[_Shard] = []
    some: list[str] = []
    weight = 0
    for number, source in enumerate(sources, 1):
        some.append(source)
        weight += weights[source]
        if weight >= size or number == len(sources):
            text = json.dumps([FORMAT, DATA_SET, how.hash(), some])
            digest = hashlib.sha256(text.encode()).hexdigest()
            tar = folder / SHARDS / f"{len(made):06d}-{digest[:12]}.tar"
            made.append(_Shard(tar, digest, tuple(some)))
            some, weight = [], 0
    return made


def _found(shard: _Shard) -> dict[str, Any] | None:
    """The metadata of a shard that an earlier call made and that is still whole."""
    try:
        meta = read_meta(shard.tar.with_suffix(".parquet"))
        size = shard.tar.stat().st_size if meta["faces"] else 0
        if meta["format"] == FORMAT and meta["digest"] == shard.digest and size == meta["bytes"]:
            return meta
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def _samples(maker: SampleMaker, shard: _Shard, losses: list[Loss]) -> Iterator[Sample]:
    for source in shard.sources:
        yield from maker.samples(source, losses)


def _finish(
    folder: Path,
    meta: dict[str, Any],
    shards: Sequence[_Shard],
    done: Mapping[Path, dict[str, Any]],
    made: int,
    unread: Sequence[Loss],
) -> Forged:
    """Write the manifest of all shards, last of all, and remove what it does not name."""
    in_order = [done[one.tar] for one in shards]
    losses = [*unread, *(Loss(**loss) for one in in_order for loss in one["losses"])]
    faces = sum(one["faces"] for one in in_order)
    if not faces:
        raise CorruptMedia(
            "Nothing was stored.", hint=losses[0].reason if losses else "See what was left out."
        )
    listed = [{"name": one.tar.name, "bytes": done[one.tar]["bytes"],
               "faces": done[one.tar]["faces"]} for one in shards]  # fmt: skip
    whole = dict(Counter(loss.code for loss in losses if loss.whole))
    sources = sum(len(one.sources) for one in shards)
    meta = meta | {"format": FORMAT, "items": sources, "left_out": whole, "shards": listed}
    write_left_out(folder / LEFT_OUT, losses)
    with replacing(folder / CARD) as beside:
        beside.write_text(_card(meta, faces), encoding="utf-8")
    join_tables([one.tar.with_suffix(".parquet") for one in shards], folder / MANIFEST, meta)
    wanted = {one.tar.stem for one in shards}
    for path in (folder / SHARDS).iterdir():
        if path.stem not in wanted:
            path.unlink(missing_ok=True)
    return Forged(sources, faces, _by_method(folder), losses, made)


def _by_method(folder: Path) -> dict[str, int]:
    from unmask.datasets.shards import ShardStore

    return dict(sorted(Counter(ShardStore(folder).columns.method.tolist()).items()))


def _card(meta: Mapping[str, Any], faces: int) -> str:
    lines = ["# Synthetic faces", "", str(meta["about"]), "",
             f"{faces} faces of {meta['items']} sources; seed {meta['seed']}; "
             f"Unmask {meta['tool']['version']}.", "", "| method | family | what it is |",
             "|---|---|---|"]  # fmt: skip
    lines += [f"| {one['id']} | {one['family']} | {one['title']} ({one['paper']}) |"
              for one in meta["methods"]]  # fmt: skip
    consent = [f"- {name}: {text}" for name, text in meta["consent"].items()]
    return "\n".join([*lines, *(["", "Consent:", "", *consent] if consent else []), ""])


def _words(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{name}={share:g}" for name, share in shares.items()) or "none"

"""What is to be trained, as a TOML file or the command line says it, and its material."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmask.errors import UsageError
from unmask.generators.base import GENERATORS
from unmask.generators.material import (
    SHORTEST_TO_SPLIT,
    FaceTrack,
    Material,
    hold_out_tail,
    hold_out_tracks,
)
from unmask.toml_records import read_toml, record_of

if TYPE_CHECKING:
    from unmask.forge.material_of import OnLeftOut, OnSource
    from unmask.generators.base import Generator, GeneratorConfig


@dataclass(frozen=True, slots=True)
class MaterialRecipe:
    """Which faces are trained on.

    Attributes:
        faces: Films, folders of pictures, or folders that ``forge extract`` wrote.
        other: The same for the second person, where the method wants two.
        margin: Side of the crops over the longer side of the face hull.
        held_out_share: Of films, pictures or (with two people) of each film's end.
        held_out_ends: Share of the frames, at the end of each film that is trained on, to hold
            out as well; with two people that is ``held_out_share``.
    """

    faces: tuple[str, ...] = ()
    other: tuple[str, ...] = ()
    margin: float = 1.5
    held_out_share: float = 0.1
    held_out_ends: float = 0.0


@dataclass(frozen=True, slots=True)
class ForgeRecipe:
    """A run of a generator.

    Attributes:
        method: Id of the generator.
        steps: Length of the run.
        seed: Of weights and batches.
        evaluate_every: Steps between evaluations on held-out faces.
        preview_every: Steps between preview sheets.
        rate_falls_over: Share of the steps, at the end, over which the learning rate falls.
        config: The generator's own configuration.
        material: What it is trained on.
    """

    method: str
    steps: int = 2000
    seed: int = 0
    evaluate_every: int = 200
    preview_every: int = 500
    rate_falls_over: float = 0.0
    config: dict[str, Any] = field(default_factory=dict)
    material: MaterialRecipe = field(default_factory=MaterialRecipe)

    def generator(self) -> type[Generator]:
        """The generator's class.

        Raises:
            UnknownEntry: There is none of this name; the hint names the nearest.
        """
        return GENERATORS.get(self.method)

    def generator_config(self) -> GeneratorConfig:
        """The generator's configuration, checked."""
        return self.generator().config_class.from_mapping(self.config)


def read_recipe(path: Path) -> ForgeRecipe:
    """Read a recipe.

    Raises:
        NotFound: There is no such file.
        UsageError: It is not TOML, or a key is unknown, missing or of the wrong kind.
        UnknownEntry: There is no such generator.
    """
    table = read_toml(path, "recipes/forge/")
    recipe: ForgeRecipe = record_of(ForgeRecipe, table, path.name)
    recipe.generator_config()
    return recipe


def gather(
    recipe: ForgeRecipe,
    root: Path,
    *,
    on_source: OnSource | None = None,
    on_left_out: OnLeftOut | None = None,
) -> Material:
    """Read a recipe's material and hold a part of it out.

    Args:
        recipe: What is to be trained.
        root: Folder that its paths are relative to.
        on_source: Called with each film, picture or folder that was read; see ``read_material``.
        on_left_out: Called with each file of a folder that gives nothing, and why.

    Raises:
        UsageError: Two people are needed and one came, or too few faces.
        InputError: A film, picture or folder cannot be read or holds no face.
    """
    cls, config, wanted = recipe.generator(), recipe.generator_config(), recipe.material
    kind = cls.spec.material

    def tracks_of(names: tuple[str, ...]) -> list[FaceTrack]:
        from unmask.forge.material_of import AUDIBLE, MOVING, read_material

        return read_material(
            [root / name for name in names],
            size_px=cls.crop_px(config),
            margin=wanted.margin,
            one_region=kind == MOVING,
            audio=kind == AUDIBLE,
            on_source=on_source,
            on_left_out=on_left_out,
        )

    sources = [Path(name) for name in (*wanted.faces, *wanted.other)]
    if kind == "two_people":
        if not wanted.faces or not wanted.other:
            raise UsageError(
                f"{cls.spec.title} swaps two people; the faces of "
                f"{'one' if wanted.faces or wanted.other else 'none'} came.",
                hint="Give the first with --faces and the second with --other.",
            )
        first, first_out = _tails(tracks_of(wanted.faces), wanted.held_out_share)
        second, second_out = _tails(tracks_of(wanted.other), wanted.held_out_share)
        return Material(first, first_out, second, second_out, wanted.margin, sources)
    kept, out = hold_out(tracks_of(wanted.faces), wanted, recipe.seed)
    return Material(kept, out, margin=wanted.margin, sources=sources)


def hold_out(
    tracks: list[FaceTrack], wanted: MaterialRecipe, seed: int
) -> tuple[list[FaceTrack], list[FaceTrack]]:
    """Split films or pictures: whole ones, and the ends of the others where that is wanted.

    Returns:
        What is trained on, and what is held out; an end keeps the name of its film.
    """
    kept, out = hold_out_tracks(tracks, wanted.held_out_share, seed)
    if wanted.held_out_ends:
        short = [track for track in kept if len(track) < SHORTEST_TO_SPLIT]
        kept, ends = _tails(kept, wanted.held_out_ends)
        kept, out = kept + short, out + ends
    return kept, out


def _tails(tracks: list[FaceTrack], share: float) -> tuple[list[FaceTrack], list[FaceTrack]]:
    """Hold out the end of each film; of single pictures, whole ones."""
    if all(len(track) == 1 for track in tracks):
        return hold_out_tracks(tracks, share)
    pairs = [hold_out_tail(track, share) for track in tracks if len(track) >= SHORTEST_TO_SPLIT]
    if not pairs:
        longest = max(tracks, key=len)
        hold_out_tail(longest, share)  # raises, and says how many frames there are
    return [kept for kept, _ in pairs], [out for _, out in pairs]

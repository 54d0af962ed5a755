"""What is to be trained, as a TOML file or the command line says it, and its material."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from unmask.errors import NotFound, UsageError
from unmask.generators.base import GENERATORS
from unmask.generators.material import FaceTrack, Material, hold_out_tail, hold_out_tracks

if TYPE_CHECKING:
    from unmask.forge.material_of import OnSource
    from unmask.generators.base import Generator, GeneratorConfig

_Row = TypeVar("_Row", "ForgeRecipe", "MaterialRecipe")
_AUDIBLE = "speaking_films"
_STEADY = ("films",)


@dataclass(frozen=True, slots=True)
class MaterialRecipe:
    """Which faces are trained on.

    Attributes:
        faces: Films, folders of pictures, or folders that ``forge extract`` wrote.
        other: The same for the second person, where the method wants two.
        margin: Side of the crops over the longer side of the face hull.
        held_out_share: Of films, pictures or (with two people) of each film's end.
        steady: Cut a film with one region, so that the head's motion stays in it; None: as the
            method's material needs it.
    """

    faces: tuple[str, ...] = ()
    other: tuple[str, ...] = ()
    margin: float = 1.5
    held_out_share: float = 0.1
    steady: bool | None = None


@dataclass(frozen=True, slots=True)
class ForgeRecipe:
    """A run of a generator.

    Attributes:
        method: Id of the generator.
        steps: Length of the run.
        seed: Of weights and batches.
        evaluate_every: Steps between evaluations on held-out faces.
        preview_every: Steps between preview sheets.
        config: The generator's own configuration.
        material: What it is trained on.
    """

    method: str
    steps: int = 2000
    seed: int = 0
    evaluate_every: int = 200
    preview_every: int = 500
    config: Mapping[str, Any] = field(default_factory=dict)
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
    """
    if not path.is_file():
        raise NotFound(f"There is no recipe {path}.", hint="Give a TOML file; see recipes/forge/.")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}.", hint="Correct the file.") from error
    if "method" not in table:
        raise UsageError(f"{path} names no method.", hint=f'Add method = "..."; {_known_methods()}')
    material = _row(MaterialRecipe, table.pop("material", {}), f"{path}, [material]")
    recipe = _row(ForgeRecipe, table | {"material": material}, str(path))
    recipe.generator_config()
    return recipe


def gather(recipe: ForgeRecipe, root: Path, *, on_source: OnSource | None = None) -> Material:
    """Read a recipe's material and hold a part of it out.

    Args:
        recipe: What is to be trained.
        root: Folder that its paths are relative to.
        on_source: Called with each film, picture or folder that was read; see ``read_material``.

    Raises:
        UsageError: Two people are needed and one came, or too few faces.
        InputError: A film, picture or folder cannot be read or holds no face.
    """
    cls, config, wanted = recipe.generator(), recipe.generator_config(), recipe.material
    kind = cls.spec.material

    def tracks_of(names: tuple[str, ...]) -> list[FaceTrack]:
        from unmask.forge.material_of import read_material

        return read_material(
            [root / name for name in names],
            size_px=cls.crop_px(config),
            margin=wanted.margin,
            one_region=kind in _STEADY if wanted.steady is None else wanted.steady,
            audio=kind == _AUDIBLE,
            on_source=on_source,
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
    kept, out = hold_out_tracks(tracks_of(wanted.faces), wanted.held_out_share, recipe.seed)
    return Material(kept, out, margin=wanted.margin, sources=sources)


def _tails(tracks: list[FaceTrack], share: float) -> tuple[list[FaceTrack], list[FaceTrack]]:
    """Hold out the end of each film; of single pictures, whole ones."""
    if all(len(track) == 1 for track in tracks):
        return hold_out_tracks(tracks, share)
    pairs = [hold_out_tail(track, share) for track in tracks if len(track) >= 10]
    if not pairs:
        longest = max(tracks, key=len)
        hold_out_tail(longest, share)  # raises, and says how many frames there are
    return [kept for kept, _ in pairs], [out for _, out in pairs]


def _row(cls: type[_Row], table: object, where: str) -> _Row:
    if not isinstance(table, Mapping):
        raise UsageError(f"{where}: a table was expected, {table!r} came.", hint="Correct it.")
    known = {row.name: row for row in fields(cls)}
    for key in table:
        if key not in known:
            near = get_close_matches(str(key), known, n=1)
            raise UsageError(
                f"{where} has no key {key!r}.",
                hint=f"Did you mean {near[0]!r}?" if near else f"There is: {', '.join(known)}.",
            )
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in table.items()}
    for key, value in values.items():
        _check_kind(where, key, value, str(known[key].type))
    return cls(**values)


def _check_kind(where: str, key: str, value: object, kind: str) -> None:
    accepted: dict[str, tuple[type, ...]] = {
        "str": (str,), "int": (int,), "float": (int, float), "bool | None": (bool,),
        "tuple[str, ...]": (tuple,),
    }  # fmt: skip
    types = accepted.get(kind)
    wrong_flag = isinstance(value, bool) and kind in {"int", "float"}
    if types is not None and (not isinstance(value, types) or wrong_flag):
        raise UsageError(f"{where}: {key} = {value!r} was to be {kind}.", hint="Correct it.")


def _known_methods() -> str:
    return f"there is {', '.join(GENERATORS.ids())}."

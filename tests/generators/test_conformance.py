"""What every registered generator must be; a new one is tested by being registered."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'forge' is not installed")

from unmask.errors import UsageError  # noqa: E402
from unmask.generators.base import FAMILIES, GENERATORS, MATERIALS, Generator  # noqa: E402
from unmask.generators.uses import (  # noqa: E402
    FaceAnimator,
    FaceInpainter,
    FaceMaker,
    FaceRestorer,
    FaceSwapper,
    LipSyncer,
)
from unmask.provenance import NEEDS_NO_CONSENT  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

    from unmask.generators.material import FaceTrack, Material

ALL = GENERATORS.ids()


def built(generator_id: str, material: Material | None, **options: Any) -> Generator:
    cls = GENERATORS.get(generator_id)
    return cls(cls.config_class.from_mapping(cls.small), material, seed=3, **options)


@pytest.fixture(scope="module", params=ALL)
def trained(
    request: pytest.FixtureRequest, material_for: Callable[[str], Material]
) -> tuple[Generator, Generator]:
    """A small generator after two steps, and what it was before."""
    material = material_for(GENERATORS.get(request.param).spec.material)
    generator = built(request.param, material)
    before = copy.deepcopy(generator.networks)
    two_steps(generator)
    generator.before = before  # type: ignore[attr-defined]
    return generator, built(request.param, material)


def two_steps(generator: Generator) -> list[dict[str, float]]:
    losses = []
    for step in (1, 2):
        torch.manual_seed(step)
        batch = generator.draw_batch(np.random.default_rng(step))
        losses.append(generator.training_step(batch, step))
    return losses


def test_the_spec_is_whole(trained: tuple[Generator, Generator]) -> None:
    spec = trained[0].spec
    assert spec.family in FAMILIES
    assert spec.material in MATERIALS
    assert spec.title
    assert spec.paper
    assert spec.needs_consent == (spec.family not in NEEDS_NO_CONSENT)
    assert set(trained[0].averaged) <= set(trained[0].networks)


def test_steps_change_the_weights_and_stay_finite(trained: tuple[Generator, Generator]) -> None:
    generator = trained[0]
    for name in generator.averaged:
        old = generator.before[name].state_dict()  # type: ignore[attr-defined]
        new = generator.networks[name].state_dict()
        assert any(not torch.equal(old[key], new[key]) for key in new), name
        assert all(torch.isfinite(v).all() for v in new.values() if v.is_floating_point()), name


def test_the_seed_decides(trained: tuple[Generator, Generator]) -> None:
    generator, again = trained
    losses = two_steps(again)
    assert all(math.isfinite(value) for row in losses for value in row.values())
    for key, value in generator.networks.state_dict().items():
        assert torch.equal(value, again.networks.state_dict()[key]), key


def test_weights_and_facts_are_enough_to_use_it(trained: tuple[Generator, Generator]) -> None:
    generator = trained[0]
    bare = built(generator.spec.id, None, facts=generator.facts())
    bare.networks.load_state_dict(generator.networks.state_dict())
    assert not bare.optimisers


def test_held_out_figures_hold_what_selects(trained: tuple[Generator, Generator]) -> None:
    generator = trained[0]
    generator.networks.eval()
    with torch.no_grad():
        first, second = generator.held_out_figures(), generator.held_out_figures()
    assert generator.spec.selected_by in first
    assert first == second
    assert all(type(value) is float for value in first.values())


def test_the_preview_is_a_picture(trained: tuple[Generator, Generator]) -> None:
    trained[0].networks.eval()
    with torch.no_grad():
        sheet = trained[0].preview()
    assert sheet.dtype == np.uint8
    assert sheet.ndim == 3
    assert sheet.shape[2] == 3
    assert min(sheet.shape[:2]) >= trained[0].config.size_px


def test_it_does_what_it_is_for(
    trained: tuple[Generator, Generator], tracks: list[FaceTrack]
) -> None:
    generator = trained[0]
    generator.networks.eval()
    some = tracks[0].part(0, 6)
    with torch.no_grad():
        first, second = use(generator, some, tracks[1]), use(generator, some, tracks[1])
    assert first, "a generator is for something"
    for one, other in zip(first, second, strict=True):
        assert one.dtype == np.uint8
        assert one.ndim == 4
        assert one.shape[1] == one.shape[2]
        assert np.array_equal(one, other)


def use(generator: Generator, track: FaceTrack, other: FaceTrack) -> list[np.ndarray]:
    """Everything that the generator can do with a track; checks counts and masks."""
    made = []
    if isinstance(generator, FaceSwapper):
        for to_other in (True, False):
            painted = generator.swap(track, to_other=to_other, identity=other)
            check_masks(painted.masks, painted.images)
            made.append(painted.images)
    if isinstance(generator, LipSyncer):
        assert track.audio is not None
        painted = generator.dub(track, track.audio)
        check_masks(painted.masks, painted.images)
        made.append(painted.images)
    if isinstance(generator, FaceAnimator):
        made += [generator.animate(other.part(0, 1), track, relative=r) for r in (True, False)]
    if isinstance(generator, FaceRestorer):
        made.append(generator.restore(track))
        assert made[-1].shape[1] == generator.scale * track.images.shape[1]
    assert all(len(images) == len(track) for images in made)
    if isinstance(generator, FaceMaker):
        made.append(generator.sample(3, seed=5, truncation=0.7))
        assert not np.array_equal(made[-1], generator.sample(3, seed=6, truncation=0.7))
    if isinstance(generator, FaceInpainter):
        masks = np.zeros((len(track), 96, 96), np.float32)
        masks[:, 30:60, 30:60] = 1
        made.append(generator.inpaint(track.images, masks, seed=1))
    if not made:  # an expert that judges, and paints nothing
        assert generator.spec.id == "sync_net"
        made.append(track.images)
    return made


def check_masks(masks: np.ndarray | None, images: np.ndarray) -> None:
    if masks is None:
        return
    assert masks.shape == images.shape[:3]
    assert masks.dtype == np.float32
    assert 0 <= masks.min() <= masks.max() <= 1


@pytest.mark.parametrize("generator_id", ALL)
def test_the_configuration_goes_there_and_back(generator_id: str) -> None:
    cls = GENERATORS.get(generator_id)
    config = cls.config_class.from_mapping(cls.small)
    assert cls.config_class.from_mapping(config.to_mapping()) == config
    with pytest.raises(UsageError, match="unknown key 'batches'"):
        cls.config_class.from_mapping({"batches": 3})
    with pytest.raises(UsageError, match="learning_rate"):
        cls.config_class.from_mapping({"learning_rate": "fast"})

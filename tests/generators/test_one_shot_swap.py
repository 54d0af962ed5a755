"""The swap from one picture: identities are told apart, needed, and may be several pictures."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'forge' is not installed")

from unmask.errors import UsageError  # noqa: E402
from unmask.generators._one_shot_networks import (  # noqa: E402
    AdaptiveNorm,
    ContentEncoder,
    IdentityEncoder,
)
from unmask.generators.material import FaceTrack, Material  # noqa: E402
from unmask.generators.one_shot_swap import OneShotSwap, OneShotSwapConfig  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def swap(material_for: Callable[[str], Material]) -> OneShotSwap:
    return OneShotSwap(OneShotSwapConfig(**OneShotSwap.small), material_for("people"), seed=1)


def advance(swap: OneShotSwap, steps: range) -> list[dict[str, float]]:
    made = []
    for step in steps:
        torch.manual_seed(step)
        made.append(swap.training_step(swap.draw_batch(np.random.default_rng(step)), step))
    return made


def test_an_identity_must_be_given(swap: OneShotSwap, tracks: list[FaceTrack]) -> None:
    with pytest.raises(UsageError, match="needs a picture") as refused:
        swap.swap(tracks[0])
    assert "--identity" in str(refused.value.hint)


def test_whose_face_is_wanted_decides_the_paint(swap: OneShotSwap, tracks: list[FaceTrack]) -> None:
    shown = tracks[0].part(0, 2)
    as_first, as_second = (swap.swap(shown, identity=one.part(0, 1)).images for one in tracks)
    assert not np.array_equal(as_first, as_second)


def test_several_pictures_of_a_person_are_averaged(
    swap: OneShotSwap, tracks: list[FaceTrack]
) -> None:
    shown, person = tracks[0].part(0, 1), tracks[1]
    many = swap.swap(shown, identity=person.part(0, 4)).images.astype(int)
    ones = [swap.swap(shown, identity=person.part(n, n + 1)).images.astype(int) for n in range(4)]
    spread = max(np.abs(one - ones[0]).mean() for one in ones)
    assert max(np.abs(many - one).mean() for one in ones) <= spread + 0.5


def test_swaps_are_made_only_after_the_warm_up(swap: OneShotSwap) -> None:
    assert "identity" not in advance(swap, range(1, 2))[0]
    later = advance(swap, range(2, 3))[0]
    assert {"identity", "cycle", "fooled", "judge"} <= set(later)
    assert all(p.requires_grad for p in swap.networks["identity"].parameters())


def test_batches_pair_pictures_of_one_person(swap: OneShotSwap) -> None:
    batch = swap.draw_batch(np.random.default_rng(0))
    assert batch["bent"].shape == batch["straight"].shape == batch["other"].shape
    assert set(batch["person"].tolist()) <= {0, 1}
    assert swap.facts() == {"persons": 2}


def one_of_each(tracks: list[FaceTrack], names: str) -> list[FaceTrack]:
    """Pictures of as many persons as letters, frame after frame of the two tracks."""
    return [
        replace(tracks[ord(name) % 2].part(place, place + 1), name=f"{name}{place}", person=name)
        for place, name in enumerate(names)
    ]


def test_swaps_are_between_different_persons(
    tracks: list[FaceTrack], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = OneShotSwapConfig(**{**OneShotSwap.small, "batch": 6})
    swap = OneShotSwap(config, Material(one_of_each(tracks, "aab"), tracks), seed=1)
    partners: list[np.ndarray] = []
    inner = swap._swap_losses

    def noted(*given: torch.Tensor) -> object:
        partners.append(given[2].numpy())
        return inner(*given)

    monkeypatch.setattr(swap, "_swap_losses", noted)
    for seed in range(40):  # of six draws between two persons one in 32 is of one person alone
        batch = swap.draw_batch(np.random.default_rng(seed))
        assert len(set(batch["person"].tolist())) == 2, seed
        if seed < 3:
            swap.training_step(batch, 2)
            person = batch["person"].numpy()
            assert (person[partners[-1]] != person).all()


def test_held_out_swaps_are_between_different_persons(
    tracks: list[FaceTrack], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three frames of one and one of another: half the set away lies the same person."""
    config = OneShotSwapConfig(**OneShotSwap.small)
    held = one_of_each(tracks, "aaab")
    swap = OneShotSwap(config, Material(tracks, held), seed=1)
    shown = {}

    def painted(colour: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
        shown["vectors"] = vectors
        return torch.cat([colour, colour[:, :1]], 1)

    monkeypatch.setattr(swap, "_paint", painted)
    monkeypatch.setattr(swap, "_vectors", lambda colour: torch.eye(4)[: len(colour)])
    figures = swap.held_out_figures()
    assert shown["vectors"].argmax(1).tolist() == [3, 3, 3, 0]
    assert figures["to_wanted"] == 0  # what was painted is what was shown
    assert figures["to_shown"] == 1
    assert figures["swap_share"] == 0
    alone = OneShotSwap(config, Material(tracks, held[:3]), seed=1).held_out_figures()
    assert set(alone) == {"psnr_db", "face_psnr_db"}


def test_one_person_or_one_face_leaves_nobody_to_swap_with(tracks: list[FaceTrack]) -> None:
    config = OneShotSwapConfig(**OneShotSwap.small)
    with pytest.raises(UsageError, match="one came to train on"):
        OneShotSwap(config, Material([tracks[0]], [tracks[1]]))
    with pytest.raises(UsageError, match="batch = 1"):
        replace(config, batch=1)


def test_persons_come_to_be_told_apart(tracks: list[FaceTrack]) -> None:
    values = {**OneShotSwap.small, "batch": 8, "learning_rate": 2e-3, "person_loss": 1.0,
              "warm_up": 1000}  # fmt: skip
    swap = OneShotSwap(OneShotSwapConfig(**values), Material(tracks, tracks), seed=1)
    losses = [row["person"] for row in advance(swap, range(1, 61))]
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:3])


def test_the_margin_makes_the_right_person_harder() -> None:
    torch.manual_seed(0)
    network = IdentityEncoder(4, 32, 8, 3)
    vectors = network(torch.rand(6, 3, 32, 32))
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(6))
    person = torch.tensor([0, 1, 2, 0, 1, 2])
    easy, hard = (network.person_loss(vectors, person, margin, 16.0) for margin in (0.0, 0.3))
    assert bool(hard > easy)


def test_content_does_not_see_how_bright_a_picture_is() -> None:
    """Brightness and contrast belong to looks; instance normalisation takes them out."""
    torch.manual_seed(0)
    content = ContentEncoder(4, 4).eval()
    face = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        plain, lit = content(face), content(0.5 * face + 0.3)
    assert float((plain - lit).abs().mean()) < 0.02 * float(plain.abs().mean())


def test_the_vector_sets_mean_and_deviation() -> None:
    torch.manual_seed(0)
    norm = AdaptiveNorm(5, 3)
    features, vector = torch.randn(2, 5, 16, 16), torch.randn(2, 3)
    styled = norm(features, vector)
    scale, shift = norm.to_style(vector).chunk(2, 1)
    torch.testing.assert_close(styled.mean((2, 3)), shift, atol=1e-4, rtol=0)
    torch.testing.assert_close(
        styled.std((2, 3), unbiased=False), (1 + scale).abs(), atol=1e-3, rtol=0
    )

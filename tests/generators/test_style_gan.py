"""The style GAN: its arithmetic, its augmentation, truncation, mixing and editing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'forge' is not installed")

from unmask.errors import UnknownEntry, UsageError  # noqa: E402
from unmask.generators import _face_directions  # noqa: E402
from unmask.generators._adaptive_augmentation import AdaptiveAugmentation  # noqa: E402
from unmask.generators._face_directions import (  # noqa: E402
    Directions,
    find_directions,
    fit_line,
    measure,
)
from unmask.generators._style_gan_networks import ModulatedConvolution  # noqa: E402
from unmask.generators.style_gan import StyleGan, StyleGanConfig  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

    from unmask.generators.material import FaceTrack, Material


@pytest.fixture(scope="module")
def gan() -> StyleGan:
    built = StyleGan(StyleGanConfig.from_mapping(StyleGan.small), seed=2)
    built.networks.eval()
    return built


def test_scaling_in_and_output_is_modulating_the_weights() -> None:
    torch.manual_seed(0)
    layer = ModulatedConvolution(5, 7, 3, 4)
    x, style = torch.randn(3, 5, 8, 8), torch.randn(3, 4)
    found = layer.modulated(x, style)
    for number in range(3):  # the paper's equations 1 and 3, one picture at a time
        weight = (
            layer.weight * layer.scale * layer.style(style[number : number + 1])[0, :, None, None]
        )
        weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        wanted = torch.nn.functional.conv2d(x[number : number + 1], weight, padding=1)
        torch.testing.assert_close(found[number : number + 1], wanted, rtol=1e-4, atol=1e-5)


def test_truncation_draws_faces_to_the_average(gan: StyleGan) -> None:
    free, near = (gan.styles(20, seed=1, truncation=t) for t in (1.0, 0.25))
    torch.testing.assert_close(near.std(0), 0.25 * free.std(0))
    same = gan.sample(3, seed=1, truncation=0.0)  # untrained: no noise yet
    assert np.array_equal(same[0], same[2])


def test_a_table_of_mixed_styles_holds_both_faces_on_its_diagonal(gan: StyleGan) -> None:
    table = gan.mixed(4, 4, 3)
    assert len(table) == 9
    assert np.array_equal(table[::4], gan.sample(3, seed=4, truncation=0.7))
    assert not np.array_equal(table[1], table[0])


def test_an_edit_moves_along_its_direction_and_back(gan: StyleGan) -> None:
    direction = np.ones(gan.config.style_width, np.float32)
    gan.__dict__["directions"] = Directions({"planted": direction})
    plain = gan.sample(2, seed=1)
    assert np.array_equal(gan.edit(2, seed=1, edits={"planted": 0.0}), plain)
    assert not np.array_equal(gan.edit(2, seed=1, edits={"planted": 3.0}), plain)
    with pytest.raises(UnknownEntry, match="wink") as caught:
        gan.edit(2, seed=1, edits={"wink": 1.0})
    assert "planted" in caught.value.hint


def test_a_planted_line_is_found_with_its_length() -> None:
    rng = np.random.default_rng(0)
    styles = rng.normal(size=(400, 12)).astype(np.float32)
    way = np.zeros(12, np.float32)
    way[3] = 2.0
    values = (styles @ way + rng.normal(0, 0.1, 400)).astype(np.float32)
    values[::50] = np.nan
    found = fit_line(styles, values)
    assert found is not None
    direction, explained = found
    assert explained > 0.95
    assert direction @ way == pytest.approx(np.nanstd(values), rel=0.1)
    assert np.abs(np.delete(direction, 3)).max() < 0.05
    assert fit_line(styles[:50], values[:50]) is None


def test_what_is_measured_is_what_the_lines_are_fitted_to(
    gan: StyleGan, monkeypatch: pytest.MonkeyPatch
) -> None:
    painted: list[np.ndarray] = []
    fitted: list[np.ndarray] = []

    def paint(styles: torch.Tensor, *, seed: int) -> np.ndarray:
        del seed
        painted.append(styles[:, 0].numpy().copy())
        return np.zeros((len(styles), 16, 16, 3), np.uint8)

    def line(styles: np.ndarray, values: np.ndarray) -> None:
        del values
        fitted.append(styles)

    monkeypatch.setattr(gan, "paint", paint)
    monkeypatch.setattr(_face_directions, "_MEASURED", 7)  # 56 numbers: no whole blocks of 16
    monkeypatch.setattr(_face_directions, "measure", lambda faces: np.zeros((len(faces), 5)))
    monkeypatch.setattr(_face_directions, "fit_line", line)
    assert len(find_directions(gan)) == 8
    assert len(fitted) == 5
    for styles in fitted:
        np.testing.assert_array_equal(styles, painted[0])


def test_augmentation_follows_the_certainty_of_the_discriminator() -> None:
    augment = AdaptiveAugmentation(target=0.6, per_images=100)
    pixels = torch.rand(6, 3, 16, 16) * 2 - 1
    torch.manual_seed(0)
    moved = augment(pixels)  # at probability 0 only mirroring is left
    for old, new in zip(pixels, moved, strict=True):
        gaps = [(new - old).abs().max(), (new - old.flip(2)).abs().max()]
        assert min(gaps) < 1e-4
    for _ in range(40):
        augment.adapt(torch.ones(10))
    assert float(augment.probability) == pytest.approx(0.8)
    assert (augment(pixels) - pixels).abs().mean() > 0.05
    for _ in range(60):
        augment.adapt(-torch.ones(10))
    assert float(augment.probability) == 0


def test_the_penalty_comes_every_so_often(material_for: Callable[[str], Material]) -> None:
    config = StyleGanConfig.from_mapping({**StyleGan.small, "r1_every": 2})
    gan = StyleGan(config, material_for("faces"), seed=1)
    batch = gan.draw_batch(np.random.default_rng(0))
    assert "r1" not in gan.training_step(batch, 1)
    assert gan.training_step(batch, 2)["r1"] > 0


@pytest.mark.parametrize("size", [8, 48])
def test_a_size_that_does_not_double_is_refused(size: int) -> None:
    with pytest.raises(UsageError, match="power of two"):
        StyleGan(StyleGanConfig(size_px=size))


def test_what_directions_are_fitted_to_is_measured_on_faces(tracks: list[FaceTrack]) -> None:
    faces = np.stack([track.images[0] for track in tracks])
    plain, mirrored = measure(faces), measure(np.ascontiguousarray(faces[:, :, ::-1]))
    assert np.isfinite(plain).all()
    yaw, mouth_open, smile, brightness, warmth = plain.T
    np.testing.assert_allclose(mirrored[:, 0], -yaw, atol=8)
    assert (mouth_open >= 0).all()
    assert ((smile > 0.3) & (smile < 1)).all()
    np.testing.assert_allclose(brightness, faces.mean((1, 2, 3)), rtol=1e-4)
    np.testing.assert_allclose(
        warmth, (faces[..., 0] * 1.0 - faces[..., 2]).mean((1, 2)), atol=0.01
    )
    nothing = measure(np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3)).astype(np.uint8))
    assert np.isnan(nothing[0, :3]).all()
    assert np.isfinite(nothing[0, 3:]).all()

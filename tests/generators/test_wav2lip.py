"""The lip-sync generator: masks, gates, learning, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'forge' is not installed")

from unmask.errors import InputError, UsageError  # noqa: E402
from unmask.generators.material import FaceTrack, Material  # noqa: E402
from unmask.generators.sync_net import SyncNet, SyncNetConfig  # noqa: E402
from unmask.generators.wav2lip import Wav2Lip, Wav2LipConfig, lower_face_masks  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

SMALL = Wav2LipConfig.from_mapping(Wav2Lip.small)


def face_points(side: int = 32) -> np.ndarray:
    """468 points of which the outline is an ellipse and the base of the nose lies in the middle."""
    from unmask.faces.topology import FACE_OVAL

    points = np.full((468, 2), side / 2, np.float32)
    turn = np.linspace(0, 2 * np.pi, len(FACE_OVAL), endpoint=False)
    points[list(FACE_OVAL)] = side / 2 + side * np.stack(
        [0.36 * np.sin(turn), -0.44 * np.cos(turn)], 1
    )
    return points


def talking(name: str, seconds: float = 3.0, seed: int = 0) -> FaceTrack:
    """Faces whose mouths open as far as the sound is loud."""
    rng = np.random.default_rng(seed)
    steps = np.repeat(rng.uniform(0.05, 1, int(seconds * 5) + 2), 3200)[: int(seconds * 16_000)]
    audio = (0.2 * steps * rng.normal(0, 1, len(steps))).astype(np.float32)
    pts = np.arange(int(seconds * 25)) / 25
    loud = steps[(pts * 16_000).astype(int)]
    images = np.full((len(pts), 32, 32, 3), 150, np.uint8)
    for image, wide in zip(images, loud, strict=True):
        half = 1 + round(4 * float(wide))
        image[23 - half : 23 + half, 11:21] = 20
    points = np.tile(face_points(), (len(pts), 1, 1))
    return FaceTrack(name, images, points, pts, 25.0, audio)


def material() -> Material:
    return Material([talking("one"), talking("two", seed=1)], [talking("three", seed=2)])


def test_masks_lie_on_the_lower_face_alone():
    masks = lower_face_masks(np.stack([face_points(64)]), 64)
    assert masks.shape == (1, 64, 64)
    assert not masks[:, :32].any()
    assert masks[:, 62:].max() < 0.01  # beyond the chin
    assert masks[:, :, :8].max() < 0.01
    assert masks[0, 44, 32] == pytest.approx(1.0)
    assert 0.2 < masks[:, 32:].mean() < 0.6
    assert len(np.unique(masks.round(2))) > 3  # a soft edge


def test_the_upper_half_is_the_films_and_the_lower_is_painted():
    generator, track = Wav2Lip(SMALL, seed=0), talking("some", 1.0)
    painted = generator.dub(track, track.audio)
    assert painted.images.shape == track.images.shape
    np.testing.assert_array_equal(painted.images[:, :16], track.images[:, :16])
    assert not np.array_equal(painted.images[:, 16:], track.images[:, 16:])
    assert painted.masks is not None
    assert painted.masks.shape == painted.images.shape[:3]


def test_crops_of_another_side_and_rate_are_dubbed():
    generator, track = Wav2Lip(SMALL, seed=0), talking("some", 1.0)
    large = replace(
        track,
        images=np.ascontiguousarray(track.images.repeat(2, 1).repeat(2, 2)[::2]),
        landmarks=2 * track.landmarks[::2],
        pts_s=track.pts_s[::2],
    )
    painted = generator.dub(large, track.audio)
    assert painted.images.shape == (13, 32, 32, 3)


def test_it_learns_to_listen():
    generator = Wav2Lip(replace(SMALL, batch=10, width=8, learning_rate=5e-3), material(), seed=0)
    before = generator.held_out_figures()
    for step in range(1, 71):
        torch.manual_seed(step)
        found = generator.training_step(generator.draw_batch(np.random.default_rng(step)), step)
    assert np.isfinite(list(found.values())).all()
    after = generator.held_out_figures()
    assert all(type(value) is float for value in after.values())
    assert after["mouth_l1"] < 0.5 * before["mouth_l1"]
    # Painted to its own speech it is nearer to the truth than painted to that of another time.
    assert after["mouth_l1"] < 0.9 * after["mouth_l1_other_speech"]
    assert after["mouth_l1_of_reference"] == before["mouth_l1_of_reference"]
    assert "expert_agrees" not in after


def test_a_good_expert_judges_and_a_poor_one_is_refused(tmp_path: Path):
    config = SyncNetConfig.from_mapping(SyncNet.small)
    expert = SyncNet(config, seed=1)
    (tmp_path / "run.json").write_text(json.dumps({"config": config.to_mapping(), "margin": 1.5}))
    for accuracy in (0.8, 0.6):
        kept = {"figures": {"accuracy": accuracy}, "networks": expert.networks.state_dict()}
        torch.save(kept, tmp_path / "weights.pt")
        wanted = replace(SMALL, expert=str(tmp_path), sync_weight=0.5)
        if accuracy == 0.6:
            with pytest.raises(UsageError, match=r"chance is 0\.5"):
                Wav2Lip(wanted, material())
            return
        generator = Wav2Lip(wanted, material(), seed=0)
        before = {key: value.clone() for key, value in expert.networks.state_dict().items()}
        found = generator.training_step(generator.draw_batch(np.random.default_rng(1)), 1)
        assert found["loss"] == pytest.approx((found["pixels"] + found["sync"]) / 2)
        assert 0 < generator.held_out_figures()["expert_agrees"] < 1
        assert generator._expert is not None
        for key, value in generator._expert.networks.state_dict().items():
            assert torch.equal(value, before[key]), "the expert is frozen"


@pytest.mark.parametrize(
    ("audio", "says"),
    [
        (np.zeros(48_000, np.float32), "silent"),
        (np.zeros(0, np.float32), "has no audio"),
        (np.full(8000, 0.1, np.float32), "lasts 0.50 s"),
    ],
)
def test_silent_missing_and_short_speech_is_an_error(audio: np.ndarray, says: str):
    with pytest.raises(InputError, match=says):
        Wav2Lip(SMALL).dub(talking("film"), audio)


def test_an_empty_film_and_a_film_too_short_are_errors():
    track = talking("film")
    with pytest.raises(UsageError, match="shows no face"):
        Wav2Lip(SMALL).dub(track.part(0, 0), track.audio)
    short = talking("short", 0.5)
    with pytest.raises(UsageError, match=r"0\.6 s on end"):
        Wav2Lip(SMALL, Material([short], [track]))


def test_a_side_that_cannot_be_halved_is_named():
    with pytest.raises(UsageError, match="size_px = 40"):
        replace(SMALL, size_px=40)

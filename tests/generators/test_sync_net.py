"""The lip-sync expert on films in which light follows sound."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'forge' is not installed")

from unmask.errors import CorruptMedia, InputError, NotFound, UsageError  # noqa: E402
from unmask.generators._speaking_film import FRAMES, film_of, speaking_films, varied_window, window  # noqa: E402
from unmask.generators.material import FaceTrack, Material  # noqa: E402
from unmask.generators.sync_net import SyncNet, SyncNetConfig, good_expert  # noqa: E402

SMALL = SyncNetConfig.from_mapping(SyncNet.small)


def talking(name: str, seconds: float = 3.0, seed: int = 0, rate: float = 25.0) -> FaceTrack:
    """Crops whose lower half is as bright as the sound is loud."""
    rng = np.random.default_rng(seed)
    steps = np.repeat(rng.uniform(0.05, 1.0, int(seconds * 10) + 2), 1600)[: int(seconds * 16_000)]
    audio = (0.2 * steps * rng.normal(0, 1, len(steps))).astype(np.float32)
    pts = np.arange(int(seconds * rate)) / rate
    loud = steps[(pts * 16_000).astype(int)]
    images = np.full((len(pts), 32, 32, 3), 90, np.uint8)
    images[:, 20:30, 8:24] = (50 + 200 * loud).astype(np.uint8)[:, None, None, None]
    images = (images + rng.integers(0, 6, images.shape)).astype(np.uint8)
    points = np.zeros((len(pts), 468, 2), np.float32)
    return FaceTrack(name, images, points, pts, rate, audio)


def test_a_film_is_brought_to_25_frames_with_speech_beside_each():
    film = film_of(talking("fast", 2.0, rate=30.0), talking("fast", 2.0).audio, 32)
    assert len(film.images) == 50  # the last of 60 frames begins at 1.967 s
    assert film.speech.shape == (50, 16, 80)
    assert film.mouths.shape == (50, 16, 32, 3)
    assert film.whole.tolist() == list(range(46))


def test_windows_do_not_reach_over_missing_frames():
    track = talking("gap", 2.0)
    kept = np.r_[0:20, 30:50]
    gap = FaceTrack("gap", track.images[kept], track.landmarks[kept], track.pts_s[kept], 25.0)
    film = film_of(gap, track.audio, 32)
    assert len(film.images) == 50
    # A frame may stand in for its neighbour, one 40 ms away, and for no other.
    assert not set(film.whole.tolist()) & set(range(17, 29))
    assert {0, 16, 29, 45} <= set(film.whole.tolist())


def test_nobody_speaks_in_silence():
    track = talking("late", 2.0)
    audio = track.audio.copy()
    audio[:16_000] = 0
    film = film_of(track, audio, 32)
    assert film.spoken.min() > 20
    assert film.whole.min() == 0


def test_films_without_sound_are_left_out_and_none_is_an_error():
    track = talking("one")
    mute = replace_audio(track, None)
    assert [film.name for film in speaking_films([mute, track], 32)] == ["one"]
    with pytest.raises(UsageError, match="In none of 2 films"):
        speaking_films([mute, replace_audio(track, np.zeros(48_000, np.float32))], 32)


def test_a_track_without_frames_is_left_out_and_none_can_be_read():
    track = talking("one")
    nothing = track.part(0, 0)
    assert [film.name for film in speaking_films([nothing, track], 32)] == ["one"]
    for audio, says in ((track.audio, "shows no face"), (np.zeros(0, np.float32), "has no audio")):
        with pytest.raises(InputError, match=says):
            SyncNet(SMALL).confidence_and_distance(nothing, audio)


def test_an_empty_audio_track_is_no_sound():
    track = talking("one")
    empty = replace_audio(track, np.zeros(0, np.float32))
    expert = SyncNet(SMALL, Material([empty, track], [track, empty]), seed=0)
    assert [film.name for film in expert._films] == ["one"]
    assert expert.held_out_figures()["pairs"] > 0
    with pytest.raises(UsageError, match="In none of 1 films"):
        SyncNet(SMALL, Material([empty], [track]))


def replace_audio(track: FaceTrack, audio: np.ndarray | None) -> FaceTrack:
    return replace(track, audio=audio)


def test_a_window_is_five_frames_and_varies_as_one():
    track = talking("one")
    cut = window(track.images[:, 16:], 7)
    assert cut.shape == (15, 16, 32)
    np.testing.assert_array_equal(cut[3], track.images[8, 16:, :, 0] / np.float32(255))
    still = np.tile(cut[:3], (FRAMES, 1, 1))
    varied = varied_window(still, np.random.default_rng(1))
    np.testing.assert_array_equal(varied[:3], varied[12:])
    assert not np.array_equal(varied[:3], still[:3])


def test_it_learns_light_that_follows_sound():
    material = Material(
        [talking(f"film {n}", 6.0, seed=n) for n in range(4)], [talking("unseen", 6.0, seed=9)]
    )
    config = replace(SMALL, batch=32, films=2, vector=16, learning_rate=3e-3, dropout=0.0)
    expert = SyncNet(config, material, seed=0)
    before = expert.held_out_figures()
    for step in range(1, 41):
        torch.manual_seed(step)
        found = expert.training_step(expert.draw_batch(np.random.default_rng(step)), step)
    assert np.isfinite(list(found.values())).all()
    after = expert.held_out_figures()
    assert all(type(value) is float for value in after.values())
    assert after["choice"] > 0.75 > before["choice"]
    assert after["accuracy"] == after["accuracy_unseen"]
    assert after["pairs"] > 100
    film = material.held_out[0]
    reading = expert.confidence_and_distance(film, film.audio)
    late = np.concatenate([np.zeros(5 * 640, np.float32), film.audio])
    assert abs(reading.offset_frames) <= 1
    assert abs(expert.confidence_and_distance(film, late).offset_frames - 5) <= 1
    noise = np.random.default_rng(5).normal(0, 0.1, len(film.audio)).astype(np.float32)
    assert reading.confidence > 2 * expert.confidence_and_distance(film, noise).confidence


def test_readings_need_speech_and_a_film_that_is_long_enough():
    expert, film = SyncNet(SMALL), talking("film", 0.6)
    with pytest.raises(InputError, match=r"0\.80 s are needed"):
        expert.confidence_and_distance(film, film.audio)
    with pytest.raises(InputError, match="silent"):
        expert.confidence_and_distance(film, np.zeros(16_000, np.float32))
    with pytest.raises(InputError, match="has no audio"):
        expert.confidence_and_distance(film, np.zeros(0, np.float32))


def test_a_film_that_is_too_short_cannot_be_held_out():
    with pytest.raises(UsageError, match=r"No held-out film holds 0\.6 s"):
        SyncNet(SMALL, Material([talking("long")], [talking("short", 0.45)]))


def test_a_batch_needs_two_windows_of_each_film():
    with pytest.raises(UsageError, match="at least two of each"):
        replace(SMALL, batch=3, films=2)


def test_only_a_good_expert_may_teach(tmp_path):
    import json

    with pytest.raises(NotFound, match="no trained expert"):
        good_expert(tmp_path, 0.75, 1.2)
    expert = SyncNet(SMALL, seed=4)
    config = SMALL.to_mapping()
    (tmp_path / "run.json").write_text(json.dumps({"config": config, "margin": 1.2}))
    kept = {"figures": {"accuracy": 0.8}, "networks": expert.networks.state_dict()}
    torch.save(kept, tmp_path / "weights.pt")
    loaded = good_expert(tmp_path, 0.75, 1.2)
    assert not loaded.networks.training
    for key, value in loaded.networks.state_dict().items():
        assert torch.equal(value, expert.networks.state_dict()[key])
    assert not any(weight.requires_grad for weight in loaded.networks.parameters())
    with pytest.raises(UsageError, match=r"accuracy 0\.800; 0\.900 is asked for"):
        good_expert(tmp_path, 0.9, 1.2)
    with pytest.raises(UsageError, match=r"margin 1\.2; these have 1\.5"):
        good_expert(tmp_path, 0.75, 1.5)
    (tmp_path / "weights.pt").write_bytes(b"no weights")
    with pytest.raises(CorruptMedia, match="no run of sync_net"):
        good_expert(tmp_path, 0.75, 1.2)

"""What a calibration is fitted on: which samples there are, and how films are simulated."""

from __future__ import annotations

from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest

from unmask.detectors import DetectorOutput
from unmask.errors import UsageError
from unmask.train.calibration_scores import film_crops, samples_of, score_films, score_pictures
from unmask.train.facecache import FaceCache


class Brightness:
    """A detector whose answer is known: the mean of its normalised pixels."""

    spec: ClassVar = SimpleNamespace(
        input_px=64, views=((1.2, False), (1.5, True)), mean=(127.5,) * 3, std=(127.5,) * 3
    )
    weights_sha256 = "0" * 64

    def predict(self, pixels: np.ndarray) -> DetectorOutput:
        assert pixels.dtype == np.float32
        assert pixels.shape[1:] == (3, 64, 64)
        return DetectorOutput(pixels.mean((1, 2, 3)), None)


def test_sets_without_forgeries_get_some(cache: FaceCache) -> None:
    samples = list(samples_of(cache, np.arange(len(cache)), seed=1))
    films = [s for s in samples if s.source == "films"]
    people = [s for s in samples if s.source == "people"]
    assert [s.method for s in films] == ["untouched", "found"] * 2
    assert [s.method for s in people] == ["untouched", "self_blending", "landmark_swap"] * 2
    assert all(s.y_true == (s.method != "untouched") for s in samples)
    assert people[0].group == people[1].group == people[2].group
    assert not np.array_equal(people[0].face.image, people[2].face.image)
    again = list(samples_of(cache, np.arange(len(cache)), seed=1))
    assert all(
        np.array_equal(a.face.image, b.face.image) for a, b in zip(samples, again, strict=True)
    )


def test_a_set_of_one_original_is_not_swapped_with_itself(cache: FaceCache) -> None:
    one = np.nonzero(cache.source == "people")[0][:1]
    assert [s.method for s in samples_of(cache, one, seed=1)] == ["untouched", "self_blending"]


def test_scores_keep_order_and_films_are_means_over_frames(cache: FaceCache) -> None:
    samples = list(samples_of(cache, np.arange(len(cache)), seed=1))
    done: list[int] = []
    detector = Brightness()
    pictures = score_pictures(samples, detector, seed=1, on_progress=done.append)
    films = score_films(samples, detector, seed=1, frames=3)
    assert done[-1] == len(samples)
    for scored in (pictures, films):
        assert scored.method.tolist() == [s.method for s in samples]
        assert scored.score.shape == (len(samples),)
    for i in (0, 4):
        rng = np.random.default_rng((1, 2, i))
        crops = film_crops(samples[i].face, detector, rng, 3)
        expected = np.mean([crop.astype(float).mean() / 127.5 - 1 for crop in crops])
        assert films.score[i] == pytest.approx(expected, abs=1e-4)
    assert np.array_equal(films.score, score_films(samples, detector, seed=1, frames=3).score)
    with pytest.raises(UsageError, match="no held-out faces"):
        score_pictures([], detector, seed=1)


def test_frames_of_a_simulated_film_differ_a_little(cache: FaceCache) -> None:
    every = film_crops(cache.face(0), Brightness(), np.random.default_rng(4), 6)
    assert len(every) == 12  # two views of each frame
    assert all(crop.shape == (64, 64, 3) for crop in every)
    crops = every[::2]
    gaps = [np.abs(crop.astype(int) - crops[0].astype(int)).mean() for crop in crops[1:]]
    assert min(gaps) > 0
    assert max(gaps) < 25

"""From scores of frames to scores of films, by an explicit id and a stated rule.

Example:
    >>> from unmask.metrics.video import video_scores
    >>> films = video_scores([0, 0, 1, 1], [-2.0, 0.0, 1.0, 3.0], ["a", "a", "b", "b"])
    >>> films.y_score.tolist()
    [-1.0, 2.0]
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from unmask.errors import UsageError
from unmask.metrics._arrays import labels_and_scores

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

DEFAULT_RULE = "mean"
_MOST_NAMED = 3


class VideoScores(NamedTuple):
    """One row a film, in the order in which the films first occur.

    Attributes:
        video_id: (V,) ids.
        y_true: (V,) 1 = manipulated.
        y_score: (V,) score by the rule; of ``vote`` the share of frames called, 0..1.
        called: (V,) whether the rule calls the film manipulated: its score is at or above the
            threshold of frames; by ``vote``, more than half of its frames are.
        frames: (V,) number of frames.
    """

    video_id: NDArray[np.str_]
    y_true: NDArray[np.int64]
    y_score: NDArray[np.float64]
    called: NDArray[np.bool_]
    frames: NDArray[np.int64]


def video_scores(
    y_true: ArrayLike,
    y_score: ArrayLike,
    video_id: ArrayLike,
    rule: str = DEFAULT_RULE,
    *,
    threshold: float = 0.0,
    top_share: float = 0.1,
) -> VideoScores:
    """Bring the frames of each film together.

    Args:
        y_true: (N,) label of each frame; all frames of a film have the same.
        y_score: (N,) score of each frame, rising with suspicion; logits, unless said otherwise.
        video_id: (N,) film of each frame. Never a path: files of one name in different folders
            are different films.
        rule: One of :data:`VIDEO_RULES`. ``mean``, ``median`` and ``max`` of the frames' scores;
            ``top_k_mean``: the mean of the highest ``top_share`` of them, at least one frame;
            ``vote``: the share of frames at or above ``threshold``.
        threshold: Frame score from which a frame is called; 0 for logits.
        top_share: Share of frames for ``top_k_mean``, above 0, at most 1.

    Raises:
        UsageError: A film has frames of both labels, an id is empty or missing, or the rule or
            ``top_share`` is unknown or impossible.
        ValueError: Shapes differ, a label is neither 0 nor 1, a score is NaN, or there is nothing.

    Source: the mean is DeepfakeBench's (Yan et al., NeurIPS 2023) and this toolkit's default; the
    vote is that of FaceForensics++ (Roessler et al., ICCV 2019) and many after it.
    """
    if rule not in VIDEO_RULES:
        raise UsageError(
            f"There is no video rule called {rule!r}.",
            hint=f"Choose from: {', '.join(VIDEO_RULES)}.",
        )
    if not 0 < top_share <= 1:
        raise UsageError(
            f"top_share is {top_share}; expected a share above 0, at most 1.",
            hint="0.1 takes the highest tenth of a film's frames.",
        )
    is_fake, scores = labels_and_scores(y_true, y_score, both_classes=False)
    names, film, first = _films(video_id, scores.size)
    frames = np.bincount(film)
    fakes = np.bincount(film, weights=is_fake).astype(np.int64)
    mixed = names[(fakes > 0) & (fakes < frames)]
    if len(mixed):
        raise UsageError(
            f"{len(mixed)} of {len(names)} films have frames of both labels: {_few(mixed)}.",
            hint="Give every film and every forgery of it its own video_id.",
        )
    by_film = np.split(scores[np.argsort(film, kind="stable")], np.cumsum(frames)[:-1])
    combine = VIDEO_RULES[rule]
    combined = np.array([combine(values, threshold, top_share) for values in by_film])
    called = combined > 0.5 if rule == "vote" else combined >= threshold
    order = np.argsort(first, kind="stable")
    return VideoScores(
        names[order],
        (fakes > 0).astype(np.int64)[order],
        combined[order],
        called[order],
        frames[order].astype(np.int64),
    )


def _films(
    video_id: ArrayLike, count: int
) -> tuple[NDArray[np.str_], NDArray[np.intp], NDArray[np.intp]]:
    """Sorted ids, the film of each frame, and the first frame of each film."""
    ids = np.asarray(video_id)
    if ids.shape != (count,):
        raise ValueError(f"video_id has shape {ids.shape} for {count} frames; expected ({count},)")
    texts = ids.astype(np.str_)
    lacking = (texts == "") | np.array([name is None for name in ids.tolist()])
    if lacking.any():
        raise UsageError(
            f"{int(lacking.sum())} of {count} frames have no video_id.",
            hint="Give every frame the id of its film; a picture has an id of its own.",
        )
    names, first, film = np.unique(texts, return_index=True, return_inverse=True)
    return names, film, first


def _few(names: NDArray[np.str_]) -> str:
    shown = ", ".join(str(name) for name in names[:_MOST_NAMED])
    return shown + (", ..." if len(names) > _MOST_NAMED else "")


def _mean(values: NDArray[np.float64], threshold: float, top_share: float) -> float:
    del threshold, top_share
    return float(values.mean())


def _median(values: NDArray[np.float64], threshold: float, top_share: float) -> float:
    del threshold, top_share
    return float(np.median(values))


def _max(values: NDArray[np.float64], threshold: float, top_share: float) -> float:
    del threshold, top_share
    return float(values.max())


def _top_k_mean(values: NDArray[np.float64], threshold: float, top_share: float) -> float:
    del threshold
    # Rounded first: 0.1 x 30 is a little above 3, and its ceiling would be 4.
    k = max(1, math.ceil(round(top_share * values.size, 9)))
    return float(np.sort(values)[-k:].mean())


def _vote(values: NDArray[np.float64], threshold: float, top_share: float) -> float:
    del top_share
    return float((values >= threshold).mean())


VIDEO_RULES: dict[str, Callable[[NDArray[np.float64], float, float], float]] = {
    "mean": _mean,
    "median": _median,
    "max": _max,
    "top_k_mean": _top_k_mean,
    "vote": _vote,
}
"""Rules by name: (scores of a film's frames, threshold, top share) -> score of the film."""

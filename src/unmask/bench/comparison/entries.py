"""From a score table to what a row of a comparison is about: one detector, all its seeds.

Image level is the score of one face; video level the mean logit over a film's faces. The vote
(the share of a film's faces that are called) is the literature's other rule, named apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from unmask.bench.comparison.measures import eer_threshold
from unmask.bench.comparison.scores import TEST, VALIDATION, ScoreTable
from unmask.metrics.video import video_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

IMAGE, VIDEO, VOTE = "image", "video", "video vote"
# A film is called when more than half of its faces are.
VOTE_THRESHOLD = float(np.nextafter(0.5, 1.0))


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One detector as it was trained, with the scores of all its seeds.

    Attributes:
        detector: Name.
        trained_on: Training set, or empty.
        left_out: Forgery that training was kept from, or empty.
        samples: N samples; its ``logit`` is the mean over seeds.
        logits: (K, N) logits by seed; NaN where a seed did not score a sample.
        seeds: The K seeds.
        thresholds: (K,) score from which a sample is called fake.
        threshold_source: Where the thresholds come from, in words.
        level: ``image``, ``video`` or ``video vote``.
    """

    detector: str
    trained_on: str
    left_out: str
    samples: ScoreTable
    logits: Floats
    seeds: tuple[int, ...]
    thresholds: Floats
    threshold_source: str
    level: str = IMAGE

    def take(self, rows: NDArray[np.bool_]) -> Entry:
        """The entry on a selection of its samples."""
        return replace(self, samples=self.samples.take(rows), logits=self.logits[:, rows])

    @property
    def sources(self) -> NDArray[np.str_]:
        """(N,) sources as the bootstrap draws them, apart for each data set."""
        return np.char.add(np.char.add(self.samples.data_set, "\n"), self.samples.source_id)


def entries(table: ScoreTable) -> Iterator[Entry]:
    """Every detector in the table, in the order in which they occur, at image level.

    Thresholds are those of equal error on the rows whose split is ``validation``; without such
    rows of both classes, a logit of 0.
    """
    keys = zip(
        table.detector.tolist(), table.trained_on.tolist(), table.left_out.tolist(), strict=True
    )
    for detector, trained_on, left_out in dict.fromkeys(keys):
        mine = (table.detector == detector) & (table.trained_on == trained_on)
        mine &= table.left_out == left_out
        tests, validation = (mine & (table.split == split) for split in (TEST, VALIDATION))
        if not tests.any():
            continue
        samples, logits, seeds = _by_seed(table.take(tests))
        thresholds, source = _thresholds(table.take(validation), seeds)
        yield Entry(detector, trained_on, left_out, samples, logits, seeds, thresholds, source)


def video_level(entry: Entry) -> Entry:
    """Mean logit over the faces of each film that have a score.

    Raises:
        UsageError: A film holds real and fake faces.
    """
    return _over_films(entry, VIDEO, "mean", entry.thresholds)


def vote_level(entry: Entry) -> Entry:
    """Share of each film's faces at or above the threshold; more than half calls the film.

    Raises:
        UsageError: A film holds real and fake faces.
    """
    voted = _over_films(entry, VOTE, "vote", np.full(len(entry.seeds), VOTE_THRESHOLD))
    return replace(voted, threshold_source="more than half of the faces")


def has_films(entry: Entry) -> bool:
    """Whether any film or picture has more than one face, so that the levels differ."""
    return len(np.unique(_films(entry.samples))) < len(entry.samples)


def _over_films(entry: Entry, level: str, rule: str, thresholds: Floats) -> Entry:
    frames, names = entry.samples, _films(entry.samples)
    films, first, inverse = np.unique(names, return_index=True, return_inverse=True)
    count = len(films)
    scores = np.full((len(entry.seeds), count), np.nan)
    for row, (logits, limit) in enumerate(zip(entry.logits, entry.thresholds, strict=True)):
        known = ~np.isnan(logits)
        if known.any():
            found = video_scores(
                frames.y_true[known], logits[known], names[known], rule, threshold=float(limit)
            )
            scores[row, np.searchsorted(films, found.video_id)] = found.y_score
    samples = replace(
        frames.take(first),
        face_px=_means(frames.face_px, inverse, count),
        sharpness=_means(frames.sharpness, inverse, count),
        # Heads that turn to both sides are turned, not frontal on average.
        yaw_deg=_means(np.abs(frames.yaw_deg), inverse, count),
        logit=scores.mean(axis=0),
    )
    return replace(entry, samples=samples, logits=scores, thresholds=thresholds, level=level)


def _films(samples: ScoreTable) -> NDArray[np.str_]:
    return np.char.add(np.char.add(samples.data_set, "/"), samples.video_id)


def _means(values: Floats, inverse: NDArray[np.intp], count: int) -> Floats:
    """Means by group over what is not NaN."""
    known = ~np.isnan(values)
    totals = np.bincount(inverse[known], values[known], minlength=count)
    counts = np.bincount(inverse[known], minlength=count)
    means: Floats = np.divide(totals, counts, out=np.full(count, np.nan), where=counts > 0)
    return means


def _by_seed(table: ScoreTable) -> tuple[ScoreTable, Floats, tuple[int, ...]]:
    """Samples once each, with one row of logits for every seed."""
    keys = np.char.add(np.char.add(table.data_set, "\n"), table.sample_id)
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(np.argsort(first))  # samples stay in the order of the table
    place = order[inverse]
    seeds = tuple(sorted(set(table.seed.tolist())))
    logits = np.full((len(seeds), len(first)), np.nan)
    for row, seed in enumerate(seeds):
        mine = table.seed == seed
        logits[row, place[mine]] = table.logit[mine]
    samples = table.take(np.sort(first))
    return replace(samples, logit=logits.mean(axis=0)), logits, seeds


def _thresholds(validation: ScoreTable, seeds: tuple[int, ...]) -> tuple[Floats, str]:
    thresholds = []
    for seed in seeds:
        rows = validation.take(validation.seed == seed).scored()
        if len(set(rows.y_true.tolist())) < 2:
            return np.zeros(len(seeds)), "logit 0"
        thresholds.append(eer_threshold(rows.y_true, rows.logit))
    return np.array(thresholds), "equal error on validation scores"

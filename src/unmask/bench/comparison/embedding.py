"""Where faces lie in a network's feature space: the picture, and the number beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEIGHBOURS = 10
PERPLEXITY = 30.0


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """Features of one network laid out in the plane.

    Attributes:
        title: What network, at which point (``before adaptation``).
        xy: (N, 2) places; axes have no unit.
        domain: (N,) name of the set that each face is from.
        y_true: (N,) 1 = fake.
        mixing: See :func:`domain_mixing`.
    """

    title: str
    xy: NDArray[np.float64]
    domain: NDArray[np.str_]
    y_true: NDArray[np.int8]
    mixing: float


def embed(
    title: str,
    features: NDArray[np.float32],
    domain: NDArray[np.str_],
    y_true: NDArray[np.int8],
    *,
    seed: int = 0,
) -> Embedding:
    """Lay features out by t-SNE.

    Distances between far groups mean nothing in such a picture; the mixing is measured in the
    feature space itself.

    Args:
        title: Heading of the picture.
        features: (N, D), N at least 5.
        domain: (N,) name of the set that each face is from.
        y_true: (N,) 1 = fake.
        seed: Of the layout.

    Source:
        van der Maaten and Hinton, Visualizing data using t-SNE, JMLR 9 (2008); started from
        principal components (Kobak and Berens, Nature Communications 10, 2019).
    """
    from sklearn.manifold import TSNE

    scaled = _standardised(features)
    perplexity = min(PERPLEXITY, (len(features) - 1) / 3)
    layout = TSNE(perplexity=perplexity, init="pca", random_state=seed)
    xy = np.asarray(layout.fit_transform(scaled), np.float64)
    return Embedding(title, xy, domain, y_true, domain_mixing(scaled, domain))


def domain_mixing(
    features: NDArray[np.float64], domain: NDArray[np.str_], neighbours: int = NEIGHBOURS
) -> float:
    """How much the nearest neighbours of a face ignore which set it is from.

    Share of nearest neighbours from another set, over the share that chance would give.

    Args:
        features: (N, D).
        domain: (N,) set of each face; at least two sets.
        neighbours: How many are looked at.

    Returns:
        0 (the sets lie apart) to about 1 (they are mixed); NaN for a single set.
    """
    from sklearn.neighbors import NearestNeighbors

    names, inverse, sizes = np.unique(domain, return_inverse=True, return_counts=True)
    if len(names) < 2:
        return float("nan")
    near = NearestNeighbors(n_neighbors=min(neighbours, len(features) - 1)).fit(features)
    found = near.kneighbors(return_distance=False)  # of the fitted points: never themselves
    other = (inverse[found] != inverse[:, None]).mean()
    chance = (1 - (sizes - 1) / (len(domain) - 1))[inverse].mean()
    return float(other / chance)


def _standardised(features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Zero mean and unit deviation by column; at most 50 principal components of that."""
    from sklearn.decomposition import PCA

    wide = features.astype(np.float64)
    deviation = wide.std(axis=0)
    scaled: NDArray[np.float64] = (wide - wide.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    most = 50
    if scaled.shape[1] > most and len(scaled) > most:
        scaled = PCA(most, random_state=0).fit_transform(scaled)
    return scaled

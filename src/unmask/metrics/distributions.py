"""How far apart two sets of features lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Doubles = NDArray[np.float64]


def frechet_distance(features: ArrayLike, reference: ArrayLike) -> float:
    """Squared Frechet distance of two Gaussians fitted to features; 0 for equal fits.

    Its value rises with fewer samples even where nothing differs, and belongs to the network
    whose features these are: say both, and the distance of two halves of the reference beside it.
    It is "FID" only with the Inception network of that paper, which is not what is used here.

    Args:
        features: (N, D), at least two rows.
        reference: (M, D), at least two rows.

    Raises:
        ValueError: Widths differ, or there are fewer than two rows.

    Source:
        Dowson & Landau, "The Frechet Distance between Multivariate Normal Distributions", Journal
        of Multivariate Analysis 12 (1982). The trace of the root of a product of covariances is
        that of ``root(A) B root(A)``, which is symmetric.
    """
    one, other = np.asarray(features, np.float64), np.asarray(reference, np.float64)
    if one.ndim != 2 or other.ndim != 2 or one.shape[1] != other.shape[1]:
        raise ValueError(f"features of shapes {one.shape} and {other.shape}; expected one width")
    if min(len(one), len(other)) < 2:
        raise ValueError(f"{len(one)} and {len(other)} rows; expected at least two of each")
    first, second = (np.atleast_2d(np.cov(rows, rowvar=False)) for rows in (one, other))
    root = _root(first)
    shared = np.sqrt(np.clip(np.linalg.eigvalsh(root @ second @ root), 0, None)).sum()
    gap = ((one.mean(0) - other.mean(0)) ** 2).sum()
    return max(0.0, float(gap + np.trace(first) + np.trace(second) - 2 * shared))


def principal_axes(reference: ArrayLike, count: int) -> tuple[Doubles, Doubles]:
    """Mean and first axes of a set of features, so that few samples can span them.

    Args:
        reference: (M, D).
        count: Axes wanted; never more than M - 1.

    Returns:
        (D,) mean and (D, K) orthonormal axes, the one of most variance first.

    Raises:
        ValueError: There are fewer than two rows.
    """
    rows = np.asarray(reference, np.float64)
    if rows.ndim != 2 or len(rows) < 2:
        raise ValueError(f"features of shape {rows.shape}; expected at least two rows")
    mean = rows.mean(0)
    _, _, axes = np.linalg.svd(rows - mean, full_matrices=False)
    return mean, axes[: min(count, len(rows) - 1)].T


def cosine_similarity(features: ArrayLike, others: ArrayLike) -> Doubles:
    """(N,) cosines of the rows of two (N, D) arrays, -1..1; 0 where a row is all zero."""
    one, other = np.asarray(features, np.float64), np.asarray(others, np.float64)
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    found: Doubles = (one * other).sum(1) / np.where(lengths > 0, lengths, 1.0)
    return found


def _root(matrix: Doubles) -> Doubles:
    values, vectors = np.linalg.eigh(matrix)
    found: Doubles = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    return found

"""Data sets: one file a set (its layout, its official split), and the shards they become."""

from unmask.datasets.base import DATASETS, DataSet, DataSetSpec, MediaItem
from unmask.datasets.store import FaceColumns, FaceStore, StoredFace

__all__ = [
    "DATASETS",
    "DataSet",
    "DataSetSpec",
    "FaceColumns",
    "FaceStore",
    "MediaItem",
    "StoredFace",
]

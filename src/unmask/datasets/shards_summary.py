"""What a folder of shards holds, in numbers."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import Any

from unmask.datasets.shards import ShardStore


def summarise(folder: Path) -> dict[str, Any]:
    """Count the faces, films and sources of a prepared folder.

    Returns:
        The facts of its manifest, the totals, and ``counts``: one row for each split, label,
        method and compression.

    Raises:
        NotFound, CorruptMedia, UnsupportedMedia: As for :class:`ShardStore`.
    """
    store = ShardStore(folder)
    columns = store.columns
    groups: dict[tuple[str, str, str, str], tuple[list[int], set[str], set[str]]] = defaultdict(
        lambda: ([], set(), set())
    )
    for row in range(len(store)):
        label = "fake" if columns.y_true[row] else "real"
        key = (
            str(columns.split[row]),
            label,
            str(columns.method[row]),
            str(columns.compression[row]),
        )
        rows, videos, sources = groups[key]
        rows.append(row)
        videos.add(str(columns.video_id[row]))
        sources.add(str(columns.source_id[row]))
    facts = asdict(store.facts)
    return {
        **{name: facts[name] for name in facts if name != "shards"},
        "options": dict(store.facts.options),
        "tool": " ".join(store.facts.tool.values()),
        "faces": len(store),
        "shards": len(store.facts.shards),
        "bytes": sum(shard["bytes"] for shard in store.facts.shards),
        "counts": [
            {
                "split": key[0],
                "label": key[1],
                "method": key[2],
                "compression": key[3],
                "faces": len(rows),
                "videos": len(videos),
                "sources": len(sources),
            }
            for key, (rows, videos, sources) in sorted(groups.items())
        ],
    }

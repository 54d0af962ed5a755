"""The colours of the page, light and dark, in one place.

The style sheet takes them as custom properties; the drawings carry the light ones as plain
attributes too, so that they look right where no style sheet reaches (PDF, a copied SVG).
Every text colour has a contrast of at least 4.5 : 1 on every ground it is set on (WCAG AA).
"""

from __future__ import annotations

from unmask.types import Label

LIGHT: dict[str, str] = {
    "paper": "#ffffff",
    "sheet": "#f6f5f2",
    "ink": "#1a1b1d",
    "soft": "#55595e",
    "rule": "#d8d6cf",
    "grid": "#e6e4de",
    "link": "#1d4f8f",
    "plot": "#33485c",
    "band": "#c3ced8",
    "supported": "#9b1c1c",
    "supported-ground": "#fbefed",
    "inconclusive": "#754700",
    "inconclusive-ground": "#fbf4e4",
    "none-found": "#1f4e79",
    "none-found-ground": "#ebf2f8",
    "not-analyzed": "#484b50",
    "not-analyzed-ground": "#f0efec",
}
DARK: dict[str, str] = {
    "paper": "#15171a",
    "sheet": "#1d2024",
    "ink": "#e9e7e2",
    "soft": "#a8acb2",
    "rule": "#383c42",
    "grid": "#2a2e33",
    "link": "#9cc4f2",
    "plot": "#b4c6d8",
    "band": "#3d4d5c",
    "supported": "#ff9f95",
    "supported-ground": "#331b1a",
    "inconclusive": "#f0c26b",
    "inconclusive-ground": "#2d2414",
    "none-found": "#9ec7f0",
    "none-found-ground": "#172431",
    "not-analyzed": "#c3c6cb",
    "not-analyzed-ground": "#26292d",
}
TONES: dict[Label, str] = {
    Label.MANIPULATION_SUPPORTED: "supported",
    Label.INCONCLUSIVE: "inconclusive",
    Label.NO_MANIPULATION_FOUND: "none-found",
    Label.NOT_ANALYZED: "not-analyzed",
}

# Matplotlib's and OpenCV's "inferno" at even steps: the legend of the manipulation map.
HEAT: tuple[str, ...] = ("#000004", "#420a68", "#932667", "#dd513a", "#fca50a", "#fcffa4")

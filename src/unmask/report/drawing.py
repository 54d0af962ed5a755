"""Small drawings of the page as inline SVG: marks, the scale, a face's place, the legend.

Colours are plain attributes (for PDF) that the style sheet overrides by class (for dark).
No attribute takes text that came from a file.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from unmask.report.palette import HEAT, LIGHT, TONES
from unmask.report.text import signed
from unmask.types import Label

if TYPE_CHECKING:
    from markupsafe import Markup

_SHAPES: dict[Label, str] = {
    # A triangle with a bar and dot, a diamond with a line, an open ring, a crossed square.
    Label.MANIPULATION_SUPPORTED: (
        '<path class="fill" fill="{c}" d="M12 1.8 23 21.5H1z"/>'
        '<path fill="{p}" class="knock" d="M10.9 8.6h2.2l-.35 6.6h-1.5zM10.9 16.6h2.2v2.2h-2.2z"/>'
    ),
    Label.INCONCLUSIVE: (
        '<path class="fill" fill="{c}" d="M12 .8 23.2 12 12 23.2.8 12z"/>'
        '<path fill="{p}" class="knock" d="M6.8 10.9h10.4v2.2H6.8z"/>'
    ),
    Label.NO_MANIPULATION_FOUND: (
        '<circle class="line" cx="12" cy="12" r="9.2" fill="none" stroke="{c}" stroke-width="3"/>'
    ),
    Label.NOT_ANALYZED: (
        '<path class="line" d="M3 3h18v18H3zM3 21 21 3" fill="none" stroke="{c}" '
        'stroke-width="2.4"/>'
    ),
}

SCALE_END = 5.0
_SCALE_WIDTH = 720.0
_SCALE_MARGIN = 24.0


def markup(svg: str) -> Markup:
    """Mark finished SVG as safe for the template."""
    from markupsafe import Markup

    return Markup(svg)  # noqa: S704 - built here from numbers and constants only


def label_mark(label: Label) -> Markup:
    """Return the shape of a label, 24 units square; decoration beside the words."""
    tone = TONES[label]
    shape = _SHAPES[label].format(c=LIGHT[tone], p=LIGHT[f"{tone}-ground"])
    return markup(
        f'<svg class="mark" viewBox="0 0 24 24" width="24" height="24" aria-hidden="true">'
        f"{shape}</svg>"
    )


def scale_ruler(log10_lr: float, threshold: float | None) -> Markup:
    """Return the scale from −5 to +5 with the finding and the threshold on it.

    Args:
        log10_lr: The finding; beyond the scale it is drawn at its end.
        threshold: log10 LR from which "manipulation supported" is said, or None.
    """  # noqa: RUF002
    parts = [_ruler_bands(), _ruler_ticks()]
    if threshold is not None and math.isfinite(threshold) and abs(threshold) <= SCALE_END:
        x = _scale_x(threshold)
        parts.append(
            f'<path class="limit" d="M{x:.1f} 40V78" stroke="{LIGHT["ink"]}" stroke-width="1.5" '
            f'stroke-dasharray="4 3" fill="none"/>'
        )
    x = _scale_x(log10_lr)
    anchor = "start" if x < 60 else "end" if x > _SCALE_WIDTH - 60 else "middle"
    parts.append(
        f'<path class="needle" fill="{LIGHT["ink"]}" d="M{x:.1f} 46l-9 -15h18z"/>'
        f'<text class="value" x="{x:.1f}" y="23" text-anchor="{anchor}" font-size="20" '
        f'font-weight="600" fill="{LIGHT["ink"]}">{signed(log10_lr)}</text>'
    )
    said = f"Scale from −5 to +5; this finding lies at {signed(log10_lr)}"  # noqa: RUF001
    if threshold is not None:
        said += f", the threshold at {signed(threshold)}"
    return markup(
        f'<svg class="ruler" viewBox="0 0 720 104" role="img" aria-label="{said}.">'
        + "".join(parts)
        + "</svg>"
    )


def _scale_x(log10_lr: float) -> float:
    clamped = min(SCALE_END, max(-SCALE_END, log10_lr))
    span = _SCALE_WIDTH - 2 * _SCALE_MARGIN
    return _SCALE_MARGIN + span * (clamped + SCALE_END) / (2 * SCALE_END)


def _ruler_bands() -> str:
    """Draw the steps of the verbal scale, stronger in colour towards the ends."""
    edges = (math.log10(2.0), 1.0, 2.0, 3.0, 4.0, SCALE_END)
    parts = []
    for step in range(len(edges) - 1):
        opacity = 0.16 + 0.18 * step
        for side, tone in ((1, "supported"), (-1, "none-found")):
            left, right = sorted((_scale_x(side * edges[step]), _scale_x(side * edges[step + 1])))
            parts.append(
                f'<rect class="{tone}" x="{left:.1f}" y="50" width="{right - left - 1:.1f}" '
                f'height="18" fill="{LIGHT[tone]}" fill-opacity="{opacity:.2f}"/>'
            )
    left, right = _scale_x(-edges[0]), _scale_x(edges[0])
    parts.append(
        f'<rect class="grid" x="{left:.1f}" y="50" width="{right - left - 1:.1f}" height="18" '
        f'fill="{LIGHT["grid"]}"/>'
    )
    return "".join(parts)


def _ruler_ticks() -> str:
    return "".join(
        f'<text class="tick" x="{_scale_x(at):.1f}" y="96" text-anchor="middle" font-size="14" '
        f'fill="{LIGHT["soft"]}">{signed(at, 0)}</text>'
        for at in (-4.0, -2.0, 0.0, 2.0, 4.0)
    )


def place_in_picture(
    bbox_xyxy: tuple[float, float, float, float], width_px: int, height_px: int
) -> Markup | None:
    """Return the outline of the picture with the face's box in it, or None without a size."""
    numbers = (*bbox_xyxy, width_px, height_px)
    if min(width_px, height_px) <= 0 or not all(math.isfinite(value) for value in numbers):
        return None
    scale = 96.0 / max(width_px, height_px)
    width, height = width_px * scale, height_px * scale
    left, right = (min(max(x * scale, 0.0), width) for x in (bbox_xyxy[0], bbox_xyxy[2]))
    top, bottom = (min(max(y * scale, 0.0), height) for y in (bbox_xyxy[1], bbox_xyxy[3]))
    return markup(
        f'<svg class="place" viewBox="-1 -1 {width + 2:.1f} {height + 2:.1f}" '
        f'width="{width + 2:.0f}" height="{height + 2:.0f}" aria-hidden="true">'
        f'<rect class="frame" width="{width:.1f}" height="{height:.1f}" '
        f'fill="{LIGHT["sheet"]}" stroke="{LIGHT["soft"]}"/>'
        f'<rect class="box" x="{left:.1f}" y="{top:.1f}" width="{max(2.0, right - left):.1f}" '
        f'height="{max(2.0, bottom - top):.1f}" fill="{LIGHT["plot"]}"/></svg>'
    )


def map_legend() -> Markup:
    """Return the colour bar of the manipulation map, from nothing to strong."""
    width = 160.0 / len(HEAT)
    cells = "".join(
        f'<rect x="{index * width:.2f}" width="{width + 0.4:.2f}" height="10" fill="{colour}"/>'
        for index, colour in enumerate(HEAT)
    )
    return markup(
        f'<svg class="legend" viewBox="0 0 160 10" width="160" height="10" aria-hidden="true">'
        f"{cells}</svg>"
    )

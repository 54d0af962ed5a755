"""Matplotlib's drawings as SVG that can stand inside a page: no style sheet, no shared names.

A page forbids style attributes (Content-Security-Policy), may hold many drawings, and changes its
colours in the dark; so styles become attributes, names get a prefix, and ink becomes
``currentColor``.
"""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from markupsafe import Markup

# Colours that stand for others: matplotlib draws them, the page decides.
INK, PAPER = "#010203", "#fdfefc"
# Blue, vermillion, green, purple, orange, sky, of Okabe and Ito, the last two darkened so that
# each has a contrast of 3 : 1 on white and on the page's dark ground.
SERIES = ("#0072b2", "#d55e00", "#009e73", "#b55f96", "#b87a00", "#3a87c8")
OTHERS = "#8c8f94"
DASHES = ("-", "--", "-.", ":", (0, (6, 1.5, 1, 1.5, 1, 1.5)), (0, (1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P")
_SPACE = "http://www.w3.org/2000/svg"
_LINK = "{http://www.w3.org/1999/xlink}href"
_PX_PER_IN = 120
_SETTINGS: Any = {
    "svg.hashsalt": "unmask", "svg.fonttype": "none", "font.size": 9, "text.color": INK,
    "axes.edgecolor": INK, "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK,
    "axes.linewidth": 0.6, "xtick.major.width": 0.6, "ytick.major.width": 0.6,
    "axes.titlesize": 9.5, "axes.titleweight": "bold", "axes.titlelocation": "left",
    "legend.frameon": False, "legend.fontsize": 8.5, "axes.spines.top": False,
    "axes.spines.right": False, "lines.linewidth": 1.5, "font.family": "sans-serif",
}  # fmt: skip


def drawing(
    draw: Callable[[Any], None], *, name: str, said: str, size_in: tuple[float, float]
) -> Markup:
    """Draw with matplotlib and return SVG for a page; the same calls give the same bytes.

    Args:
        draw: Called with a :class:`matplotlib.figure.Figure`.
        name: Prefix of the names inside, unique on the page; letters, digits and hyphens.
        said: What the drawing shows, for those who cannot see it.
        size_in: Width and height in inches of 72 points.
    """
    import matplotlib as mpl
    from markupsafe import Markup
    from matplotlib.figure import Figure

    out = io.StringIO()
    with mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=size_in, layout="constrained", facecolor="none")
        draw(figure)
        for axes in figure.axes:
            axes.set_facecolor("none")
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    # Made here from numbers; texts were escaped by the XML writer.
    width_px = round(_PX_PER_IN * size_in[0])
    return Markup(_for_page(out.getvalue(), name, said, width_px))  # noqa: S704


def _for_page(svg: str, name: str, said: str, width_px: int) -> str:
    ET.register_namespace("", _SPACE)
    root = ET.fromstring(svg)  # noqa: S314 - written by matplotlib a moment ago
    for parent in root.iter():
        for child in list(parent):
            if child.tag in (f"{{{_SPACE}}}style", f"{{{_SPACE}}}metadata"):
                parent.remove(child)
    for element in root.iter():
        _plain(element, name)
    root.attrib.pop("height", None)
    root.attrib |= {"width": str(width_px), "class": "plot", "role": "img", "aria-label": said,
                    "stroke-linejoin": "round"}  # fmt: skip
    text = ET.tostring(root, encoding="unicode")
    return text.replace(INK, "currentColor").replace(PAPER, "var(--paper)")


def _plain(element: ET.Element, name: str) -> None:
    attributes = element.attrib
    # Groups are named for matplotlib's own use; only what is pointed at needs its name.
    if element.tag == f"{{{_SPACE}}}g":
        attributes.pop("id", None)
    if "id" in attributes:
        attributes["id"] = f"{name}-{attributes['id']}"
    link = attributes.pop(_LINK, None)
    if link is not None:
        attributes["href"] = link.replace("#", f"#{name}-", 1)
    for part in attributes.pop("style", "").split(";"):
        key, _, value = part.partition(":")
        if value:
            attributes |= _attribute(key.strip(), value.strip())
    for key, value in attributes.items():
        if "url(#" in value:
            attributes[key] = value.replace("url(#", f"url(#{name}-")


def _attribute(key: str, value: str) -> dict[str, str]:
    """A style property as presentation attributes; the page chooses the family of letters."""
    if key != "font":
        return {key: value}
    size = re.search(r"([\d.]+)px", value)
    found = {"font-size": size.group(1)} if size else {}
    return found | ({"font-weight": "600"} if "bold" in value or "700" in value else {})

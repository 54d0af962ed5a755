"""The English words of a verdict, in one place.

The verbal scale follows the ENFSI guideline for evaluative reporting in forensic science
(2015): each factor of ten of the likelihood ratio is one step. It runs both ways. The lower
side is worded as support for *no manipulation of a kind this detector can see*: a method that
finds nothing has not shown that there is nothing.
"""

from __future__ import annotations

import math

from unmask.types import Label

# Upper bound of |log10 LR| for each step. Below a factor of two nothing is supported.
_STEPS: tuple[tuple[float, str], ...] = (
    (1.0, "weak"),
    (2.0, "moderate"),
    (3.0, "moderately strong"),
    (4.0, "strong"),
    (math.inf, "very strong"),
)
_NEUTRAL = math.log10(2.0)
_MILLION = 6.0

NOT_A_PROBABILITY = "This is not a probability that the file is fake."

_LABELS: dict[Label, tuple[str, str, str, str]] = {
    Label.MANIPULATION_SUPPORTED: (
        "Manipulation supported",
        "The findings support that a face was manipulated.",
        "▲",
        "!",
    ),
    Label.INCONCLUSIVE: (
        "Inconclusive",
        "The findings do not settle whether a face was manipulated.",
        "◆",
        "?",
    ),
    Label.NO_MANIPULATION_FOUND: (
        "No manipulation found",
        "No sign of face manipulation was found by this method.",
        "○",
        "o",
    ),
    Label.NOT_ANALYZED: (
        "Not analysed",
        "No verdict: this file could not be analysed.",
        "□",
        "x",
    ),
}


def label_words(label: Label) -> str:
    """Return the label as a short phrase (``Manipulation supported``)."""
    return _LABELS[label][0]


def verdict_words(label: Label, *, declared: bool) -> str:
    """Return the label's phrase, or that the file itself decided it (``Declared synthetic``)."""
    return "Declared synthetic" if declared else label_words(label)


def label_sentence(label: Label) -> str:
    """Return the label as one plain sentence."""
    return _LABELS[label][1]


def label_symbol(label: Label, *, ascii_only: bool = False) -> str:
    """Return one character whose shape alone tells the labels apart."""
    return _LABELS[label][3 if ascii_only else 2]


def strength(log10_lr: float) -> str | None:
    """Return the step on the verbal scale, or None where neither side is supported.

    Args:
        log10_lr: log10 of the likelihood ratio; only its size matters here.

    Raises:
        ValueError: The number is NaN.
    """
    if math.isnan(log10_lr):
        raise ValueError("log10_lr is NaN; a likelihood ratio was expected")
    size = abs(log10_lr)
    if size < _NEUTRAL:
        return None
    return next(name for bound, name in _STEPS if size < bound or bound == math.inf)


def verbal_scale(log10_lr: float) -> str:
    """Return the likelihood ratio in the words of the verbal scale.

    Args:
        log10_lr: log10 of the likelihood ratio; above 0 speaks for manipulation.

    Raises:
        ValueError: The number is NaN.

    Source:
        ENFSI Guideline for Evaluative Reporting in Forensic Science (2015), appendix on
        likelihood-ratio scales. Departs from it: "extremely strong" is not used, since no
        calibration set of this project is large enough to carry it.
    """
    step = strength(log10_lr)
    if step is None:
        return "no support for either side"
    if log10_lr > 0:
        return f"{step} support for manipulation"
    return f"{step} support for no manipulation of a kind this detector can see"


def times_words(log10_lr: float) -> str:
    """Return the likelihood ratio as a comparison a lay reader can repeat.

    Args:
        log10_lr: log10 of the likelihood ratio; above 0 speaks for manipulation.

    Raises:
        ValueError: The number is NaN.
    """
    if strength(log10_lr) is None:
        return (
            "A finding like this is about as probable if the face was manipulated as if it was not."
        )
    this, other = ("was", "was not") if log10_lr > 0 else ("was not", "was")
    return (
        f"A finding like this is {_factor(abs(log10_lr))} times more probable if the face "
        f"{this} manipulated than if it {other}."
    )


def _factor(size: float) -> str:
    """Return ten to the power of ``size`` with two significant digits, in words."""
    if size >= _MILLION:
        return "more than a million"
    ratio = 10.0**size
    digits = max(0, 1 - math.floor(math.log10(ratio)))
    if ratio >= 100:
        ratio = round(ratio, 1 - math.floor(math.log10(ratio)))
    text = f"{ratio:,.{digits}f}"
    return f"about {text.removesuffix('.0')}"

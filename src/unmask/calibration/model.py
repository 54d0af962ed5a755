"""A fitted calibration: score -> log10 likelihood ratio -> label.

A calibration is a small JSON file made by ``unmask.train.calibrate`` on faces that the detector
was not trained on. There is one curve for a single picture and one for a face that was followed
through a film, because the mean of many frames is a surer score than one.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated

import msgspec

from unmask.errors import ModelUnavailable
from unmask.types import Label


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """One logistic curve with bounds.

    Attributes:
        slope: log10 LR per unit of score; positive.
        intercept: log10 LR at score 0.
        lower: Smallest log10 LR that the calibration data can support.
        upper: Largest log10 LR that the calibration data can support.
        threshold_supported: log10 LR from which manipulation is said to be supported.
        threshold_none: log10 LR up to which no manipulation is said to be found.
        false_alarm_rate: Share of untouched held-out faces at or above ``threshold_supported``.
        false_alarm_interval: 95 % interval of that share.
        miss_rate: Share of manipulated held-out faces at or below ``threshold_none``.
    """

    slope: Annotated[float, msgspec.Meta(gt=0)]
    intercept: float
    lower: float
    upper: float
    threshold_supported: float
    threshold_none: float
    false_alarm_rate: float
    false_alarm_interval: tuple[float, float] | None = None
    miss_rate: float | None = None

    def __post_init__(self) -> None:
        """Refuse a curve that contradicts itself; read from a file, it is a damaged one."""
        if not self.lower < self.upper:
            raise ValueError(f"lower bound {self.lower} is not below upper bound {self.upper}")
        if not self.threshold_none < self.threshold_supported:
            raise ValueError(
                f"threshold_none {self.threshold_none} is not below threshold_supported "
                f"{self.threshold_supported}"
            )

    def log10_lr(self, score: float) -> float:
        """The log10 likelihood ratio of a score, within the bounds."""
        return min(max(self.slope * score + self.intercept, self.lower), self.upper)

    def score_at(self, log10_lr: float) -> float | None:
        """The score whose log10 likelihood ratio this is; None where no score reaches it."""
        if not self.lower <= log10_lr <= self.upper:
            return None
        return (log10_lr - self.intercept) / self.slope

    def label(self, log10_lr: float) -> Label:
        """The label of a log10 likelihood ratio; between the thresholds it abstains."""
        if log10_lr >= self.threshold_supported:
            return Label.MANIPULATION_SUPPORTED
        if log10_lr <= self.threshold_none:
            return Label.NO_MANIPULATION_FOUND
        return Label.INCONCLUSIVE


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """A calibration file.

    Attributes:
        id: Name, also the name of its file.
        detector: Id of the detector it belongs to.
        weights_sha256: Weights whose scores it was fitted on.
        made: Date.
        image: Curve for one picture.
        film: Curve for the mean score of one face over the frames of a film.
        data: What it was fitted on, in words and counts.
        measured: Cllr, ECE and the like on the half that was not fitted.
    """

    id: str
    detector: str
    weights_sha256: str
    made: str
    image: Curve
    film: Curve
    data: dict[str, str | int | float]
    measured: dict[str, float] = {}

    def curve(self, *, film: bool) -> Curve:
        """The curve for films or for single pictures."""
        return self.film if film else self.image


def read_calibration(path: Path) -> Calibration:
    """Read a calibration file that ``unmask calibrate`` made.

    Raises:
        ModelUnavailable: It cannot be read, or is no calibration.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Calibration)
    except OSError as error:
        raise ModelUnavailable(
            f"The calibration {path.name} cannot be read: {error.strerror}.",
            hint="Check the path.",
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelUnavailable(
            f"{path.name} is not a calibration: {error}.",
            hint="Give the JSON file that 'unmask calibrate' wrote.",
        ) from error


def load_calibration(calibration_id: str) -> Calibration:
    """Read a calibration that is part of the package.

    Raises:
        ModelUnavailable: There is none of this name, or its file is damaged.
    """
    name = f"{calibration_id}.json"
    try:
        text = files("unmask.calibration").joinpath("data", name).read_bytes()
        return msgspec.json.decode(text, type=Calibration)
    except (OSError, msgspec.DecodeError) as error:
        raise ModelUnavailable(
            f"The calibration {name} cannot be read from the package: {error}.",
            hint="Install Unmask again; its files are incomplete.",
        ) from error

"""Looking for our watermark in some of the frames that pass by in a scan."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from unmask.errors import UnmaskError
from unmask.types_of_origin import WatermarkFinding

if TYPE_CHECKING:
    from unmask.provenance.watermark import WatermarkReading
    from unmask.types import Frame, Image, MediaInfo

# Reading a frame costs about as much as scoring its faces, and the readings of frames add up: few
# do.
_MAX_FRAMES = 8
_SAMPLES_A_READING = 8
_SHORTEST_STEP_S = 1e-3


class WatermarkWatch:
    """Looks for our watermark in some of the frames that pass by.

    Those of a film are spread over all of it, whatever its header says of its length, however
    unevenly its frames follow each other, and wherever it breaks off: frames are kept at first
    closely and, as more come, ever further apart, and only those that are left in the end are
    read. What is kept of a frame is a small copy.

    Args:
        info: Of the input.
    """

    def __init__(self, info: MediaInfo) -> None:
        self._still = info.kind == "image"
        self._seen = 0
        self._clock_s = float("-inf")
        self._apart_s = _SHORTEST_STEP_S
        self._kept: list[tuple[float, Image]] = []
        self._finding: WatermarkFinding | None = None

    def watching(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Pass the frames on as they are, looking at those that are due."""
        for frame in frames:
            if self._finding is None:
                self._look(frame)
            yield frame

    def finding(self) -> WatermarkFinding:
        """What was found, once the frames have passed."""
        if self._finding is None:
            self._finding = self._read()
        return self._finding

    def _look(self, frame: Frame) -> None:
        self._seen += 1
        # Where time stands still or runs backwards, the number of frames is the clock.
        self._clock_s = max(self._clock_s + _SHORTEST_STEP_S, frame.pts_s)
        if self._kept and self._clock_s < self._kept[-1][0] + self._apart_s:
            return
        try:
            from unmask.provenance import watermark

            if min(frame.image.shape[:2]) < watermark.MIN_READ_PX:
                return
            if self._still:
                self._finding = _finding(watermark.read(frame.image), 1)
            else:
                self._keep(watermark.readable_copy(frame.image))
        except UnmaskError as error:
            self._finding = WatermarkFinding(reason=error.message)

    def _keep(self, image: Image) -> None:
        self._kept.append((self._clock_s, image))
        while len(self._kept) > _MAX_FRAMES:
            self._apart_s *= 2
            spread = self._kept[:1]
            for one in self._kept[1:]:
                if one[0] >= spread[-1][0] + self._apart_s:
                    spread.append(one)
            self._kept = spread

    def _read(self) -> WatermarkFinding:
        from unmask.provenance import watermark

        if not self._kept:
            return WatermarkFinding(
                reason=f"It is smaller than {watermark.MIN_READ_PX} px, too small to be searched."
                if self._seen
                else "No frame was decoded."
            )
        count = min(len(self._kept), math.ceil(self._seen / _SAMPLES_A_READING))
        reader = watermark.FilmWatermarkReader()
        try:
            for part in range(count):
                reader.add(self._kept[(2 * part + 1) * len(self._kept) // (2 * count)][1])
            return _finding(reader.reading(), count)
        except UnmaskError as error:
            return WatermarkFinding(reason=error.message)


def _finding(reading: WatermarkReading, frames: int) -> WatermarkFinding:
    return WatermarkFinding(
        status="found" if reading.found else "not_found",
        payload=reading.payload.hex() if reading.payload else None,
        # A bound is rounded upwards, or it would be none.
        log10_false_alarm=math.ceil(100 * reading.log10_false_alarm) / 100,
        frames=frames,
    )

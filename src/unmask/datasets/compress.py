"""Compression levels (c23, c40) made from raw films with x264, as FaceForensics++ made its own.

The frames, their order and their times stay; the picture is coded again with a constant rate
factor; sound is left out. One thread codes a film, so that the same film gives the same bytes.

Source: Roessler et al., "FaceForensics++", ICCV 2019, section 3: H.264 at a quantisation of 23
and 40. What differs: the version of x264, and whatever the authors' FFmpeg set by default then.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from unmask import __version__
from unmask.datasets.prepare_processes import in_processes
from unmask.errors import InputError, NotFound, OutputRefused, UnsupportedMedia, UsageError
from unmask.media import open_media
from unmask.media.encode import replacing
from unmask.media.sniff import HEAD_BYTES, sniff
from unmask.media.upright import Turn, turn_of
from unmask.types import Limits

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

FILMS = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpg", ".webm"})
PRESET = "medium"  # FFmpeg's default
RECORD = "compression.json"
_RAW = ("raw", "c0")  # how sets call the folder of their untouched films


@dataclass(frozen=True, slots=True)
class Job:
    """One film to be made.

    Attributes:
        source: The raw film.
        target: The compressed one.
        crf: Constant rate factor.
        name: What it is called in messages: the source below the root.
    """

    source: Path
    target: Path
    crf: int
    name: str


@dataclass(frozen=True, slots=True)
class Made:
    """What became of a job.

    Attributes:
        job: The job.
        frames: Frames coded; 0 where nothing was made.
        source_bytes, target_bytes: Sizes of both files.
        error: Why nothing was made, or None.
    """

    job: Job
    frames: int
    source_bytes: int = 0
    target_bytes: int = 0
    error: InputError | None = None


def jobs_of(root: Path, folder: Path, crfs: Sequence[int]) -> list[Job]:
    """The films below ``root`` and what is made of them.

    Where films lie in a folder called ``raw`` or ``c0``, as in FaceForensics++, only those are
    taken, and that folder's name becomes ``c23``: the set's reader then finds the result. Else
    every film is taken, and the result lies below ``c23/``.

    Args:
        root: Where to look.
        folder: Where the results go; may be ``root`` where there are ``raw`` folders.
        crfs: Constant rate factors, 1..51.

    Raises:
        NotFound: There is no film, or no such folder.
    """
    films = sorted(
        path.relative_to(root)
        for path in root.rglob("*")
        if path.suffix.lower() in FILMS and path.is_file() and not path.name.startswith(".")
    )
    raw = [name for name in films if any(part in _RAW for part in name.parts[:-1])]
    if not films:
        raise NotFound(
            f"There is no film below {root}.",
            hint=f"Give the folder of the raw films ({', '.join(sorted(FILMS))}).",
        )
    made = {f"c{crf}" for crf in crfs}
    return [
        Job(root / name, folder / _target(name, f"c{crf}"), crf, name.as_posix())
        for crf in crfs
        for name in raw or films
        # Results of an earlier call that lie below the root are no sources.
        if raw or not made.intersection(name.parts[:1])
    ]


def _target(name: PurePath, level: str) -> PurePath:
    parts = list(name.parts[:-1])
    places = [place for place, part in enumerate(parts) if part in _RAW]
    if places:
        parts[places[-1]] = level
    else:
        parts.insert(0, level)
    return PurePath(*parts, f"{name.stem}.mp4")


def compress(
    jobs: Sequence[Job],
    folder: Path,
    *,
    workers: int = 1,
    on_progress: Callable[[int, int, Made | None], None] | None = None,
) -> list[Made]:
    """Make the compressed films that are not there yet; one that fails does not stop the others.

    Args:
        jobs: As :func:`jobs_of` gives them.
        folder: Gets a record of how they were made.
        workers: Processes.
        on_progress: Called with (films done, films in all, the latest), first with those that
            were there.

    Returns:
        What was made or failed by this call, by name; films that were there are not in it.

    Raises:
        UsageError: Two films would become one file; or the folder was made in another way.
        OutputRefused: The folder cannot be written.
        EnvironmentProblem: A worker process died.
    """
    _refuse_clashes(jobs)
    _hold_record(folder)
    todo = [job for job in jobs if not _is_there(job)]
    for place in {job.target.parent for job in todo}:
        place.mkdir(parents=True, exist_ok=True)
    report = on_progress or (lambda *_: None)
    done = len(jobs) - len(todo)
    report(done, len(jobs), None)
    results = []
    for made in in_processes(_make, todo, workers):
        done += 1
        results.append(made)
        report(done, len(jobs), made)
    return sorted(results, key=lambda made: (made.job.crf, made.job.name))


def _refuse_clashes(jobs: Sequence[Job]) -> None:
    taken: dict[Path, Job] = {}
    for job in jobs:
        if (other := taken.setdefault(job.target, job)) is not job:
            raise UsageError(
                f"{other.name} and {job.name} would both become {job.target.name}.",
                hint="Rename one of them, or give their folders one by one.",
            )


def _hold_record(folder: Path) -> None:
    """Note how the films are made; refuse to mix them with films made otherwise."""
    how = {"codec": "libx264", "preset": PRESET, "pix_fmt": "yuv420p"}
    path = folder / RECORD
    try:
        folder.mkdir(parents=True, exist_ok=True)
        there = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    except OSError as error:
        raise OutputRefused(
            f"The folder {folder} cannot be used: {error.strerror or error}.",
            hint="Choose another one with -o.",
        ) from error
    except ValueError:
        there = {}
    if there is None:
        with replacing(path) as beside:
            record = {**how, "tool": f"unmask {__version__}"}
            beside.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    elif {name: there.get(name) for name in how} != how:
        raise UsageError(
            f"{path} says that the films beside it were made otherwise: {there}.",
            hint="Choose another folder with -o.",
        )


def _is_there(job: Job) -> bool:
    """Whether the film was made from the source as it is now; films appear only when whole."""
    try:
        return job.target.stat().st_mtime_ns >= job.source.stat().st_mtime_ns
    except OSError:
        return False


def _make(job: Job) -> Made:
    try:
        frames = transcode(job.source, job.target, job.crf)
    except InputError as error:
        return Made(job, 0, error=error)
    return Made(job, frames, job.source.stat().st_size, job.target.stat().st_size)


def transcode(source: Path, target: Path, crf: int) -> int:
    """Code one film again; the result appears only when it is whole.

    Returns:
        Number of frames.

    Raises:
        InputError: It is no film, or cannot be read to its end.
        OutputRefused: The result cannot be written.
    """
    from unmask.media.film_open import broken

    with open_media(source, limits=Limits()) as media:
        info, cut_short = media.info, media.stopped_early
    if info.kind != "video":
        raise UnsupportedMedia(f"{source.name} is no film ({info.mime}).")
    if cut_short:
        raise broken(cut_short)
    with replacing(target) as beside:
        frames = _code(source, beside, crf)
        if frames != (info.frame_count or frames) or not frames:
            raise broken(f"{frames} of its {info.frame_count} frames could be decoded")
    return frames


def _code(source: Path, target: Path, crf: int) -> int:
    import av

    stream: VideoStream | None = None
    count = 0
    with (
        source.open("rb") as file,
        av.open(str(target), mode="w", format="mp4", options={"movflags": "+faststart"}) as made,
    ):
        for frame, raw in _decoded(file):
            picture = _even(frame)
            if stream is None:
                stream = _stream(made, picture, raw, crf)
            picture.pts, picture.time_base = frame.pts, frame.time_base
            picture.pict_type = av.video.frame.PictureType.NONE  # the coder chooses its key frames
            made.mux(stream.encode(picture))
            count += 1
        if stream is not None:
            made.mux(stream.encode(None))
    return count


def _decoded(file: BinaryIO) -> Iterator[tuple[VideoFrame, VideoStream]]:
    """Every frame with a time after that of the frame before, and the stream it is from."""
    from unmask.media.film_open import AV_ERRORS, broken, open_film, reason_of

    head = file.read(HEAD_BYTES)
    container, stream = open_film(file, sniff(head).reader, Limits())
    last: int | None = None
    try:
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        base = stream.time_base or 1 / rate
        step = max(1, round(1 / rate / base))
        for packet in container.demux(stream):
            for frame in packet.decode():
                if frame.pts is None or (last is not None and frame.pts <= last):
                    frame.pts = 0 if last is None else last + step
                frame.time_base, last = base, frame.pts
                yield frame, stream
    except AV_ERRORS as error:
        raise broken(reason_of(error)) from error
    finally:
        container.close()


def _even(frame: VideoFrame) -> VideoFrame:
    """The frame upright, as yuv420p; an odd last row or column is cut off."""
    import av

    turn = turn_of(frame)
    if turn == Turn() and not (frame.width % 2 or frame.height % 2):
        return frame if frame.format.name == "yuv420p" else frame.reformat(format="yuv420p")
    image = turn.apply(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8))
    even = np.ascontiguousarray(image[: image.shape[0] & ~1, : image.shape[1] & ~1])
    return av.VideoFrame.from_ndarray(even, format="rgb24").reformat(format="yuv420p")


def _stream(made: OutputContainer, picture: VideoFrame, raw: VideoStream, crf: int) -> VideoStream:
    """The stream that is written: size, clock and colours as they are in the raw film."""
    rate = raw.average_rate or raw.guessed_rate or Fraction(25)
    options = {"crf": str(crf), "preset": PRESET, "threads": "1"}
    stream = made.add_stream("libx264", rate=rate, options=options)
    stream.width, stream.height, stream.pix_fmt = picture.width, picture.height, "yuv420p"
    context: Any = stream.codec_context
    context.time_base = raw.time_base or 1 / rate
    for name in ("colorspace", "color_primaries", "color_trc"):
        setattr(context, name, getattr(raw.codec_context, name))
    context.color_range = 1  # limited, as yuv420p is
    return stream

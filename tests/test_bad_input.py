"""A corpus of what can be wrong with an input, all of it in one call of the command line.

Whatever comes: a typed error or an honest report for each, the good files beside it are analysed,
the exit code says so, nothing is a traceback, and nothing unseen gets a clean verdict.
"""

from __future__ import annotations

import io
import os
import socket
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import av
import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from unmask.cli.scan import command
from unmask.media import write_film
from unmask.report import from_json
from unmask.types import Label, Limits, Report

if TYPE_CHECKING:
    from unmask.scanning.scanner import Scanner
    from unmask.types import Image

# name -> the code of the error that it must end in.
BROKEN = {
    "empty.jpg": "empty_input",
    "text.jpg": "unsupported_media",
    "archive.png": "unsupported_media",
    "page.mp4": "unsupported_media",
    "list.m3u8": "unsupported_media",
    "list.mp4": "unsupported_media",
    "concat.mp4": "unsupported_media",
    "cut.jpg": "corrupt_media",
    "cut.png": "corrupt_media",
    "cut.webp": "corrupt_media",
    "flipped.png": "corrupt_media",
    "headless.mp4": "corrupt_media",
    "huge.png": "limit_exceeded",
    "sound.mp4": "no_frames",
    "sound.mp3": "no_frames",
    "folder": "not_a_file",
    "pipe": "not_a_file",
    "socket": "not_a_file",
    "device": "not_a_file",
    "loop": "not_a_file",
    "absent.jpg": "not_found",
    "portrait.jpg/inside.jpg": "not_found",
    "x" * 300 + ".jpg": "not_a_file",
    "nul\0byte.jpg": "not_a_file",
}


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def huge_png() -> bytes:
    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    data = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + data + png_chunk(b"IEND", b"")


def packed(image: Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Pillow.fromarray(image).save(buffer, kind, **options)
    return buffer.getvalue()


def write_sound(path: Path) -> None:
    with av.open(str(path), "w") as film:
        stream = film.add_stream("mp3" if path.suffix == ".mp3" else "aac", rate=8000)
        wave = (8000 * np.sin(np.arange(16000) / 4)).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
        frame.sample_rate = 8000
        turned = av.AudioResampler(format="fltp", layout="mono", rate=8000).resample(frame)
        for part in [*turned, None]:
            film.mux(stream.encode(part))


def faststart(path: Path, target: Path) -> bytes:
    """The film with its header first, so that the start of it can be read."""
    with (
        av.open(str(path)) as source,
        av.open(str(target), "w", options={"movflags": "faststart"}) as film,
    ):
        stream = film.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                film.mux(packet)
    return target.read_bytes()


@pytest.fixture(scope="module")
def corpus(
    tmp_path_factory: pytest.TempPathFactory, portrait: Image, portrait_film: Path
) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("corpus")
    jpeg, png = packed(portrait, "JPEG"), packed(portrait, "PNG")
    (folder / "portrait.jpg").write_bytes(jpeg)
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.jpg").write_text("This is not a picture.\n" * 20)
    with zipfile.ZipFile(folder / "archive.png", "w") as archive:
        archive.writestr("portrait.jpg", jpeg)
    (folder / "page.mp4").write_text("<!doctype html><html><body>404 not found</body></html>")
    (folder / "list.m3u8").write_text("#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:9,\nportrait.mp4\n")
    (folder / "list.mp4").write_text("#EXTM3U\n#EXTINF:9,\nfile:///etc/passwd\n")
    (folder / "concat.mp4").write_text("ffconcat version 1.0\nfile portrait.mp4\n")
    (folder / "cut.jpg").write_bytes(jpeg[:150])
    (folder / "cut.png").write_bytes(png[: len(png) // 2])
    (folder / "cut.webp").write_bytes(packed(portrait, "WEBP")[:1000])
    flipped = bytearray(png)
    flipped[len(png) // 3] ^= 0x10
    (folder / "flipped.png").write_bytes(bytes(flipped))
    (folder / "huge.png").write_bytes(huge_png())
    whole = portrait_film.read_bytes()
    (folder / "headless.mp4").write_bytes(whole[: len(whole) // 3])
    for name in ("sound.mp4", "sound.mp3"):
        write_sound(folder / name)
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")
    (folder / "device").symlink_to("/dev/null")
    (folder / "loop").symlink_to("loop")
    listener = socket.socket(socket.AF_UNIX)
    here = Path.cwd()
    try:  # the path of a socket may have some hundred bytes only
        os.chdir(folder)
        listener.bind("socket")
    finally:
        os.chdir(here)
    yield folder
    listener.close()


def scan_lines(paths: list[str], *options: str) -> tuple[int, list[Report], str]:
    """Scan through the command line in a process of its own: exit code, reports, stderr."""
    import subprocess
    import sys

    code = (
        f"import sys; from unmask.cli import main; sys.exit(main({['scan', *paths, *options]!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--"],
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    reports = [from_json(line) for line in done.stdout.splitlines()]
    return done.returncode, reports, done.stderr.decode()


@pytest.fixture(scope="module")
def outcome(corpus: Path, face_models: Path) -> tuple[int, dict[str, Report], str]:
    """Everything that is wrong, between two good files, in one call."""
    assert face_models.is_dir()
    strange = corpus / os.fsdecode(b"caf\xe9 \x1b[31m.jpg")
    strange.write_bytes((corpus / "portrait.jpg").read_bytes())
    names = [*BROKEN, "portrait.jpg"]
    paths = [str(strange), *(os.path.join(corpus, name) for name in names), "-"]  # noqa: PTH118
    code, reports, err = scan_lines(paths, "--format", "ndjson")
    assert len(reports) == len(paths), err
    return code, dict(zip(["strange", *names, "-"], reports, strict=True)), err


def test_the_exit_code_says_that_something_was_not_analysed(outcome) -> None:
    assert outcome[0] == 3


@pytest.mark.parametrize("name", BROKEN, ids=lambda name: name[:30].replace("\0", "?"))
def test_each_bad_input_ends_in_its_error(name: str, outcome) -> None:
    report = outcome[1][name]
    assert report.verdict.label is Label.NOT_ANALYZED
    assert report.verdict.log10_lr is None
    assert [problem.code for problem in report.errors] == [BROKEN[name]]
    (problem,) = report.errors
    assert problem.message.endswith(".")
    assert problem.hint.endswith(".") or "--max-pixels" in problem.hint
    assert report.faces == []
    assert report.detectors[0].status == "not_applicable"


def test_empty_standard_input_is_an_error_of_its_own(outcome) -> None:
    assert [problem.code for problem in outcome[1]["-"].errors] == ["empty_input"]


@pytest.mark.parametrize("name", ["portrait.jpg", "strange"])
def test_the_good_files_beside_them_are_analysed(name: str, outcome) -> None:
    report = outcome[1][name]
    assert report.errors == []
    assert report.verdict.label is not Label.NOT_ANALYZED
    assert len(report.faces) == 1


def test_what_could_be_read_is_named_by_its_digest(outcome) -> None:
    reports = outcome[1]
    assert reports["text.jpg"].input.sha256 is not None
    assert reports["text.jpg"].input.bytes == 23 * 20
    assert reports["absent.jpg"].input.sha256 is None


def test_messages_name_the_file_and_hold_no_traceback_and_no_escape(outcome) -> None:
    err = outcome[2]
    assert "Traceback" not in err
    assert "\x1b" not in err
    for name, code in BROKEN.items():
        if name.isprintable():
            assert f"{name.rpartition('/')[2]}: error[{code}]: " in err


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read every file")
def test_a_file_that_may_not_be_read(tmp_path: Path, scanner: Scanner) -> None:
    path = tmp_path / "secret.jpg"
    path.write_bytes(b"\xff\xd8\xff")
    path.chmod(0)
    report = scanner.scan_or_explain(path)
    assert [problem.code for problem in report.errors] == ["permission_refused"]


# ------------------------------------------------- readable, but not what it should be


def test_a_film_cut_short_is_never_clean(
    tmp_path: Path, portrait_film: Path, scanner: Scanner
) -> None:
    whole = faststart(portrait_film, tmp_path / "whole.mp4")
    seen = set()
    for share in (0.99, 0.9, 0.7, 0.5, 0.3, 0.15):
        path = tmp_path / f"cut-{share}.mp4"
        path.write_bytes(whole[: int(len(whole) * share)])
        report = scanner.scan_or_explain(path)
        seen.add(report.verdict.label)
        assert report.verdict.label is not Label.NO_MANIPULATION_FOUND
        codes = {problem.code for problem in report.errors}
        assert codes & {"stopped_early", "corrupt_media"}, share
        if "stopped_early" in codes:
            assert report.coverage.stopped_early
            assert "stopped_early" in {reason.code for reason in report.verdict.reasons}
    assert len(seen) >= 1


def test_a_film_of_two_frames_is_too_few(tmp_path: Path, portrait: Image, scanner: Scanner) -> None:
    path = tmp_path / "two.mp4"
    write_film(path, iter([portrait[:480, :480].copy()] * 2), 10.0, crf=18)
    report = scanner.scan(path)
    assert report.coverage.frames_seen == 2
    assert report.verdict.label is Label.INCONCLUSIVE
    assert report.verdict.log10_lr is None
    assert [reason.code for reason in report.verdict.reasons] == ["too_few_frames"]
    assert report.faces[0].verdict.label is Label.INCONCLUSIVE


@pytest.mark.parametrize("kind", ["picture", "film"])
def test_without_a_face_there_is_no_score(kind: str, tmp_path: Path, scanner: Scanner) -> None:
    rng = np.random.default_rng(0)
    rough = rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)
    image = np.asarray(Pillow.fromarray(rough).resize((320, 240), Pillow.Resampling.BICUBIC))
    path = tmp_path / ("no-face.png" if kind == "picture" else "no-face.mp4")
    if kind == "picture":
        Pillow.fromarray(image).save(path)
    else:
        write_film(path, iter([image] * 8), 10.0, crf=18)
    report = scanner.scan(path)
    assert report.verdict.label is Label.NOT_ANALYZED
    assert (report.verdict.log10_lr, report.verdict.in_scope) == (None, False)
    assert [reason.code for reason in report.verdict.reasons] == ["no_face"]
    assert report.coverage.frames_seen == (1 if kind == "picture" else 8)
    assert (report.coverage.faces_found, report.timeline) == (0, [])
    assert report.detectors[0].score is None


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_two_hundred_faces_are_never_clean(
    scale: float, tmp_path: Path, portrait: Image, scanner: Scanner
) -> None:
    head = portrait[20:184, 146:272]
    lit = [np.clip(head * (0.7 + 0.015 * (n * 7 % 20)), 0, 255).astype(np.uint8) for n in range(20)]
    crowd = np.concatenate([np.concatenate(lit[n:] + lit[:n], axis=1) for n in range(10)])
    path = tmp_path / "crowd.jpg"
    path.write_bytes(packed(cv2.resize(crowd, None, fx=scale, fy=scale), "JPEG", quality=92))
    report = scanner.scan(path)
    assert report.verdict.label is not Label.NO_MANIPULATION_FOUND
    codes = {reason.code for reason in report.verdict.reasons}
    if scale == 1.0:
        assert report.coverage.faces_found == 50
        assert "too_many_faces" in codes
    else:
        assert codes & {"main_face_not_judged", "most_faces_not_judged", "face_too_small"}


def test_a_tiny_and_a_blurred_face_are_out_of_scope(
    tmp_path: Path, portrait: Image, scanner: Scanner
) -> None:
    tiny = np.full((480, 640, 3), 140, np.uint8)
    tiny[200:300, 300:400] = cv2.resize(portrait[:256, 100:356], (100, 100))
    blurred = cv2.GaussianBlur(portrait, None, 3)
    for name, image, code in (
        ("tiny", tiny, "face_too_small"),
        ("blurred", blurred, "face_too_blurred"),
    ):
        path = tmp_path / f"{name}.png"
        Pillow.fromarray(image).save(path)
        report = scanner.scan(path)
        assert report.coverage.faces_found == 1, name
        assert report.verdict.label is Label.INCONCLUSIVE
        assert (report.verdict.log10_lr, report.verdict.in_scope) == (None, False)
        assert code in {reason.code for reason in report.verdict.reasons}


def test_a_drawing_gets_no_clean_verdict_unless_a_face_was_judged(
    tmp_path: Path, scanner: Scanner
) -> None:
    image = np.full((480, 480, 3), 235, np.uint8)
    cv2.ellipse(image, (240, 240), (130, 170), 0, 0, 360, (250, 205, 160), -1)
    for x in (190, 290):
        cv2.circle(image, (x, 200), 24, (255, 255, 255), -1)
        cv2.circle(image, (x, 200), 10, (40, 30, 20), -1)
    cv2.ellipse(image, (240, 320), (55, 25), 0, 0, 180, (170, 40, 50), 6)
    path = tmp_path / "drawing.png"
    Pillow.fromarray(image).save(path)
    report = scanner.scan(path)
    if not any(face.verdict.in_scope for face in report.faces):
        assert report.verdict.label in {Label.NOT_ANALYZED, Label.INCONCLUSIVE}
        assert report.verdict.log10_lr is None


def test_a_file_that_changes_meanwhile_is_never_clean(
    tmp_path: Path, portrait_file: Path, scanner: Scanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "changing.jpg"
    path.write_bytes(portrait_file.read_bytes())
    find = scanner._finder.find

    def find_while_somebody_writes(image: Image, **options: object):
        with path.open("ab") as file:
            file.write(b"\0")
        return find(image, **options)

    monkeypatch.setattr(scanner._finder, "find", find_while_somebody_writes)
    report = scanner.scan(path)
    assert report.input.unchanged is False
    assert [problem.code for problem in report.errors] == ["input_changed"]
    assert report.verdict.label is not Label.NO_MANIPULATION_FOUND


def test_a_fault_of_ours_costs_one_file_only(
    tmp_path: Path, portrait_file: Path, scanner: Scanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    find, calls = scanner._finder.find, []

    def find_and_fail_once(image: Image, **options: object):
        calls.append(1)
        if len(calls) == 1:
            raise cv2.error("assertion failed")
        return find(image, **options)

    monkeypatch.setattr(scanner._finder, "find", find_and_fail_once)
    (_, failed), (_, good) = scanner.scan_all([portrait_file, portrait_file])
    assert [problem.code for problem in failed.errors] == ["internal_fault"]
    assert failed.verdict.label is Label.NOT_ANALYZED
    assert len(good.faces) == 1


def test_want_of_memory_is_told_as_a_limit(
    portrait_file: Path, scanner: Scanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(image: Image, **options: object):
        raise MemoryError

    monkeypatch.setattr(scanner._finder, "find", no_memory)
    report = scanner.scan_or_explain(portrait_file)
    assert [problem.code for problem in report.errors] == ["limit_exceeded"]


@pytest.mark.parametrize(
    ("field", "value", "flag"),
    [
        ("max_bytes", 1000, "--max-bytes"),
        ("max_pixels", 1000, "--max-pixels"),
        ("max_duration_s", 0.5, "--max-duration"),
        ("max_frames", 3, "--max-frames"),
    ],
)
def test_each_limit_is_named_with_its_flag(
    field: str,
    value: float,
    flag: str,
    portrait_film: Path,
    scanner: Scanner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scanner, "_limits", Limits(**{field: value}))
    report = scanner.scan_or_explain(portrait_film)
    assert [problem.code for problem in report.errors] == ["limit_exceeded"]
    assert flag in report.errors[0].hint
    assert report.method.settings[field] == str(value)
    assert {option for param in command.params for option in param.opts} >= {flag}

"""The alignments file: read back as written, mended by hand, named by line where broken."""

from __future__ import annotations

import numpy as np
import pytest

from unmask.errors import CorruptMedia, NotFound
from unmask.forge.alignments import (
    FILE,
    VERSION,
    Alignments,
    FaceRecord,
    SourceRecord,
    read_alignments,
    usable,
    write_alignments,
)


def record(number: int, **changed: object) -> FaceRecord:
    facts: dict[str, object] = {
        "track": 0, "score": 0.9, "face_px": 100.0, "sharpness": 50.0, "yaw_deg": 1.0,
        "pitch_deg": 2.0, "roll_deg": 3.0, "landmark_score": 1.0, "visible_fraction": 1.0,
        "landmarks": [(float(n), float(number)) for n in range(468)],
        "file": f"faces/a_{number}.png", "source": "a.mp4", "frame": number,
        "pts_s": number / 25, "face": 0, "shot": 0,
        "matrix": ((0.5, 0.0, 1.0), (0.0, 0.5, 2.0)),
    }  # fmt: skip
    return FaceRecord(**(facts | changed))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "faces").mkdir()
    for number in range(4):
        (tmp_path / "faces" / f"a_{number}.png").write_bytes(b"here")
    write(tmp_path, [record(number) for number in range(4)])
    return tmp_path


def write(folder, faces):
    source = SourceRecord(name="a.mp4", sha256="0" * 64, kind="film", frame_rate=25.0)
    write_alignments(folder, Alignments(version=VERSION, size_px=64, margin=1.5, one_region=False,
                                        digest="d", sources=[source], faces=faces))  # fmt: skip


def test_round_trip(folder):
    found = read_alignments(folder)
    assert found.faces == [record(number) for number in range(4)]
    assert found.sources[0].frame_rate == 25
    local = found.faces[2].local()
    np.testing.assert_allclose(local[10], [0.5 * 10 + 1, 0.5 * 2 + 2])


def test_faces_are_left_out_by_hand(folder):
    text = (folder / FILE).read_text()
    lines = text.splitlines()
    at = next(n for n, line in enumerate(lines) if "a_1.png" in line)
    assert '"use":true' in lines[at][:60]  # in front, where it is found
    lines[at] = lines[at].replace('"use":true', '"use": false')
    (folder / FILE).write_text("\n".join(lines))
    (folder / "faces" / "a_3.png").unlink()
    assert [face.frame for face in usable(folder, read_alignments(folder))] == [0, 2]


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        ('"use":true', '"use":tru', "JSON is malformed"),
        ('"use":true', '"use":1', "Expected `bool`"),
        ('"frame":2', '"frame":-2', "Expected `int` >= 0"),
        ('"source":"a.mp4"', '"source":"b.mp4"', "'b.mp4' is not among"),
        ("faces/a_2.png", "../../etc/a_2.png", "outside the folder"),
        ("[0.5,0.0,1.0]", "[0.0,0.0,1.0]", "cannot be inverted"),
        ("[467.0,2.0]", "[467.0]", "Expected `array` of length 2"),
    ],
)
def test_what_is_broken_is_named_with_its_line(folder, before, after, what):
    lines = (folder / FILE).read_text().splitlines()
    at = next(n for n, line in enumerate(lines) if "a_2.png" in line)
    assert before in lines[at]
    lines[at] = lines[at].replace(before, after)
    (folder / FILE).write_text("\n".join(lines))
    with pytest.raises(CorruptMedia, match=f"line {at + 1}: .*{what}"):
        read_alignments(folder)


def test_sound_outside_the_folder_is_refused(folder):
    text = (folder / FILE).read_text()
    assert '"audio":""' in text
    (folder / FILE).write_text(text.replace('"audio":""', '"audio":"../other.wav"'))
    with pytest.raises(CorruptMedia, match=r"other\.wav' lies outside the folder"):
        read_alignments(folder)


def test_cut_short_absent_and_of_another_version(folder, tmp_path):
    whole = (folder / FILE).read_text()
    (folder / FILE).write_text(whole[: len(whole) // 2])
    with pytest.raises(CorruptMedia, match="line"):
        read_alignments(folder)
    (folder / FILE).write_text(whole.replace('"version": 1', '"version": 9'))
    with pytest.raises(CorruptMedia, match="version 9"):
        read_alignments(folder)
    with pytest.raises(NotFound, match="alignments"):
        read_alignments(tmp_path / "faces")

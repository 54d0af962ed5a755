"""``unmask provenance`` as a user runs it: what is printed, what is written, the exit codes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.provenance.conftest import drawn, write_sample

from unmask import cli
from unmask.media import hash_file, write_film, write_picture
from unmask.provenance import ForgeryLabel, iptc, write_labelled_picture

pytest.importorskip("c2pa", reason="needs pip install 'unmask[provenance]'")
pytest.importorskip("cryptography", reason="needs pip install 'unmask[provenance]'")

Run = Callable[..., tuple[int, str, str]]
CONSENT = "The one who is drawn, in writing"


@pytest.fixture
def run(
    capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Run:
    monkeypatch.setenv("UNMASK_IDENTITY", str(tmp_path / "data" / "identity"))
    monkeypatch.setenv("UNMASK_LOG", str(tmp_path / "data" / "log.db"))

    def call(*words: object) -> tuple[int, str, str]:
        code = cli.main(["provenance", *map(str, words)])
        out, err = capfdbinary.readouterr()
        return code, out.decode(), err.decode()

    return call


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "mine.png"
    write_picture(path, drawn())
    return path


@pytest.fixture
def anchor(run: Run, tmp_path: Path) -> Path:
    run("init")
    return tmp_path / "data" / "identity" / "root.pem"


def test_init_makes_an_identity_once(run: Run, anchor: Path) -> None:
    code, out, _ = run("init")
    assert code == 0
    assert "Unmask signer" in out
    assert str(anchor) in out
    assert run("init")[1] == out


@pytest.mark.parametrize(
    ("words", "code"),
    [(["--key", "k.pem"], 2), (["--anchor", "a.pem"], 2),
     (["--key", "none.pem", "--chain", "none.pem"], 3)],
)  # fmt: skip
def test_init_wants_a_key_with_its_certificates(run: Run, words: list[str], code: int) -> None:
    assert run("init", *words)[0] == code


def test_init_refuses_a_bad_key_and_keeps_nothing(run: Run, tmp_path: Path) -> None:
    bad = tmp_path / "bad.pem"
    bad.write_text("no key")
    code, _, err = run("init", "--key", bad, "--chain", bad)
    assert code == 4
    assert "identity_unusable" in err
    assert "Traceback" not in err
    assert not (tmp_path / "data").exists() or not list((tmp_path / "data").iterdir())


def test_verify_answers_with_its_exit_code(
    run: Run, picture: Path, anchor: Path, tmp_path: Path
) -> None:
    assert run("verify", picture)[:2] == (
        1,
        "Content credentials  absent\nSigned by            -\n",
    )
    signed = tmp_path / "signed.png"
    assert run("sign", picture, "-o", signed, "--source-type", "digitalCapture")[0] == 0
    assert run("verify", signed)[0] == 0
    code, out, _ = run("verify", signed, "--anchors", anchor, "--json")
    assert (code, json.loads(out)["status"]) == (0, "trusted")
    stranger = write_stranger(tmp_path)
    assert run("verify", signed, "--anchors", stranger)[0] == 1
    data = bytearray(signed.read_bytes())
    data[-40] ^= 1
    signed.write_bytes(data)
    code, out, _ = run("verify", signed)
    assert code == 1
    assert "invalid" in out


def write_stranger(tmp_path: Path) -> Path:
    from unmask.provenance import authority

    path = tmp_path / "stranger.pem"
    path.write_bytes(authority.identity(tmp_path / "stranger").anchor_pem)
    return path


def test_show_tells_people_and_programs_everything(run: Run, tmp_path: Path, anchor: Path) -> None:
    path = tmp_path / "forged.jpg"
    label = ForgeryLabel("A test", "landmark_swap", iptc.COMPOSITE_CAPTURE, consent=CONSENT)
    write_labelled_picture(path, drawn(), label)
    code, out, _ = run("show", path)
    assert code == 0
    for words in ("valid", "landmark_swap", CONSENT, "compositeCapture", "payload", "Declared",
                  "standard, quality 95", "evidence of nothing"):  # fmt: skip
        assert words in out
    code, out, _ = run("show", path, "--anchors", anchor, "--json")
    found = json.loads(out)
    assert found["provenance"]["credentials"]["status"] == "trusted"
    assert found["provenance"]["watermark"]["status"] == "found"
    assert found["statement"]["consent"] == CONSENT
    assert found["sha256"] == hash_file(path)


def test_show_of_a_file_that_says_nothing(run: Run, picture: Path) -> None:
    code, out, _ = run("show", picture)
    assert code == 0
    assert "none in the file" in out
    assert "not found in 1 frame" in out


def test_signing_again_keeps_the_history(run: Run, picture: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.png", tmp_path / "second.png"
    run("sign", picture, "-o", first, "--source-type", "digitalCapture")
    code, _, err = run("sign", first, "-o", second, "--source-type", "humanEdits", "--title", "T")
    assert (code, "signed" in err) == (0, True)
    _, out, _ = run("show", second)
    assert "c2pa.opened, c2pa.published" in out
    assert "Their history declares" in out
    assert json.loads(run("log", "verify", "--json")[1]) == {
        "entries": 2, "holds": True, "problems": []
    }  # fmt: skip


def test_what_is_synthetic_is_signed_as_nothing_else(run: Run, tmp_path: Path) -> None:
    forged, out = tmp_path / "forged.png", tmp_path / "out.png"
    write_labelled_picture(forged, drawn(), ForgeryLabel("A face", "gan", iptc.TRAINED))
    stripped = tmp_path / "stripped.png"  # saved anew: credentials and tags are gone
    from unmask.media import open_media
    from unmask.types import Limits

    with open_media(forged, limits=Limits()) as media:
        write_picture(stripped, next(iter(media.frames())).image)
    for source in (forged, stripped):
        code, _, err = run("sign", source, "-o", out, "--source-type", "digitalCapture")
        assert code == 2
        assert "synthetic" in err
        assert not out.exists()
    assert run("sign", forged, "-o", out, "--source-type", "trainedAlgorithmicMedia")[0] == 0


def test_a_files_name_is_not_signed(run: Run, tmp_path: Path) -> None:
    picture = tmp_path / "the-miller-case.png"
    write_picture(picture, drawn())
    signed, labelled = tmp_path / "signed.png", tmp_path / "labelled.png"
    run("sign", picture, "-o", signed, "--source-type", "digitalCapture")
    run("sign", signed, "-o", signed, "--source-type", "digitalCapture")
    run("watermark", picture, "--embed", "-o", labelled, "--method", "gan", "--consent", CONSENT)
    for path in (signed, labelled):
        assert b"miller" not in path.read_bytes()
    run("sign", picture, "-o", signed, "--source-type", "digitalCapture", "--title", "Of a miller")
    assert b"Of a miller" in signed.read_bytes()


def test_a_pipe_or_device_is_refused_at_once(run: Run, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.jpg"
    os.mkfifo(pipe)
    for command in ("verify", "show", "watermark"):
        for path in (pipe, "/dev/zero"):
            code, _, err = run(command, path)
            assert (code, "not_a_file" in err) == (3, True), (command, path)


def test_anchors_without_end_are_refused(run: Run, picture: Path) -> None:
    code, _, err = run("verify", picture, "--anchors", "/dev/zero")
    assert code == 2
    assert "no PEM file" in err


def test_nothing_is_shown_of_a_statement_that_does_not_hold(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "forged.jpg"
    label = ForgeryLabel("A test", "landmark_swap", iptc.COMPOSITE_CAPTURE, consent=CONSENT)
    write_labelled_picture(path, drawn(), label)
    data = bytearray(path.read_bytes())
    data[-40] ^= 1
    path.write_bytes(data)
    code, out, _ = run("show", path)
    assert code == 0
    assert CONSENT not in out
    assert "They declare (not counted)" in out
    assert json.loads(run("show", path, "--json")[1])["statement"] is None


def test_a_format_that_cannot_be_signed_is_refused(run: Run, tmp_path: Path) -> None:
    import PIL.Image

    path = tmp_path / "a.bmp"
    PIL.Image.new("RGB", (9, 9)).save(path)
    code, _, err = run("sign", path, "-o", tmp_path / "b.bmp", "--source-type", "print")
    assert code == 3
    assert "These can: JPEG" in err


def test_a_watermark_leads_back_to_the_log(run: Run, picture: Path, tmp_path: Path) -> None:
    code, out, _ = run("watermark", picture)
    assert (code, "not found" in out) == (0, True)
    forged = tmp_path / "forged.jpg"
    code, _, err = run("watermark", picture, "--embed", "-o", forged, "--method", "my gan",
                       "--consent", CONSENT)  # fmt: skip
    assert code == 0, err
    code, out, _ = run("watermark", forged, "--json")
    found = json.loads(out)
    assert found["found"]
    assert [one["sha256"] for one in found["log"]] == [hash_file(forged)]
    assert run("verify", forged)[0] == 0


def test_a_film_is_labelled_with_all_its_frames(run: Run, tmp_path: Path) -> None:
    film, out = tmp_path / "film.mp4", tmp_path / "out.mp4"
    write_film(film, [drawn(seed=n) for n in range(5)], 10)
    code, _, err = run("watermark", film, "--embed", "-o", out, "--method", "gan", "--whole")
    assert code == 0, err
    assert "found in" in run("show", out)[1]


@pytest.mark.parametrize(
    "words",
    [["--embed"], ["--embed", "-o", "a.png"], ["--method", "x"], ["-o", "a.png"],
     ["--embed", "-o", "a.png", "--method", "x"],
     ["--embed", "-o", "a.webm", "--method", "x", "--whole"],
     ["--embed", "-o", "a.png", "--method", "x\x1b", "--whole"]],
)  # fmt: skip
def test_embedding_is_a_declaration_or_nothing(
    run: Run, picture: Path, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = run("watermark", picture, *words)
    assert code == 2, err
    assert not list(tmp_path.glob("a.*"))


def test_the_log_proves_what_it_holds(
    run: Run, picture: Path, anchor: Path, tmp_path: Path
) -> None:
    assert run("log", "verify")[0] == 3  # there is none
    head, proof = tmp_path / "head.json", tmp_path / "proof.json"
    code, out, _ = run("log", "append", picture, "ab" * 32, "--note", "as received")
    assert code == 0
    assert hash_file(picture) in out
    assert run("log", "head", "-o", head)[0] == 0
    run("log", "append", "cd" * 32)
    assert run("log", "prove", picture, "-o", proof, "--head", head)[0] == 0
    code, out, _ = run("log", "verify", proof, "--file", picture, "--head", head,
                       "--anchors", anchor)  # fmt: skip
    assert code == 0
    assert "as received" in out
    assert "trusted" in out
    (tmp_path / "data" / "log.db").unlink()  # the proof needs no log
    assert json.loads(run("log", "verify", proof, "--json")[1])["holds"]
    assert run("log", "verify", proof, "--file", "ab" * 32)[0] == 1
    assert run("log", "verify", proof, "--anchors", write_stranger(tmp_path))[0] == 1
    picture.write_bytes(picture.read_bytes() + b"\0")
    assert run("log", "verify", proof, "--file", picture)[0] == 1


def test_a_log_that_was_altered_is_found_out(run: Run, tmp_path: Path) -> None:
    import sqlite3

    run("log", "append", "ab" * 32)
    assert run("log", "verify")[0] == 0
    with sqlite3.connect(tmp_path / "data" / "log.db") as connection:
        connection.execute("DROP TRIGGER no_UPDATE_of_nodes")
        connection.execute("UPDATE nodes SET hash = x'00'")
    connection.close()
    code, out, _ = run("log", "verify")
    assert code == 1
    assert "NOT" in out


@pytest.mark.parametrize(
    ("words", "code"),
    [(["append", "none.png"], 3), (["prove", "none.png"], 3), (["prove", "ab" * 32], 3),
     (["verify", "none.json"], 3), (["verify", "--file", "x"], 2), (["head"], 3),
     (["append", "--kind", "forged", "ab" * 32], 2)],
)  # fmt: skip
def test_bad_calls_end_with_a_message(run: Run, words: list[str], code: int) -> None:
    found, _, err = run("log", *words)
    assert found == code
    assert "Traceback" not in err
    assert err.strip()


def test_a_proof_that_is_none_is_refused(run: Run, tmp_path: Path) -> None:
    path = write_sample(tmp_path / "proof.png")
    code, _, err = run("log", "verify", path)
    assert code == 3
    assert "invalid_proof" in err


def test_scan_records_inputs_and_reports_where_asked(
    scan, run: Run, portrait_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "reports"
    assert scan(portrait_file, "-o", out)[0] == 0
    assert run("log", "verify")[0] == 3  # nothing is kept that was not asked for
    assert scan(portrait_file, "-o", out, "--log")[0] == 0
    for path in (portrait_file, *out.glob("*.json"), *out.glob("*.html")):
        assert run("log", "prove", path)[0] == 0, path.name


def test_an_input_that_could_not_be_logged_is_not_done(
    scan, monkeypatch: pytest.MonkeyPatch, portrait_file: Path, tmp_path: Path
) -> None:
    """A stop between a report and the log must not make the next call pass the input over."""
    from unmask.provenance.log import Log

    out = tmp_path / "reports"
    with monkeypatch.context() as patch:
        patch.setattr(Log, "append", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        scan(portrait_file, "-o", out, "--format", "ndjson", "--log")
    assert not [line for path in out.glob("*.ndjson") for line in path.read_text().splitlines()]
    assert scan(portrait_file, "-o", out, "--format", "ndjson", "--log", "--resume")[0] == 0
    assert len((next(out.glob("*.ndjson"))).read_text().splitlines()) == 1

"""The bench of the invisible watermark, on a few drawn pictures."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from PIL import Image as Pillow

from unmask.bench import watermark as bench
from unmask.bench import watermark_measure, watermark_rivals
from unmask.errors import NotFound
from unmask.media import write_film
from unmask.metrics.pictures import psnr
from unmask.train.watermark_pictures import drawn


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(8)
    for name, side in (
        ("dfdc_faces/train/real", 224),
        ("portraits/man_unsplash", 256),
        ("portraits/celeba", 160),
    ):
        (folder / name).mkdir(parents=True)
        for number in range(2):
            Pillow.fromarray(drawn(side, rng)).save(folder / name / f"{number}.png")
    (folder / "clips/real").mkdir(parents=True)
    write_film(folder / "clips/real/one.mp4", [drawn(256, rng)] * 3, 10.0)
    return folder


@pytest.mark.slow
def test_the_page_and_its_table_are_written(data, tmp_path):
    page = tmp_path / "page.md"
    few = ["--pictures", "1", "--unmarked", "4", "--jobs", "1"]
    bench.main(["--data", str(data), "--page", str(page), *few])
    text = page.read_text()
    assert "| at least 99% of payloads, clean | 100.0% of 4 | yes |" in text
    assert "4 readings of pictures without a mark" in text
    with page.with_suffix(".csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert {row["scheme"] for row in rows} >= {"ours", "ours, untrained"}
    clean = [row for row in rows if row["scheme"] == "ours" and row["after"] == "nothing"]
    assert [(row["right_or_value"], row["of"]) for row in clean] == [("1", "1")] * 4


def test_absent_data_are_named(tmp_path):
    with pytest.raises(NotFound, match="dfdc_faces"):
        bench.Sources(tmp_path)


def test_the_untrained_scheme_is_as_strong_as_ours_and_is_read():
    image = drawn(256, np.random.default_rng(2))
    ours, plain = watermark_rivals.ours(), watermark_rivals.untrained()
    strengths = [psnr(scheme.embed(image, b"abcd"), image) for scheme in (ours, plain)]
    assert strengths[1] == pytest.approx(strengths[0], abs=1.5)
    assert plain.read(plain.embed(image, b"abcd")) == b"abcd"
    assert plain.read(image) is None


def test_a_scheme_that_needs_more_pixels_is_left_out():
    small = watermark_rivals.Scheme("none", lambda image, _: image, lambda _: b"abcd", 400)
    result = watermark_measure.outlived(small, "drawn", [np.zeros((300, 300, 3), np.uint8)], 1)
    assert not any(result.right.values())
    assert result.psnr_db == []


def test_what_is_right_is_counted_for_each_attack():
    # Says the same whatever it sees: right only by chance.
    deaf = watermark_rivals.Scheme("deaf", lambda image, _: image, lambda _: b"abcd", 1)
    result = watermark_measure.outlived(deaf, "drawn", [np.zeros((130, 130, 3), np.uint8)], 1)
    assert list(result.right) == list(watermark_measure.ATTACKS)
    assert all(right == [False] for right in result.right.values())
    assert result.wrong == len(watermark_measure.ATTACKS)

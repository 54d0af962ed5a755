"""Small trees in the layout of each data set, for every test that needs one.

``MAKERS[id](root)`` makes a whole, consistent tree and returns the options to open it with. The
files hold ``content``: a few bytes for tests of the lists, a generated film for others.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

FILM = b"film"
Maker = Callable[..., dict[str, str]]

PAIRS = {"train": [("000", "001")], "val": [("002", "003")], "test": [("004", "005")]}
FFPP_FOLDERS = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures", "FaceShifter")


def write(root: Path, names: Iterable[str], content: bytes = FILM) -> None:
    """Make the files."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(header)
        writer.writerows(rows)


def ffpp(
    root: Path,
    content: bytes = FILM,
    pairs: Mapping[str, Sequence[tuple[str, str]]] = PAIRS,
    level: str = "c23",
    media: bool = True,
) -> dict[str, str]:
    for split, members in pairs.items():
        write_json(root / "splits" / f"{split}.json", [list(pair) for pair in members])
    both = [pair for members in pairs.values() for pair in members]
    if media:
        reals = f"original_sequences/youtube/{level}/videos"
        write(root, (f"{reals}/{name}.mp4" for pair in both for name in pair), content)
        for folder in FFPP_FOLDERS:
            swaps = [name for a, b in both for name in (f"{a}_{b}", f"{b}_{a}")]
            base = f"manipulated_sequences/{folder}"
            write(root, (f"{base}/{level}/videos/{name}.mp4" for name in swaps), content)
            if folder != "FaceShifter":
                write(root, (f"{base}/masks/videos/{name}.mp4" for name in swaps), content)
    return {"compression": level}


def dfd(root: Path, content: bytes = FILM) -> dict[str, str]:
    write(
        root,
        (
            f"original_sequences/actors/c23/videos/{name}.mp4"
            for name in ("01__kitchen_still", "02__kitchen_still", "01__exit_phone_room")
        ),
        content,
    )
    fakes = ("01_02__kitchen_still__ABCD1234", "01_03__exit_phone_room__ZZZZ0000")
    base = "manipulated_sequences/DeepFakeDetection"
    write(root, (f"{base}/c23/videos/{name}.mp4" for name in fakes), content)
    write(root, (f"{base}/masks/videos/{name}.mp4" for name in fakes), content)
    return {}


def celebdf(root: Path, content: bytes = FILM) -> dict[str, str]:
    """Six people: id0 to id3 in the test list, id4 and id5 only in training."""
    people = [("id0", "id1"), ("id2", "id3"), ("id4", "id5")]
    reals = [f"Celeb-real/{who}_{n:04d}.mp4" for pair in people for who in pair for n in (0, 1)]
    fakes = [
        f"Celeb-synthesis/{a}_{b}_{n:04d}.mp4"
        for pair in people
        for a, b in (pair, pair[::-1])
        for n in (0, 1)
    ]
    youtube = [f"YouTube-real/{n:05d}.mp4" for n in range(3)]
    write(root, [*reals, *fakes, *youtube], content)
    test = [
        "1 YouTube-real/00000.mp4",
        "1 Celeb-real/id0_0000.mp4",
        "0 Celeb-synthesis/id0_id1_0000.mp4",
        "0 Celeb-synthesis/id2_id3_0000.mp4",
    ]
    (root / "List_of_testing_videos.txt").write_text("\n".join(test) + "\n", encoding="utf-8")
    return {}


def dfdc(root: Path, content: bytes = FILM) -> dict[str, str]:
    for part, names in (("00", ("aaaaaaaaaa", "bbbbbbbbbb")), ("49", ("cccccccccc", "dddddddddd"))):
        real, fake = names
        entries = {
            f"{real}.mp4": {"label": "REAL", "split": "train"},
            f"{fake}.mp4": {"label": "FAKE", "split": "train", "original": f"{real}.mp4"},
        }
        folder = root / f"dfdc_train_part_{part}"
        write(folder, entries, content)
        write_json(folder / "metadata.json", entries)
    test = [("eeeeeeeeee.mp4", 0), ("ffffffffff.mp4", 1)]
    write(root / "test", (name for name, _ in test), content)
    write_csv(root / "test" / "labels.csv", ("filename", "label"), test)
    return {}


def dfdc_preview(root: Path, content: bytes = FILM) -> dict[str, str]:
    entries = {
        f"original_videos/{actor}/{actor}_A_001.mp4": {"label": "real", "set": split}
        for actor, split in (("1000001", "train"), ("1000002", "test"))
    } | {
        f"{method}/{actor}/{actor}_A/{swapped}_{actor}_A_001.mp4": {
            "label": "fake",
            "set": split,
            "augmentations": [],
        }
        for method in ("method_A", "method_B")
        for actor, swapped, split in (
            ("1000001", "1000003", "train"),
            ("1000002", "1000004", "test"),
        )
    }
    write(root, entries, content)
    write_json(root / "dataset.json", entries)
    return {}


def deepfake_timit(root: Path, content: bytes = FILM) -> dict[str, str]:
    for folder in ("higher_quality", "lower_quality"):
        for person, other in (("fadg0", "fram1"), ("fram1", "fadg0")):
            names = (f"{utterance}-video-{other}.avi" for utterance in ("sa1", "sx109"))
            write(root / folder / person, names, content)
    write(root / "VidTIMIT" / "fadg0", ("sa1.avi", "sx109.avi"), content)
    for utterance in ("sa1", "sx109"):
        frames = (f"{number:03d}" for number in (1, 2, 3))
        write(root / "VidTIMIT" / "fram1" / "video" / utterance, frames, content)
    return {"vidtimit": "VidTIMIT"}


def uadfv(root: Path, content: bytes = FILM) -> dict[str, str]:
    write(root / "real", (f"{n:04d}.mp4" for n in range(3)), content)
    write(root / "fake", (f"{n:04d}_fake.mp4" for n in range(3)), content)
    return {}


FAKEAVCELEB_HEADER = (
    "source", "target1", "target2", "method", "category", "type", "race", "gender", "path", "",
)  # fmt: skip


def fakeavceleb_row(
    kind: str, person: str, name: str, method: str, target: str = "-"
) -> tuple[str, ...]:
    where = f"FakeAVCeleb/{kind}/African/men/{person}"
    return (person, target, "-", method, "A", kind, "African", "men", name, where)


def fakeavceleb(root: Path, content: bytes = FILM) -> dict[str, str]:
    rows = [
        fakeavceleb_row("RealVideo-RealAudio", "id00076", "00109.mp4", "real"),
        fakeavceleb_row("RealVideo-FakeAudio", "id00076", "00109_fake.mp4", "rtvc"),
        fakeavceleb_row(
            "FakeVideo-RealAudio", "id00076", "00109_id00476_faceswap.mp4", "faceswap", "id00476"
        ),
        fakeavceleb_row(
            "FakeVideo-FakeAudio", "id00076", "00109_10_id00476_wavtolip.mp4", "wav2lip", "10"
        ),
    ]
    write(root, (f"{row[5]}/African/men/{row[0]}/{row[8]}" for row in rows), content)
    write_csv(root / "meta_data.csv", FAKEAVCELEB_HEADER, rows)
    return {}


def deepfake_eval_2024(root: Path, content: bytes = FILM) -> dict[str, str]:
    films = [
        ("aa.mp4", "2024-11-14", "Fake", "Unknown", "lip sync, off", "train"),
        ("-b.mp4", "2024-11-13", "Real", "Fake", "two\nlines", "train"),
        ("cc.mp4", "2024-11-12", "Unknown", "Unknown", "", "test"),
        ("dd.mp4", "2024-11-11", "Fake", "Fake", "", "test"),
        ("ee.mp4", "2024-11-11", "Real", "Real", "", "test"),
    ]
    pictures = [("a.jpg", "Real", "Train"), ("b.png", "Fake", "Test"), ("#NAME?", "Fake", "Test")]
    write_csv(
        root / "video-metadata-publish.csv",
        ("Filename", "Date", "Video Ground Truth", "Audio Ground Truth", "Public Comments",
         "Finetuning Set"),
        films,
    )  # fmt: skip
    write_csv(
        root / "image-metadata-publish.csv",
        ("Filename", "Ground Truth", "Finetuning Set"),
        pictures,
    )
    write(root / "video-data", (row[0] for row in films), content)
    write(root / "image-data", ("a.jpg", "b.png"), content)
    return {}


def df40(root: Path, content: bytes = FILM) -> dict[str, str]:
    common = "deepfakes_detection_datasets"

    def frames(folder: str) -> dict[str, object]:
        return {"label": "x", "frames": [f"{common}/{folder}/{n:03d}.png" for n in range(2)]}

    youtube = "FaceForensics++/original_sequences/youtube/c23/frames"
    celeb = "Celeb-DF-v2/Celeb-real/frames"
    lists = {
        "simswap_ff": {
            "simswap_Real": {
                "train": {"000": frames(f"{youtube}/000")},
                "val": {"004": frames(f"{youtube}/004")},
                "test": {"004": frames(f"{youtube}/004")},
            },
            "simswap_Fake": {
                "train": {"000_001": frames("DF40/simswap/ff/frames/000_001")},
                "val": {"004_005": frames("DF40/simswap/ff/frames/004_005")},
                "test": {"004_005": frames("DF40/simswap/ff/frames/004_005")},
            },
        },
        "simswap_cdf": {
            "simswap_Real": {"test": {"id0_0000": frames(f"{celeb}/id0_0000")}},
            "simswap_Fake": {
                "test": {"id0_id1_0000": frames("DF40/simswap/cdf/frames/id0_id1_0000")}
            },
        },
        "fomm_ff": {
            "fomm_Real": {"train": {"000": frames(f"{youtube}/000")}},
            "fomm_Fake": {"train": {"000_001": frames("DF40/fomm/ff/frames/000_001")}},
        },
    }
    for name, classes in lists.items():
        write_json(root / "dataset_json" / f"{name}.json", {name: classes})
    write_json(root / "dataset_json" / "DF40_all.json", {"DF40_all": {}})
    fakes = ("simswap/ff/frames/000_001", "simswap/ff/frames/004_005")
    # One method's archive unpacks into a folder of its own name once more.
    folders = (*fakes, "simswap/cdf/frames/id0_id1_0000", "fomm/fomm/ff/frames/000_001",
               f"{youtube}/000", f"{youtube}/004", f"{celeb}/id0_0000")  # fmt: skip
    write(root, (f"{folder}/{n:03d}.png" for folder in folders for n in range(2)), content)
    return {}


def folder(root: Path, content: bytes = FILM) -> dict[str, str]:
    for split in ("train", "test"):
        write(root / split / "real", (f"{split}{n}.mp4" for n in range(2)), content)
        write(root / split / "fake" / "simswap", (f"{split}{n}.mp4" for n in range(2)), content)
    return {"pairs": "stem"}


def manifest(root: Path, content: bytes = FILM) -> dict[str, str]:
    rows = [
        ("a.mp4", 0, "a", "train", "real", "", "ann"),
        ("b.mp4", 1, "a", "train", "simswap", "a.mp4", "ann;ben"),
        ("c.mp4", 0, "c", "test", "real", "", "cas"),
        ("d.mp4", 1, "c", "test", "simswap", "c.mp4", "cas;dan"),
    ]
    write(root, (row[0] for row in rows), content)
    header = ("path", "y_true", "source_id", "split", "method", "original", "identities")
    write_csv(root / "manifest.csv", header, rows)
    return {}


def dfdc_faces(root: Path, content: bytes = FILM) -> dict[str, str]:
    rows = [
        (f"{split}/{label}/{name}.jpg", split, label, f"{name}.mp4", f"{original}.mp4", 150)
        for split, label, name, original in (
            ("train", "real", "aaaaaaaaaa", "aaaaaaaaaa"),
            ("train", "fake", "bbbbbbbbbb", "aaaaaaaaaa"),
            ("val", "real", "cccccccccc", "cccccccccc"),
            ("val", "fake", "dddddddddd", "cccccccccc"),
        )
    ]
    write(root, (row[0] for row in rows), content)
    header = ("file", "split", "label", "video", "original", "face_px")
    write_csv(root / "manifest.csv", header, [*rows, rows[-1]])
    return {}


MAKERS: dict[str, Maker] = {
    "celebdf_v1": celebdf,
    "celebdf_v2": celebdf,
    "deepfake_eval_2024": deepfake_eval_2024,
    "deepfake_timit": deepfake_timit,
    "df40": df40,
    "dfd": dfd,
    "dfdc": dfdc,
    "dfdc_faces": dfdc_faces,
    "dfdc_preview": dfdc_preview,
    "fakeavceleb": fakeavceleb,
    "ffpp": ffpp,
    "folder": folder,
    "manifest": manifest,
    "uadfv": uadfv,
}

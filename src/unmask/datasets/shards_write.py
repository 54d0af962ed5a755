"""Writing shards: uncompressed tar files as WebDataset reads them, each beside its own manifest.

A sample is up to four files of one name: ``.png`` (the face, lossless), ``.mask.png`` (grey, 255 =
wholly foreign; only where a forgery's mask is known), ``.landmarks.npy`` ((468, 2) float32) and
``.json`` (what is known of it). Times, owners and order are fixed, so the same media give the
same bytes.
"""

from __future__ import annotations

import io
import json
import tarfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import cv2
import numpy as np

from unmask.datasets.faces_of import Loss
from unmask.errors import MissingExtra
from unmask.media.encode import replacing

if TYPE_CHECKING:
    from types import ModuleType

    from unmask.datasets.base import MediaItem
    from unmask.datasets.faces_of_film import FaceCut
    from unmask.types import Floats, Image

FORMAT = "1"
"""Version of the manifest; other versions are refused."""

META = b"unmask"
"""Key of the manifest's schema metadata under which our JSON lies."""

POINTS = 468
_TEXT = ("sample_id", "data_set", "video_id", "source_id", "split", "method", "compression",
         "groups", "mask_source", "shard")  # fmt: skip
_INT32 = ("frame_index", "burst", "person", "width_px", "height_px", "image_bytes", "mask_bytes")
_INT64 = ("image_offset", "mask_offset", "landmarks_offset", "crc32")
_FLOAT = ("pts_s", "face_px", "sharpness", "yaw_deg", "mask_mean")

# Of the settings tried on face crops the quickest to read, and the smallest but one.
_PNG = (cv2.IMWRITE_PNG_COMPRESSION, 3, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP)

Row = dict[str, Any]


def arrow() -> tuple[ModuleType, ModuleType]:
    """The modules ``pyarrow`` and ``pyarrow.parquet``, imported when they are needed.

    Raises:
        MissingExtra: They are not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        raise MissingExtra.named("train", "Shards of faces (they use pyarrow)") from error
    return pyarrow, pyarrow.parquet


def schema() -> Any:
    """Columns of the manifest, without metadata."""
    pa, _ = arrow()
    kinds = [(_TEXT, pa.string()), (_INT32, pa.int32()), (_INT64, pa.int64()),
             (_FLOAT, pa.float32())]  # fmt: skip
    fields = [pa.field(name, kind) for names, kind in kinds for name in names]
    fields += [
        pa.field("y_true", pa.int8()),
        pa.field("identities", pa.list_(pa.string())),
        pa.field("bbox_xyxy", pa.list_(pa.float32(), 4)),
        pa.field("crop_xyxy", pa.list_(pa.int32(), 4)),
        pa.field("landmarks", pa.list_(pa.float32(), 2 * POINTS)),
    ]
    return pa.schema(fields)


@dataclass(frozen=True, slots=True)
class Sample:
    """One face, encoded and described.

    Attributes:
        row: Its columns, without where it lies in a shard.
        image_png: The face.
        mask_png: The mask, or None.
        landmarks: (468, 2) float32.
    """

    row: Row
    image_png: bytes
    mask_png: bytes | None
    landmarks: Floats


def encode(sample_id: str, data_set: str, item: MediaItem, cut: FaceCut) -> Sample:
    """Turn a cut face into what is stored of it."""
    mask = None if cut.mask is None else np.asarray(np.rint(cut.mask * 255), np.uint8)
    row: Row = {
        "sample_id": sample_id,
        "data_set": data_set,
        "video_id": item.video_id,
        "source_id": item.source_id,
        "split": item.split,
        "method": item.method,
        "compression": item.compression,
        "y_true": item.y_true,
        "identities": list(item.identities),
        "groups": json.dumps(dict(item.groups), sort_keys=True, ensure_ascii=False),
        "frame_index": cut.frame_index,
        "pts_s": cut.pts_s,
        "burst": cut.burst,
        "person": cut.person,
        "face_px": cut.face_px,
        "sharpness": cut.sharpness,
        "yaw_deg": cut.yaw_deg,
        "bbox_xyxy": [float(edge) for edge in cut.bbox_xyxy],
        "crop_xyxy": [cut.box.left, cut.box.top, cut.box.right, cut.box.bottom],
        "width_px": cut.box.width_px,
        "height_px": cut.box.height_px,
        "mask_source": cut.mask_source,
        "mask_mean": 0.0 if mask is None else float(mask.mean()) / 255,
    }
    colours = np.ascontiguousarray(cut.image[:, :, ::-1])
    return Sample(row, _png(colours), None if mask is None else _png(mask), cut.landmarks)


def _png(image: Image) -> bytes:
    _, encoded = cv2.imencode(".png", image, _PNG)
    return encoded.tobytes()


class ShardWriter:
    """Writes samples into one tar and remembers where each lies.

    Args:
        file: Open for writing, at its start.
        name: What the shard is called in the manifest.

    Attributes:
        rows: One a sample, with where it lies.
        landmarks: (468, 2) of each sample.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.rows: list[Row] = []
        self.landmarks: list[Floats] = []
        self._file, self._name = file, name
        # With this format a header is one block of 512 bytes, whatever it says.
        self._tar = tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115

    def add(self, sample: Sample) -> None:
        """Append one sample."""
        key = sample.row["sample_id"]
        buffer = io.BytesIO()
        points = np.ascontiguousarray(sample.landmarks, np.float32)
        np.save(buffer, points)
        npy = buffer.getvalue()
        where: Row = {"shard": self._name, "image_bytes": len(sample.image_png)}
        where["image_offset"] = self._member(f"{key}.png", sample.image_png)
        where["mask_offset"], where["mask_bytes"] = -1, 0
        checksum = zlib.crc32(sample.image_png)
        if sample.mask_png is not None:
            where["mask_offset"] = self._member(f"{key}.mask.png", sample.mask_png)
            where["mask_bytes"] = len(sample.mask_png)
            checksum = zlib.crc32(sample.mask_png, checksum)
        start = self._member(f"{key}.landmarks.npy", npy)
        where["landmarks_offset"] = start + len(npy) - points.nbytes
        where["crc32"] = zlib.crc32(points.tobytes(), checksum)
        facts = json.dumps(sample.row, sort_keys=True, ensure_ascii=False)
        self._member(f"{key}.json", facts.encode())
        self.rows.append(sample.row | where)
        self.landmarks.append(points)

    def close(self) -> None:
        """Write the end of the tar; the file stays the caller's to close."""
        self._tar.close()

    def _member(self, name: str, data: bytes) -> int:
        header = tarfile.TarInfo(name)
        header.size, header.mode = len(data), 0o644
        self._tar.addfile(header, io.BytesIO(data))
        return int(self._tar.offset) - -(-len(data) // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


def write_shard(
    tar: Path, samples: Iterable[Sample], facts: Mapping[str, Any], losses: Sequence[Loss]
) -> None:
    """Write one shard and, once it is whole, its manifest beside it (``.parquet``).

    Args:
        tar: Name of the shard; no file is made where there are no samples.
        samples: Taken one at a time.
        facts: What makes the shard good to use again; kept in the manifest's metadata.
        losses: Filled while ``samples`` is used up; kept in the metadata too.

    Raises:
        OutputRefused: It cannot be written; nothing is left behind.
    """
    with replacing(tar) as beside:
        with beside.open("wb") as file:
            writer = ShardWriter(file, tar.name)
            for sample in samples:
                writer.add(sample)
            writer.close()
        size = beside.stat().st_size
    if not writer.rows:
        tar.unlink()
        size = 0
    meta = {
        **facts,
        "bytes": size,
        "faces": len(writer.rows),
        "losses": [asdict(loss) for loss in losses],
    }
    write_table(tar.with_suffix(".parquet"), table_of(writer.rows, writer.landmarks), meta)


def table_of(rows: Sequence[Row], landmarks: Sequence[Floats]) -> Any:
    """The rows of one shard as an Arrow table."""
    pa, _ = arrow()
    columns = schema()
    points = np.array(landmarks, np.float32).reshape(-1)
    arrays = [
        pa.FixedSizeListArray.from_arrays(pa.array(points), 2 * POINTS)
        if column.name == "landmarks"
        else pa.array([row[column.name] for row in rows], column.type)
        for column in columns
    ]
    return pa.Table.from_arrays(arrays, schema=columns)


def write_table(path: Path, table: Any, meta: Mapping[str, Any]) -> None:
    """Write one small Parquet file with our JSON in its metadata."""
    _, pq = arrow()
    noted = table.replace_schema_metadata({META: _json(meta)})
    with replacing(path) as beside:
        pq.write_table(noted, beside, compression="zstd")


def read_meta(path: Path) -> dict[str, Any]:
    """Our JSON in a Parquet file's metadata.

    Raises:
        OSError, ValueError: It is no such file (Arrow's errors are kinds of these).
        KeyError: Its metadata are not ours.
    """
    _, pq = arrow()
    meta: dict[str, Any] = json.loads(pq.read_schema(path).metadata[META])
    return meta


def join_tables(parts: Sequence[Path], path: Path, meta: Mapping[str, Any]) -> None:
    """Write the manifest of all shards, one row group a shard, holding one at a time.

    Raises:
        OutputRefused: It cannot be written.
    """
    _, pq = arrow()
    noted = schema().with_metadata({META: _json(meta)})
    with (
        replacing(path) as beside,
        pq.ParquetWriter(beside, noted, compression="zstd") as writer,
    ):
        for part in parts:
            table = pq.read_table(part)
            if table.num_rows:
                writer.write_table(table.replace_schema_metadata(noted.metadata))


def _json(meta: Mapping[str, Any]) -> bytes:
    return json.dumps(meta, sort_keys=True, ensure_ascii=False).encode()

"""Untrusted bytes in, frames out: the only room that opens media files.

>>> from unmask.media import Sampling, open_media
>>> from unmask.types import Limits
>>> with open_media("clip.mp4", limits=Limits(), sampling=Sampling(8)) as media:  # doctest: +SKIP
...     for frame in media.frames():
...         print(frame.pts_s, frame.image.shape)

Decoders are imported when a file is opened, not with this package.
"""

from unmask.media.encode import write_film, write_picture
from unmask.media.sampling import Sampling
from unmask.media.source import Media, hash_file, open_media, probe

__all__ = [
    "Media",
    "Sampling",
    "hash_file",
    "open_media",
    "probe",
    "write_film",
    "write_picture",
]

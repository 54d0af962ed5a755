"""A picture that stands inside a page, so that the page needs no other file."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markupsafe import Markup

    from unmask.types import Image


def as_image(picture: Image, said: str) -> Markup:
    """An ``img`` element that holds (H, W, 3) uint8 RGB as JPEG.

    Args:
        picture: The pixels.
        said: What stands there for whoever does not see it.
    """
    from markupsafe import Markup, escape
    from PIL import Image as Pillow

    packed = io.BytesIO()
    Pillow.fromarray(picture).save(packed, "JPEG", quality=88)
    data = base64.b64encode(packed.getvalue()).decode("ascii")
    height, width = picture.shape[:2]
    # Base64 and an escaped text: nothing of the picture can break out of the element.
    return Markup(  # noqa: S704
        f'<img src="data:image/jpeg;base64,{data}" width="{width}" height="{height}" '
        f'alt="{escape(said)}">'
    )

"""Text that came from a file made safe to look at, and numbers as people read them.

File names, metadata and messages may be hostile: control characters drive terminals,
direction overrides make ``gpj.exe`` read ``exe.jpg``, zero-width characters make two names
look alike. Here all of these become visible escapes. Escaping for HTML is not done here.
"""

from __future__ import annotations

import math
import unicodedata

# Joiners carry meaning in Persian, Indic scripts and emoji; they are kept.
_JOINERS = frozenset("\u200c\u200d")
_SHORT_ESCAPES = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_MINUTE_S = 60
_HOUR_S = 3600
_MISSING = "–"  # noqa: RUF001 - the dash for "no value" is meant


def visible_text(text: str) -> str:
    r"""Return ``text`` with every control or invisible character as a visible escape.

    Tabs and line breaks become ``\t``, ``\n``, ``\r``; others ``\x1b``, ``\u202e``.
    Letters, spaces, emoji and joiners of every script are left as they are.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(char) if _is_hidden(char) else char for char in text)


def _is_hidden(char: str) -> bool:
    if char in _JOINERS:
        return False
    # The last two code points of each plane are no characters; XML and some
    # terminals refuse them.
    return unicodedata.category(char) in _HIDDEN or ord(char) & 0xFFFE == 0xFFFE


def _escape(char: str) -> str:
    if char in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[char]
    code = ord(char)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def shorten(text: str, width: int) -> str:
    """Return ``text`` in at most ``width`` characters, cut in the middle.

    The end is kept because that is where a file name says what it is.
    """
    if len(text) <= width:
        return text
    tail = (width - 1) // 3
    return f"{text[: width - 1 - tail]}…{text[len(text) - tail :]}"


def signed(value: float | None, digits: int = 2) -> str:
    """Return a number with its sign (``+2.41``, ``−0.52``), or a dash where there is none."""  # noqa: RUF002
    if value is None or not math.isfinite(value):
        return _MISSING
    text = f"{value:+.{digits}f}"
    if float(text) == 0:
        return f"{0:.{digits}f}"
    return text.replace("-", "−")  # noqa: RUF001 - the true minus sign


def number(value: float | None, digits: int = 0) -> str:
    """Return a number with thousands separators, or a dash where there is none."""
    if value is None or not math.isfinite(value):
        return _MISSING
    return f"{value:,.{digits}f}"


def percent(part: float) -> str:
    """Return a share from 0 to 1 as a percentage, finer where it is small."""
    if not math.isfinite(part):
        return _MISSING
    value = 100 * part
    digits = 0 if value >= 10 or value == round(value) else (1 if value >= 1 else 2)
    return f"{value:.{digits}f} %"


def clock(seconds: float | None, digits: int = 2) -> str:
    """Return a time in the media as ``m:ss.ss`` or ``h:mm:ss.ss``."""
    if seconds is None or not math.isfinite(seconds):
        return _MISSING
    sign = "−" if seconds < 0 else ""  # noqa: RUF001
    rounded = round(abs(seconds), digits)
    hours, rest = divmod(rounded, _HOUR_S)
    minutes, left = divmod(rest, _MINUTE_S)
    width = digits + 3 if digits else 2
    if hours:
        return f"{sign}{int(hours)}:{int(minutes):02d}:{left:0{width}.{digits}f}"
    return f"{sign}{int(minutes)}:{left:0{width}.{digits}f}"


def size_words(size_bytes: int) -> str:
    """Return a file size in decimal units with three significant digits."""
    value = float(size_bytes)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:,.0f} {unit}" if unit == "bytes" else f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:,.3g} TB"

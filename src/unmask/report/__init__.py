"""Reports as JSON, CSV, HTML, PDF and lines in a terminal.

Importing this room is cheap: jinja2, rich and WeasyPrint are loaded by the calls that need
them.

    >>> from unmask import report
    >>> page = report.to_html(result)
    >>> report.write_atomically("clip.html", page.encode())
"""

from __future__ import annotations

from unmask.report.as_csv import HEADER, to_csv_rows, write_csv
from unmask.report.as_html import to_html, to_index_html
from unmask.report.as_json import from_json, json_schema, to_json, to_ndjson_line
from unmask.report.as_pdf import to_pdf
from unmask.report.rows import FileRow
from unmask.report.terminal import plain_lines, render_table
from unmask.report.words import label_words, verbal_scale
from unmask.report.write import write_atomically

__all__ = [
    "HEADER",
    "FileRow",
    "from_json",
    "json_schema",
    "label_words",
    "plain_lines",
    "render_table",
    "to_csv_rows",
    "to_html",
    "to_index_html",
    "to_json",
    "to_ndjson_line",
    "to_pdf",
    "verbal_scale",
    "write_atomically",
    "write_csv",
]

from __future__ import annotations

import json
import math
import string
from importlib.resources import files

import jsonschema
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unmask.errors import InvalidReport
from unmask.report import from_json, json_schema, to_json, to_ndjson_line
from unmask.report.as_json import schema_file_bytes, without_crops
from unmask.types import SCHEMA_VERSION, Report

SCHEMA_NAME = f"schema/report-{SCHEMA_VERSION}.schema.json"
ANY_TEXT = st.text(st.characters(categories=None), max_size=60)  # lone surrogates too


def validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json_schema())


def test_published_schema_is_the_generated_one():
    published = files("unmask.report").joinpath(SCHEMA_NAME).read_bytes()
    assert published == schema_file_bytes(), (
        "the types changed: write schema_file_bytes() to the schema file and mention it"
    )


def test_schema_is_a_draft_2020_12_schema_with_a_name():
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$id"] == "urn:unmask:schema:report:1.0"
    assert schema["title"]


def test_every_report_validates_and_comes_back(every_report):
    check = validator()
    for report in every_report:
        written = to_json(report)
        check.validate(json.loads(written))
        if "\udcff" not in report.input.name:  # written as a visible escape, so not the same
            assert from_json(written) == report


def test_the_schema_refuses_what_is_no_report(make):
    document = json.loads(to_json(make.still()))
    document["verdict"]["label"] = "fine"
    with pytest.raises(jsonschema.ValidationError):
        validator().validate(document)
    document = json.loads(to_json(make.still()))
    del document["coverage"]
    with pytest.raises(jsonschema.ValidationError):
        validator().validate(document)


@given(text=ANY_TEXT)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_hostile_strings_validate_and_stay_on_one_line(make, text):
    report = make.hostile(text)
    for written in (to_json(report), to_ndjson_line(report)):
        document = json.loads(written.decode("utf-8"))
        # A digest is a digest; the factory puts the text into weights_sha256 only.
        validator().validate(document)
    line = to_ndjson_line(report)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert from_json(line).input.name == document["input"]["name"]


@given(value=st.floats(allow_nan=False, allow_infinity=False))
@settings(max_examples=50, deadline=None)
def test_any_finite_number_comes_back_exactly(make, value):
    report = make.still()
    report = msgspec.structs.replace(
        report, verdict=msgspec.structs.replace(report.verdict, log10_lr=value)
    )
    assert from_json(to_json(report)).verdict.log10_lr == value


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_number_json_cannot_hold_is_refused_by_place(make, bad):
    report = make.still()
    point = msgspec.structs.replace(report.faces[0].timeline[0], logit=bad)
    face = msgspec.structs.replace(report.faces[0], timeline=[point])
    with pytest.raises(InvalidReport, match=r"faces\[0\]\.timeline\[0\]\.logit"):
        to_json(msgspec.structs.replace(report, faces=[face]))


def test_the_same_report_gives_the_same_bytes_whatever_the_order_of_tags(make):
    report = make.video()
    turned = dict(reversed(list(report.input.metadata.items())))
    other = msgspec.structs.replace(
        report, input=msgspec.structs.replace(report.input, metadata=turned)
    )
    assert to_json(report) == to_json(other)


def test_json_is_pretty_and_keeps_the_order_of_the_schema(make):
    written = to_json(make.still())
    assert written.startswith(b'{\n  "schema_version": "1.0",\n  "tool": {\n')
    assert list(json.loads(written)) == list(Report.__struct_fields__)


def test_without_crops_no_picture_is_left(make):
    report = make.video()
    assert b"iVBORw0KGgo" in to_json(report)
    for written in (to_json(report, crops=False), to_ndjson_line(report)):
        assert b"iVBORw0KGgo" not in written
        assert from_json(written) == without_crops(report)


def test_keys_of_a_later_minor_version_are_ignored(make):
    document = json.loads(to_json(make.still()))
    document["schema_version"] = "1.7"
    document["new"] = {"key": 1}
    document["verdict"]["newer"] = True
    assert from_json(json.dumps(document).encode()).verdict == make.still().verdict


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b'{"schema_version": "1.0"}',
        b'{"schema_version": 1}',
        b'{"schema_version": "2.0"}',
        b'{"schema_version": "1.0", "tool": "\xff"}',
        b"[" * 100_000,
        b'{"schema_version": "1.0", "tool": ' + b"[" * 100_000,
    ],
    ids=lambda data: repr(data[:24]),
)
def test_bad_input_is_a_typed_error_with_a_hint(data):
    with pytest.raises(InvalidReport) as caught:
        from_json(data)
    assert caught.value.hint
    assert len(caught.value.message) < 300


def test_another_major_version_is_named():
    with pytest.raises(InvalidReport, match=r"'2\.0'"):
        from_json(b'{"schema_version": "2.0"}')


@given(cut=st.integers(min_value=0, max_value=3000))
@settings(max_examples=40, deadline=None)
def test_a_report_cut_anywhere_is_refused(make, cut):
    written = to_ndjson_line(make.still())
    with pytest.raises(InvalidReport):
        from_json(written[: min(cut, len(written) - 2)])


@given(data=st.text(string.printable).map(str.encode))
@settings(max_examples=60, deadline=None)
def test_no_bytes_raise_anything_else(data):
    with pytest.raises(InvalidReport):
        from_json(data)

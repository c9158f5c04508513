"""JSON holds the whole report and nothing is lost on the way back."""

import json

import pytest
from example_reports import examples

from unrolled.explanation import Report, read_json


@pytest.mark.parametrize("name", sorted(examples()))
def test_there_and_back(name):
    report = examples()[name]
    assert Report.from_json(report.to_json()) == report
    assert Report.from_json(report.to_json(indent=2)) == report


def test_what_a_program_finds_in_it():
    document = json.loads(examples()["run"].to_json())
    assert (document["format"], document["version"]) == ("unrolled.report", 1)
    encoder = next(part for part in document["parts"] if part.get("name") == "encoder")
    corner = next(s for s in encoder["states"] if s["address"] == "h[layer=1, reverse, step=0]")
    assert [slot["tensor"] for slot in corner["slots"]] == ["output", "hidden_state"]
    assert corner["has_read"] == [0, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "a report is JSON; this is not"),
        ("[]", 'a report has "format": "unrolled.report"; this JSON has not'),
        ('{"format": "other"}', 'a report has "format": "unrolled.report"; this JSON has not'),
        (
            '{"format": "unrolled.report", "version": 2}',
            "this report has version 2; this program reads version 1",
        ),
        (
            '{"format": "unrolled.report", "version": 1, "title": "", "parts": [{"part": "x"}]}',
            "a part of a kind 'x'",
        ),
    ],
)
def test_what_is_no_report(text, message):
    with pytest.raises(ValueError, match=message):
        read_json(text)

"""Golden files of the reports, and what must be true of each one."""

import json
import re
import unicodedata
from pathlib import Path
from xml.etree import ElementTree

import pytest
from doctor_reports import HOSTILE, examples, renderings

from unrolled.doctor import MISTAKES, Report

GOLDENS = Path(__file__).with_name("goldens")
NAMES = sorted(examples())
FILES = [(name, ending) for name in NAMES for ending in ("txt", "json", "html", "xml")]
HTML = "{http://www.w3.org/1999/xhtml}"


def golden(name: str, ending: str) -> str:
    return (GOLDENS / f"{name}.{ending}").read_bytes().decode("utf-8")


@pytest.mark.parametrize(("name", "ending"), FILES)
def test_rendered_as_before(name: str, ending: str) -> None:
    assert renderings(examples()[name])[ending] == golden(name, ending), (
        f"{name}.{ending} is rendered otherwise than before; if that is meant, run "
        "python tests/doctor/write_report_goldens.py and look at the diff"
    )


def test_there_is_no_golden_of_nothing() -> None:
    assert {path.name for path in GOLDENS.iterdir()} == {".".join(file) for file in FILES}


@pytest.mark.parametrize("name", NAMES)
def test_the_golden_json_is_the_report(name: str) -> None:
    text = golden(name, "json")
    read = Report.from_json(text)
    if name != "hostile":  # it holds an infinity, which becomes text
        assert read == examples()[name]
    assert Report.from_json(read.to_json()) == read
    clean = all(one.severity == "note" for one in read.findings)
    assert json.loads(text)["ok"] == (clean and name != "unseen")


def codes_in(line: str) -> list[str]:
    """The codes at the start of a line on checks not run, each of a range."""
    start = re.match(r"  ((?:M\d\d(?:, | to )?)+)(?::| )", line)
    codes: list[str] = []
    for piece in start[1].split(", ") if start else ():
        first, _, last = piece.partition(" to ")
        codes += [f"M{n:02d}" for n in range(int(first[1:]), int((last or first)[1:]) + 1)]
    return codes


@pytest.mark.parametrize("name", NAMES)
def test_the_golden_text_tells_everything_and_nothing_invisible(name: str) -> None:
    text, report = golden(name, "txt"), Report.from_json(golden(name, "json"))
    squeezed = " ".join(text.split())
    for finding in report.findings:
        assert f"{finding.code} {finding.severity} in " in text
        if name != "hostile":
            for words in (finding.explanation, finding.evidence.text, finding.module):
                assert words in squeezed
            assert all(line in text for line in finding.repair.splitlines())
    said = [one for line in text.splitlines() for one in codes_in(line)]
    assert sorted(said) == sorted(one.code for one in report.not_run)
    for why in {one.why for one in report.not_run} if name != "hostile" else ():
        assert squeezed.count(why) == 1
    order = [text.find(f" {severity} in ") for severity in ("error", "warning", "note")]
    there = [place for place in order if place >= 0]
    assert there == sorted(there)
    control = {c for c in text if unicodedata.category(c) in ("Cc", "Cf")}
    assert control <= {"\n", "\u2068", "\u2069"}


@pytest.mark.parametrize("name", NAMES)
def test_the_golden_junit_counts_right(name: str) -> None:
    report = Report.from_json(golden(name, "json"))
    root = ElementTree.fromstring(golden(name, "xml").encode())
    (suite,) = root
    assert (root.tag, suite.tag) == ("testsuites", "testsuite")
    children = [child.tag for child in suite]
    assert set(children) <= {"properties", "testcase"}
    assert "properties" not in children[1:]
    cases = suite.findall("testcase")
    for case in cases:
        assert set(case.attrib) == {"classname", "name", "time"}
        assert [child.tag for child in case] in (
            [],
            ["failure"],
            ["skipped"],
            ["error"],
            ["system-out"],
            ["failure", "system-out"],
        )
        for told in case.findall("failure"):
            assert told.attrib["message"]
            assert told.attrib["type"] in ("error", "warning")
    counted = {
        "tests": len(cases),
        "failures": len(suite.findall("testcase/failure")),
        "errors": len(suite.findall("testcase/error")),
        "skipped": len(suite.findall("testcase/skipped")),
    }
    for place in (root, suite):
        assert {key: int(place.attrib[key]) for key in counted} == counted
    assert counted["errors"] == (name == "unseen")
    looked_for = len(cases) - counted["errors"]
    assert looked_for == len(report.checks_run) + len(report.not_run)
    wrong = {one.code for one in report.findings if one.severity != "note"}
    failed = {case.attrib["name"][:3] for case in cases if case.find("failure") is not None}
    assert failed == wrong
    assert report.ok == (counted["failures"] + counted["errors"] == 0)
    assert len({case.attrib["name"] for case in cases}) == len(cases)


@pytest.mark.parametrize("name", NAMES)
def test_the_golden_page_tells_everything_and_fetches_nothing(name: str) -> None:
    page, report = golden(name, "html"), Report.from_json(golden(name, "json"))
    root = ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>\n"))
    for element in root.iter():
        for attribute in element.attrib:
            assert attribute not in ("src", "srcset", "style", "background", "action")
            assert not attribute.endswith("href")
            assert not attribute.startswith("on")
    assert page.count("<script>") == page.count("</script>") == 1
    assert len(list(root.iter(f"{HTML}h1"))) == 1
    said = " ".join("".join(root.itertext()).split())
    headings = [" ".join("".join(one.itertext()).split()) for one in root.iter(f"{HTML}h2")]
    for finding in report.findings:
        start = f"{finding.severity} {finding.code} in "
        assert any(heading.startswith(start) for heading in headings)
        if name != "hostile":
            assert finding.evidence.text in said
            assert finding.explanation in said
    pictures = sum(MISTAKES[one.code].reading is not None for one in report.findings)
    assert (page.count("<details") > 0) == (pictures > 0)
    assert len(list(root.iter(f"{HTML}pre"))) == len(report.findings)


def test_a_name_is_text_wherever_it_stands() -> None:
    report = examples()["hostile"]
    for text in (report.to_html(), report._repr_html_(), report.to_junit()):
        assert "<b onload" not in text
        assert "\x00" not in text
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert json.loads(report.to_json())["model"] == HOSTILE


def test_a_notebook_shows_it_without_a_script() -> None:
    fragment = examples()["mixed"]._repr_html_()
    ElementTree.fromstring(fragment)
    assert "<script" not in fragment
    for words in ("Classifier: 1 error, 1 warning and 1 note", "encoder.lstm", "M02", "Assumed"):
        assert words in fragment


def test_a_report_prints_itself() -> None:
    report = examples()["mixed"]
    assert str(report) == repr(report) == report.text()
    assert not report.ok
    assert examples()["note"].ok


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Expecting value"),
        ("[]", "list indices must be integers"),
        ('{"format": "unrolled.report", "version": 1}', "its format is 'unrolled.report'"),
        ('{"format": "unrolled.doctor", "version": 9}', "it has version 9, and this program reads"),
        ('{"format": "unrolled.doctor", "version": 1}', "'model'"),
        ("[" * 100_000, "recursion"),
    ],
)
def test_a_text_that_is_no_report_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match="this is no report of the doctor") as failure:
        Report.from_json(text)
    assert sentence in str(failure.value)

"""Writes the golden files anew, for a change that is meant to be seen. Look at the diff.

python tests/doctor/write_report_goldens.py
"""

from pathlib import Path

from doctor_reports import examples, renderings

GOLDENS = Path(__file__).with_name("goldens")

if __name__ == "__main__":
    GOLDENS.mkdir(exist_ok=True)
    for name, report in examples().items():
        for ending, content in renderings(report).items():
            (GOLDENS / f"{name}.{ending}").write_text(content, encoding="utf-8")

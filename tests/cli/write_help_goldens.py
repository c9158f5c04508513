"""Writes the golden help texts anew, for a change that is meant to be seen. Look at the diff.

python tests/cli/write_help_goldens.py
"""

from pathlib import Path

from help_texts import NAMES, help_text

if __name__ == "__main__":
    for name in NAMES:
        (Path(__file__).with_name("goldens") / f"{name}.txt").write_text(help_text(name), "utf-8")

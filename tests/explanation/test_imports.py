"""A picture of a shape needs no PyTorch."""

import subprocess
import sys

CODE = """
import sys
from unrolled.explanation import explain_shape
from unrolled.grid import StackShape
report = explain_shape(StackShape("lstm", 1, 1, bidirectional=True), steps=3)
assert report.text() and report.svg() and report.html() and report.to_json()
heavy = {"torch", "lightning", "tokenizers", "matplotlib"} & set(sys.modules)
assert not heavy, heavy
"""


def test_a_picture_of_a_shape_needs_numpy_only():
    subprocess.run([sys.executable, "-c", CODE], check=True)

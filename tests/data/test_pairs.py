"""Reading TSV files: what is right is read exactly, what is wrong is named with its line."""

import gzip
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.errors import DataError
from unrolled.seq2seq import Columns, Pair, read_lines, read_pairs

FIELD = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\0\t\n\r\ufeff"), min_size=1
).filter(lambda text: not text.isspace())


def tsv(tmp_path, content, name="pairs.tsv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@given(pairs=st.lists(st.tuples(FIELD, FIELD), min_size=1), mark=st.booleans(), crlf=st.booleans())
def test_what_was_written_is_read(tmp_path_factory, pairs, mark, crlf):
    folder = tmp_path_factory.mktemp("pairs")
    ending = "\r\n" if crlf else "\n"
    content = "".join(f"{source}\t{target}{ending}" for source, target in pairs)
    raw = (b"\xef\xbb\xbf" if mark else b"") + content.encode()
    wanted = [Pair(*pair, line) for line, pair in enumerate(pairs, 1)]
    assert list(read_pairs(tsv(folder, raw))) == wanted
    assert list(read_pairs(tsv(folder, raw.removesuffix(ending.encode())))) == wanted
    assert list(read_pairs(tsv(folder, gzip.compress(raw), "pairs.tsv.gz"))) == wanted


def test_lines_far_beyond_a_block_keep_their_numbers(tmp_path):
    lines = [f"{number}\t{'x' * (number % 997)}é" for number in range(8000)]
    assert sum(map(len, lines)) > 3 * (1 << 20)
    path = tsv(tmp_path, "\n".join(lines))
    assert [f"{source}\t{target}" for source, target, _ in read_pairs(path)] == lines
    assert [pair.line for pair in read_pairs(path)] == list(range(1, 8001))


def test_a_line_longer_than_a_block(tmp_path):
    long = "x" * (3 << 20)
    assert [pair.target for pair in read_pairs(tsv(tmp_path, f"a\tb\nc\t{long}\nd\te"))] == [
        "b",
        long,
        "e",
    ]


def test_a_file_is_streamed(tmp_path):
    good = b"a\tb\n" * 1_000_000
    pairs = read_pairs(tsv(tmp_path, good + b"no tab\n"))
    assert next(pairs) == Pair("a", "b", 1)  # the fault at the end is not met yet


def test_spaces_belong_to_the_text_and_empty_lines_to_nothing(tmp_path):
    path = tsv(tmp_path, " a \t b\n\n\r\nc\td \n")
    assert list(read_pairs(path)) == [Pair(" a ", " b", 1), Pair("c", "d ", 4)]


@pytest.mark.parametrize(
    ("columns", "content"),
    [
        (Columns(), "s\tt\n"),
        (Columns(3, 1), "t\tx\ts\n"),
        (Columns("word", "phones"), "phones\tid\tword\nt\t7\ts\n"),
        (Columns("word", 1), "phones\tid\tword\nt\t7\ts\n"),
        (Columns(1, 2, header=True), "a\tb\ns\tt\n"),
        (Columns(1, 2, delimiter=" | "), "s | t\n"),
        (Columns(1, 1), "s\n"),
    ],
)
def test_columns_by_number_and_by_name(tmp_path, columns, content):
    [(source, target, _)] = read_pairs(tsv(tmp_path, content), columns)
    assert (source, target) == ("s", "s" if columns.target == columns.source else "t")


@pytest.mark.parametrize(
    ("content", "columns", "message"),
    [
        (b"", Columns(), "PATH is empty; give a file with a source and a target on each line."),
        (b"\n\n", Columns(), "PATH is empty;"),
        (b"\xef\xbb\xbf", Columns(), "PATH is empty;"),
        (b"a\tb\n", Columns(header=True), "PATH has no line after the header; give a file"),
        (
            b"a\tb\nhello\n",
            Columns(),
            "PATH:2: there is no tab on this line, but the target is wanted from column 2; put a "
            "tab between source and target, or choose other columns.",
        ),
        (b"a\tb\n", Columns(delimiter=";"), "PATH:1: there is no ';' on this line"),
        (
            b"a\tb\n",
            Columns(1, 3),
            "PATH:1: this line has 2 columns, but the target is wanted from column 3; mend the "
            "line or choose another column.",
        ),
        (b"a\tb\n", Columns(4, 1), "PATH:1: this line has 2 columns, but the source is wanted"),
        (
            b"word\tid\nx\ty\n",
            Columns("word", "phones"),
            "PATH:1: there is no column named 'phones' for the target; the header line has 'word', "
            "'id'. Choose one of these or give a number.",
        ),
        (
            b"word\tword\nx\ty\n",
            Columns("word", 2),
            "PATH:1: the source column 'word' is there 2 times; give its number.",
        ),
        (
            b"a\tb\nc\td\xff\n",
            Columns(),
            "PATH:2: byte 4 of the line, 0xff, is not UTF-8; convert the file to UTF-8 or mend the "
            "line.",
        ),
        ("a\tb\n".encode("utf-16"), Columns(), "PATH is UTF-16; convert it to UTF-8."),
        (b"a\tb\nc\t\0d\n", Columns(), "PATH:2: character 3 of the line is NUL; this is no text"),
        (b"a\tb\n\tc\n", Columns(), "PATH:2: the source is empty; fill it in or delete the line."),
        (b"a\tb\nc\t \n", Columns(), "PATH:2: the target is empty; fill it in or delete the line."),
    ],
)
def test_each_fault_has_its_sentence(tmp_path, content, columns, message):
    path = tsv(tmp_path, content)
    with pytest.raises(DataError, match=re.escape(message.replace("PATH", str(path)))):
        list(read_pairs(path, columns))


def test_the_first_fault_is_told_first(tmp_path):
    with pytest.raises(DataError, match=":2: there is no tab"):
        list(read_pairs(tsv(tmp_path, b"a\tb\nno tab\nc\t\xff\n")))
    with pytest.raises(DataError, match=":3: byte 3"):
        list(read_pairs(tsv(tmp_path, b"a\tb\r\nd\te\r\nc\t\xff\nno tab\n")))


def test_a_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"none\.tsv does not exist; check the path\."):
        next(read_pairs(tmp_path / "none.tsv"))


def test_a_directory(tmp_path):
    with pytest.raises(DataError, match="is a directory; give a file"):
        next(read_pairs(tmp_path))


def test_a_file_that_cannot_be_read(tmp_path):
    path = tmp_path / "loop.tsv"
    path.symlink_to(path)
    with pytest.raises(DataError, match=r"loop\.tsv cannot be read: .+\."):
        next(read_pairs(path))


@pytest.mark.parametrize(
    "damage",
    [
        lambda packed: packed[:-9],
        lambda packed: packed[:60] + bytes(40) + packed[100:],
        lambda packed: b"this is no gz",
        lambda packed: packed[:-8] + bytes(4) + packed[-4:],
    ],
    ids=["cut off", "garbled", "of another kind", "with a wrong checksum"],
)
def test_a_damaged_gz(tmp_path, damage):
    packed = gzip.compress("".join(f"{n}\t{n * n}\n" for n in range(900)).encode())
    path = tsv(tmp_path, damage(packed), "pairs.tsv.gz")
    with pytest.raises(DataError, match=r"gz is damaged: it cannot be unpacked beyond line \d+ \("):
        list(read_pairs(path))


def test_a_line_that_never_ends(tmp_path):
    path = tsv(tmp_path, b"a\tb\n" + b"x" * 12_000_000)
    message = r":2: the line has more than 10,000,000 bytes; is this a text file"
    with pytest.raises(DataError, match=message):
        list(read_pairs(path))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 2), "the source column is 0; give its number, counted from 1, or its name"),
        ((1, -1), "the target column is -1; give its number"),
        ((1, "phones", "\t", False), "the target column is the name 'phones', but the file is"),
        ((1.5, 2), "the source column is 1.5; give its number, counted from 1, or its name"),
        ((1, None), "the target column is None; give its number, counted from 1, or its name"),
        ((1, 2, ""), "the delimiter of the columns is empty; the usual one is a tab"),
    ],
)
@pytest.mark.usefixtures("as_users_call")
def test_impossible_columns(arguments, message):
    with pytest.raises(DataError, match=message):
        Columns(*arguments)


def test_lines_alone(tmp_path):
    path = tsv(tmp_path, "\ufeffone\r\n\n three")
    for file in (path, str(path)):
        assert list(read_lines(file)) == [(1, "one"), (2, ""), (3, " three")]

"""Text to ids and back: exact, whatever is written in it."""

import json
import pickle
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from unrolled.errors import DataError, ModelError
from unrolled.seq2seq import BEGIN, END, PAD, UNKNOWN, Symbols, train_symbols

# Spaces of all kinds, combining marks, beyond the basic plane, special pieces, separators.
AWKWARD = st.sampled_from(
    [
        *("<pad>", "<begin>", "<end>", "<unknown>", "<pad> "),
        *(" ", "  ", "\t", "\n", "\u00a0", "\u2581", ";", ";;", "|"),
        *("e\u0301", "\u00e9", "\u0301", "ΑΣ", "İ"),
        *("😀", "👩\u200d👧", "\U0010ffff", "\ue000"),
    ]
)
TEXT = st.lists(AWKWARD | st.text(max_size=4), max_size=6).map("".join)
TEXTS = st.lists(TEXT, min_size=1, max_size=8)
KINDS = st.sampled_from(["characters", "separator", "bpe"])
SEPARATORS = st.sampled_from([" ", ";", " | ", ";;"])


def trained(texts, kind, separator=" ", **settings):
    """Symbols of texts, with room for everything that occurs; an "a" so that there is something."""
    size = 3000 if kind == "bpe" else None
    return train_symbols([*texts, "a"], kind, separator, vocab_size=size, **settings)


@given(texts=TEXTS, kind=KINDS, separator=SEPARATORS, lowercase=st.booleans(), nfc=st.booleans())
def test_what_was_trained_on_comes_back_as_it_was(texts, kind, separator, lowercase, nfc):
    symbols = trained(texts, kind, separator, lowercase=lowercase, nfc=nfc)
    for text in texts:
        ids = symbols.encode(text)
        assert symbols.decode(ids) == symbols.normalised(text)
        assert symbols.unknown(text) == []
        if kind != "separator" and not lowercase and not nfc:
            assert symbols.normalised(text) == text


@given(texts=TEXTS, separator=SEPARATORS)
def test_separators_separate_and_are_nothing_more(texts, separator):
    symbols = trained(texts, "separator", separator)
    for text in texts:
        wanted = [piece for piece in text.split(separator) if piece]
        assert symbols.pieces(text) == wanted
        assert symbols.normalised(text) == separator.join(wanted)


@given(seen=TEXTS, text=TEXT, kind=KINDS, separator=SEPARATORS)
def test_no_text_gives_a_special_id(seen, text, kind, separator):
    symbols = trained(seen, kind, separator)
    assert not {PAD, BEGIN, END} & set(symbols.encode(text))


@pytest.mark.parametrize("kind", ["characters", "separator", "bpe"])
def test_a_text_that_reads_like_a_special_piece_keeps_its_meaning(kind):
    symbols = trained(["<pad> <end> <unknown> <pad>"] * 9, kind)
    ids = symbols.encode("<end> <pad>")
    assert min(ids) > UNKNOWN
    assert symbols.decode(ids) == "<end> <pad>"


@given(seen=TEXTS, text=TEXT, kind=KINDS, separator=SEPARATORS, lowercase=st.booleans())
def test_hugging_face_reads_the_same_from_tokenizer_json(
    tmp_path_factory, seen, text, kind, separator, lowercase
):
    symbols = trained(seen, kind, separator, lowercase=lowercase)
    path = tmp_path_factory.mktemp("symbols") / "tokenizer.json"
    symbols.save(path)
    theirs = Tokenizer.from_file(str(path))
    for each in (*seen, text):
        assert theirs.encode(each).ids == symbols.encode(each)


@given(seen=TEXTS, texts=TEXTS, kind=KINDS, separator=SEPARATORS, lowercase=st.booleans())
def test_many_texts_at_once_are_each_text_alone(seen, texts, kind, separator, lowercase):
    symbols = trained(seen, kind, separator, lowercase=lowercase)
    alone = [symbols.encode(text) for text in texts]
    assert symbols.encode_batch(texts) == alone
    ids, lengths = symbols.encode_flat(texts)
    assert ids.tolist() == [id_ for row in alone for id_ in row]
    assert lengths.tolist() == [len(row) for row in alone]


def test_no_texts_give_no_ids():
    assert trained(["ab"], "characters").encode_batch([]) == []


@given(seen=TEXTS, text=TEXT, kind=KINDS, separator=SEPARATORS)
def test_each_id_has_its_piece_and_unseen_pieces_are_named(seen, text, kind, separator):
    symbols = trained(seen, kind, separator)
    ids, pieces = symbols.encode(text), symbols.pieces(text)
    assert len(ids) == len(pieces)
    for id_, piece in zip(ids, pieces, strict=True):
        if id_ != UNKNOWN:
            assert symbols.id_to_piece(id_) == piece
    unseen = [piece for id_, piece in zip(ids, pieces, strict=True) if id_ == UNKNOWN]
    assert symbols.unknown(text) == list(dict.fromkeys(unseen))
    if kind != "separator":
        assert set("".join(unseen)) <= set(text) - set("".join(seen))
        assert "".join(pieces) == text


@pytest.mark.parametrize("kind", ["characters", "separator", "bpe"])
@pytest.mark.parametrize("lowercase", [False, True])
def test_saved_and_loaded_are_the_same(tmp_path, kind, lowercase):
    symbols = trained(["Hello wörld 😀 <pad>", "a;b"], kind, lowercase=lowercase)
    symbols.save(tmp_path / "tokenizer.json")
    loaded = Symbols.load(tmp_path / "tokenizer.json")
    copy = pickle.loads(pickle.dumps(symbols))
    for other in (loaded, copy):
        assert (other.kind, other.separator) == (symbols.kind, symbols.separator)
        assert other.fingerprint == symbols.fingerprint
        assert other.encode("Hello 😀 z") == symbols.encode("Hello 😀 z")


def test_fingerprints_tell_rules_and_vocabularies_apart():
    prints = {
        trained(["a b"], "characters").fingerprint,
        trained(["a b"], "separator").fingerprint,
        trained(["a b"], "separator", ";").fingerprint,
        trained(["a b"], "characters", lowercase=True).fingerprint,
        trained(["a c"], "characters").fingerprint,
        trained(["a b"], "bpe").fingerprint,
    }
    assert len(prints) == 6


def test_the_most_frequent_come_first_and_ties_by_code_point():
    symbols = train_symbols(["bca", "ba", "b"])
    assert [symbols.id_to_piece(id_) for id_ in range(len(symbols))] == [
        "<pad>",
        "<begin>",
        "<end>",
        "<unknown>",
        "b",
        "a",
        "c",
    ]


def test_rare_symbols_are_unknown():
    symbols = train_symbols(["aab", "aab", "c"], min_frequency=2)
    assert symbols.encode("abc") == [4, 5, UNKNOWN]
    assert symbols.unknown("abcc") == ["c"]


@pytest.mark.parametrize("kind", ["characters", "separator", "bpe"])
def test_the_vocabulary_keeps_to_its_size(kind):
    texts = [" ".join("abcdefghij"[:n]) for n in range(1, 11)] * 5
    assert len(train_symbols(texts, kind, vocab_size=8)) == 8


def test_bpe_joins_what_is_frequent_and_keeps_the_space_before_a_word():
    symbols = train_symbols(["the cat the hat"] * 20, "bpe", vocab_size=40)
    assert symbols.pieces("the cat") == ["the", " cat"]
    assert symbols.pieces("the  cat") == ["the", " ", " ", *symbols.pieces("cat")]
    assert symbols.decode(symbols.encode("the cat")) == "the cat"


def test_lower_case_and_normal_form_are_for_those_who_ask():
    assert train_symbols(["aé"]).unknown("Ae\u0301") == ["A", "e", "\u0301"]
    folded = train_symbols(["aé"], lowercase=True, nfc=True)
    assert folded.unknown("AE\u0301") == []
    assert folded.decode(folded.encode("AE\u0301")) == "aé"


def test_an_upper_case_separator_still_separates_lower_cased_text():
    symbols = train_symbols(["1X2x3"], "separator", "X", lowercase=True)
    assert symbols.pieces("1X2x3") == ["1", "2", "3"]


def test_texts_are_streamed():
    alive = 0

    def endless():
        nonlocal alive
        while True:
            alive += 1
            yield "abc"

    train_symbols(islice(endless(), 25_000))
    assert alive == 25_000


@pytest.mark.parametrize("id_", [-1, 6])
def test_an_id_that_is_not_there(id_):
    symbols = train_symbols(["ab"])
    with pytest.raises(ValueError, match=rf"id is {id_}; these symbols have ids 0 to 5\."):
        symbols.id_to_piece(id_)
    with pytest.raises(ValueError, match=r"these symbols have ids 0 to 5"):
        symbols.decode([4, id_])


def test_special_ids_are_left_out_of_a_text():
    assert train_symbols(["ab"]).decode([BEGIN, 4, UNKNOWN, 5, END, PAD]) == "ab"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "separator", "separator": ""}, "separator is empty; use kind='characters'"),
        ({"kind": "bpe"}, "kind='bpe' needs a vocab_size, for example 8000"),
        ({"vocab_size": 4}, "vocab_size is 4; it must be above 4"),
        ({"vocab_size": 2**31}, "vocab_size is 2147483648; it must be at most 10000000"),
        ({"min_frequency": 0}, "min_frequency is 0; it must be at least 1"),
    ],
)
def test_impossible_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        train_symbols(["a"], **settings)


@pytest.mark.parametrize("method", ["encode_batch", "encode_flat"])
def test_one_text_is_no_list_of_texts(method):
    message = r"^texts is the string 'abc'; give a list of strings\.$"
    with pytest.raises(TypeError, match=message):
        train_symbols("abc")
    with pytest.raises(TypeError, match=message):
        getattr(train_symbols(["abc"]), method)("abc")


@pytest.mark.parametrize("texts", [[], [""], ["a"]])
def test_nothing_to_learn(texts):
    with pytest.raises(DataError, match="there are no symbols to learn"):
        train_symbols(texts, min_frequency=2)


def test_half_a_surrogate_pair():
    symbols = train_symbols(["ab"] * 9, "bpe", vocab_size=10)
    with pytest.raises(DataError, match="holds a lone surrogate at character 2; it was not"):
        symbols.encode("a\ud800")
    assert train_symbols(["ab"]).encode_batch(["a\ud800b"]) == [[4, UNKNOWN, 5]]


def test_a_missing_file(tmp_path):
    with pytest.raises(ModelError, match=r"tokenizer\.json is missing; restore it from a copy"):
        Symbols.load(tmp_path / "tokenizer.json")


def test_a_directory_for_a_file(tmp_path):
    with pytest.raises(ModelError, match=r"cannot be read \(.*\); restore it"):
        Symbols.load(tmp_path)


@pytest.mark.parametrize("damage", [lambda text: text[: len(text) // 2], lambda text: ""])
def test_a_damaged_file(tmp_path, damage):
    path = tmp_path / "tokenizer.json"
    train_symbols(["ab"]).save(path)
    path.write_text(damage(path.read_text("utf-8")), "utf-8")
    with pytest.raises(ModelError, match=r"tokenizer\.json is damaged, it holds no tokenizer"):
        Symbols.load(path)


def test_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ModelError, match="cannot be read"):
        Symbols.load(path)


def other_cut():
    tokenizer = Tokenizer(models.WordLevel({"a": 0}, unk_token="a"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer.to_str()


def other_special():
    layout = json.loads(train_symbols(["ab"])._tokenizer.to_str())
    layout["model"]["vocab"] = {"[PAD]": 0, "a": 1}
    layout["model"]["unk_token"] = "[PAD]"
    return json.dumps(layout)


def with_gap():
    layout = json.loads(train_symbols(["ab"])._tokenizer.to_str())
    layout["model"]["vocab"]["b"] = 9
    return json.dumps(layout)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (other_cut(), "it cuts texts in a way that is not ours"),
        (other_special(), r"ids 0 to 3 must be \['<pad> '"),
        (with_gap(), "ids must be counted from 0 without a gap"),
    ],
)
def test_a_tokenizer_of_another_make(tmp_path, content, message):
    (tmp_path / "tokenizer.json").write_text(content, "utf-8")
    with pytest.raises(ModelError, match=f"holds a tokenizer of another make: {message}"):
        Symbols.load(tmp_path / "tokenizer.json")

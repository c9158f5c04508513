"""The ids that mean no symbol of the text, the same in every vocabulary."""

PAD = 0
BEGIN = 1
END = 2
UNKNOWN = 3

SPECIAL_PIECES = ("<pad>", "<begin>", "<end>", "<unknown>")


def check_special_fit(symbols: int) -> None:
    """Refuse a vocabulary that lacks some of them.

    Args:
        symbols: there are in the vocabulary.

    Raises:
        ValueError: they are too few.
    """
    if symbols < len(SPECIAL_PIECES):
        raise ValueError(
            f"the decoder writes {symbols} symbols, but a search needs the "
            f"{len(SPECIAL_PIECES)} special ones {', '.join(SPECIAL_PIECES)}, which come first; "
            f"build it with a vocab_size of {len(SPECIAL_PIECES)} or more."
        )

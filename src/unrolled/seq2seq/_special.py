"""The ids that mean no symbol of the text, the same in every vocabulary."""

PAD = 0
BEGIN = 1
END = 2
UNKNOWN = 3

SPECIAL_PIECES = ("<pad>", "<begin>", "<end>", "<unknown>")

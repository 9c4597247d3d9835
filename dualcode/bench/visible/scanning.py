"""Where a piece of Python ends in a line of prose: brackets, strings, remarks."""

from collections.abc import Iterator

_CLOSING = {")": "(", "]": "[", "}": "{"}


def walk(text: str, start: int = 0) -> Iterator[tuple[int, str, int]]:
    """Yield (index, character, depth of brackets) outside strings; a bracket has its inner depth."""
    depth, quote, escaped = 0, "", False
    for index in range(start, len(text)):
        character = text[index]
        if quote:
            ends, escaped = character == quote and not escaped, character == "\\" and not escaped
            quote = "" if ends or character == "\n" else quote
            if character != "\n":
                continue
        depth += character in "([{"
        yield index, character, depth
        depth = max(0, depth - (character in _CLOSING))
        if character in "\"'":
            quote, escaped = character, False


def closing(text: str, start: int) -> int | None:
    """Return the index behind the bracket that closes the one at `start`; None if none does."""
    for index, character, depth in walk(text, start):
        if depth == 1 and character in _CLOSING and index > start:
            return index + 1
    return None


def first_line(text: str) -> str:
    """Return a text up to the first line's end in no bracket; the bare first line if there is none."""
    ends = outside(text, "\n")
    if not ends and not _ends_open(text):
        return text
    return text[: ends[0]] if ends else text.partition("\n")[0]


def _ends_open(text: str) -> bool:
    depth = 0
    for _, character, inner in walk(text):
        depth = inner - (character in _CLOSING)
    return depth > 0


def outside(text: str, wanted: str) -> list[int]:
    """Return where one of the wanted characters stands outside all brackets and strings."""
    return [
        at for at, character, depth in walk(text) if character in wanted and _level(character, depth) == 0
    ]


def _level(character: str, depth: int) -> int:
    return depth - (character in "([{)]}")

"""Draw a recorded terminal session as an SVG: what stood on the screen at its end.

    script --quiet --flush --command scripts/demo.sh demo.typescript
    uv pip install pyte
    python docs/picture.py demo.typescript docs/demo.svg

The typescript's bytes go through a terminal emulator (pyte), so that the picture shows what a person saw,
progress displays drawn over as they were.
"""

import io
import sys
from pathlib import Path

import pyte
from rich.console import Console
from rich.style import Style
from rich.text import Text

COLUMNS = 100
LINES = 400
_NAMES = {"brown": "yellow", "default": None}


def screen_of(typescript: bytes) -> pyte.Screen:
    """Return the screen after the session; long enough that nothing scrolls away."""
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    body = typescript.split(b"\n", 1)[1] if typescript.startswith(b"Script started") else typescript
    stream.feed(body.rsplit(b"\nScript done", 1)[0])
    return screen


def line_of(screen: pyte.Screen, number: int) -> Text:
    """Return one line with its colours."""
    text = Text()
    for column in range(COLUMNS):
        cell = screen.buffer[number][column]
        colour = _NAMES.get(cell.fg, cell.fg)
        known = colour if colour is None or colour.isalpha() else f"#{colour}"
        text.append(cell.data, Style(color=known, bold=cell.bold, italic=cell.italics))
    text.rstrip()
    return text


def main() -> None:
    """Draw the picture."""
    source, target = map(Path, sys.argv[1:3])
    screen = screen_of(source.read_bytes())
    lines = [line_of(screen, number) for number in range(LINES)]
    while lines and not lines[-1].plain.strip():
        lines.pop()
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    for line in lines:
        console.print(line, soft_wrap=True)
    console.save_svg(str(target), title="scripts/demo.sh")


if __name__ == "__main__":
    main()

"""The text of a PDF as another program would read it: glyphs of each page turned back into characters."""

import io
import re
from collections.abc import Iterator
from typing import Any

import pikepdf

WHITE = re.compile(r"[\s\u200b\u00ad]+")


def text_of(content: bytes) -> str:
    """Every page's text in the order it is drawn, without any white space."""
    with pikepdf.open(io.BytesIO(content)) as opened:
        return WHITE.sub("", "".join(part for page in opened.pages for part in _page(page)))


def without_space(text: str) -> str:
    """How `text_of` gives this text back."""
    return WHITE.sub("", text)


def _page(page: Any) -> Iterator[str]:
    fonts = {str(name): _glyphs(font) for name, font in page.Resources.get("/Font", {}).items()}
    glyphs: dict[bytes, str] = {}
    for operands, operator in pikepdf.parse_content_stream(page):
        if str(operator) == "Tf":
            glyphs = fonts[str(operands[0])]
        elif str(operator) in {"Tj", "TJ"}:
            parts = operands[0] if str(operator) == "TJ" else [operands[0]]
            for part in parts:
                if isinstance(part, pikepdf.String):
                    codes = bytes(part)
                    yield from (glyphs.get(codes[at : at + 2], "\ufffd") for at in range(0, len(codes), 2))


def _glyphs(font: Any) -> dict[bytes, str]:
    """Two-byte codes and what the font says they mean (ToUnicode)."""
    found = {}
    text = font.ToUnicode.read_bytes().decode("latin-1")
    for block in re.findall(r"beginbfchar(.*?)endbfchar", text, re.DOTALL):
        for code, meaning in re.findall(r"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>", block):
            found[bytes.fromhex(code)] = bytes.fromhex(meaning).decode("utf-16-be")
    for block in re.findall(r"beginbfrange(.*?)endbfrange", text, re.DOTALL):
        for first, last, meaning in re.findall(r"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>", block):
            start = bytes.fromhex(meaning).decode("utf-16-be")
            for step in range(int(last, 16) - int(first, 16) + 1):
                found[(int(first, 16) + step).to_bytes(2, "big")] = start[:-1] + chr(ord(start[-1]) + step)
    return found

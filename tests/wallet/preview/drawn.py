"""Reads drawings again: their texts, their pictures, and their code as a scanner sees it."""

import base64
import re
from xml.etree import ElementTree as ET

import zxingcpp
from PIL import Image, ImageDraw

SVG = "{http://www.w3.org/2000/svg}"
MODULE, QUIET = 4, 16


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 - we drew it ourselves


def texts(svg: str) -> list[str]:
    """Return what is written, from top to bottom as it was drawn."""
    return [one.text or "" for one in parsed(svg).iter(f"{SVG}text")]


def text(svg: str, words: str) -> ET.Element:
    [found] = [one for one in parsed(svg).iter(f"{SVG}text") if one.text == words]
    return found


def pictures(svg: str) -> list[bytes]:
    return [
        base64.b64decode(one.attrib["href"].removeprefix("data:image/png;base64,"))
        for one in parsed(svg).iter(f"{SVG}image")
    ]


def scanned(svg: str) -> str | None:
    """Return what the code on a drawing says, or None when there is no code."""
    found = next(parsed(svg).iter(f"{SVG}path"), None)
    if found is None:
        return None
    runs = [
        tuple(map(int, run)) for run in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\d+z", found.attrib["d"])
    ]
    size = MODULE * max(row + 1 for _, row, _ in runs) + 2 * QUIET
    image = Image.new("L", (size, size), 255)
    pen = ImageDraw.Draw(image)
    for start, row, length in runs:
        left, top = QUIET + MODULE * start, QUIET + MODULE * row
        pen.rectangle((left, top, left + MODULE * length - 1, top + MODULE - 1), fill=0)
    [code] = zxingcpp.read_barcodes(image)
    return str(code.text)

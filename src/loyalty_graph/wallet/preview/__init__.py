"""Draws cards as phones show them, as SVG that stands alone: for pages, terminals and the API."""

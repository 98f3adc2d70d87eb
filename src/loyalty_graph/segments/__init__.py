"""Segments: members by what is known of them."""

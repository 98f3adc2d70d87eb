"""Conditions as data: a small typed tree over a declared vocabulary, for Python and for SQL.

A comparison with a value that is not known is false, whatever it compares; `not` of it is true.
"""

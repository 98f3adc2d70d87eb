"""How a database comes to the newest tables, while older and newer processes run on it.

`steps` (what a folder holds) -> `course` (takes them, over `connections`, and keeps `records`).
`processes` are those that run meanwhile, which `watching` tells from those that were killed. The
next step is written from `states` and `changes`.
"""

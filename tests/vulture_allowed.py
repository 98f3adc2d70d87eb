"""Names that vulture believes unused; each is used by a library, by name."""

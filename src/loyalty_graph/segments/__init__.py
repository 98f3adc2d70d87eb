"""Who is meant: what is known of members, and the groups of members a programme names."""

"""Benefits: what a programme can grant beside points, who granted it, and how often it was used."""

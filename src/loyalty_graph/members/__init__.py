"""Members: who takes part in a programme, and by what they are found."""

"""The door of what nobody asks for: loops that run in `serve`, or in `loyalty-graph worker`."""

"""Programmes: the tenants. A programme's settings are versioned, so that old entries stay true."""

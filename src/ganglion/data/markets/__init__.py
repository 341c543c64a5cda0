"""Prices over time: how they are read, and what is refused."""

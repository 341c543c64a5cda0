"""Moves of a pen, and where a point may lie."""

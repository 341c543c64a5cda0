"""Readers of drawings: arrays of pen moves, lines as JSON, paths of SVG."""

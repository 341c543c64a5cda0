"""Drawings of images: grids, films, pieces, what was found in them and where a network looked."""

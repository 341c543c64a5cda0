"""Drawings of texts: passages, topics, translations and their words."""

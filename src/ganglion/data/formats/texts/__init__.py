"""Texts in files: how they are encoded and in which script they are, and what lies in them."""

"""Sounds as pictures of time and pitch, and spelling out of what a network hears."""

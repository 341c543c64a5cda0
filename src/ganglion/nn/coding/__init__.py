"""Encoders with their decoders."""

"""Scans: all steps of a recurrent layer in one call, as its equations are written and compiled."""

"""Learning over sequences: whole ones, pairs of them, and windows that carry a state on."""

"""Learning to give back what was read: reconstructions, penalties on codes, layer by layer, variational, colours."""

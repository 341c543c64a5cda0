"""Small dense networks in compiled calls: all layers forward, all layers backward, and deep Q-learning on them."""

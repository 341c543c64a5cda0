"""Roads that are drawn, what a camera on a car sees of them, and driving along them."""

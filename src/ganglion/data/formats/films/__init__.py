"""Films: clips in files or as folders of frames, many of them with classes, and arrays of frames."""

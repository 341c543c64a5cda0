"""Series in files: how they are read, in which order, and what their dates say."""

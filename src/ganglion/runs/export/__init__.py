"""Networks taken out of ganglion: as ONNX files that say what they need, as weights that torch alone can read."""

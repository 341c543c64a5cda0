"""Parts of networks that make pictures small: transforms, rounding while training, and what foretells whole numbers."""

"""Parts that know their inputs as images: colours, sizes, pieces, boxes and regions of them."""

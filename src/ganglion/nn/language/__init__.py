"""Parts of networks that read and write tokens: attention, decoding, and the tokens themselves."""

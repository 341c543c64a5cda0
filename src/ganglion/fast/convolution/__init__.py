"""Convolutions that torch leaves half a processor idle with: few input channels, or few positions of the kernel."""

"""Generators and discriminators that several systems share, and the norm that bounds a discriminator's slopes."""

"""SNIP: tables and formulas meet in one latent space by contrast; it is decoded and searched."""

"""Networks as their authors released them, and the reading of their files without running them."""

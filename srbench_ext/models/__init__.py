"""Networks, their training and their decoding: the only floor of the package that needs torch."""

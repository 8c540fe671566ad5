"""NeSymReS: a set transformer that writes skeletons, a beam search, and a fit of their constants."""

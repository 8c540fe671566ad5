"""GenSR: a conditional variational autoencoder of formulas, searched in its latent space."""

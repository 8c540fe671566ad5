"""What searches share: the Pareto front of complexity and loss. No torch here."""

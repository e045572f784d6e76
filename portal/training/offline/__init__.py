"""Learning without a network: what a phone takes along, and what it sends when the network is back."""

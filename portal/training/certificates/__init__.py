"""Certificates: granted when the gates are open, printed, signed, verified by anybody, prolonged, taken back."""

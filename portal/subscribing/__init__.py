"""Subscribing on the web: in by a one-time code, choose what to be told, see what is kept, leave."""

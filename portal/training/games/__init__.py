"""Scenarios that everybody may play: plain pages with a picture each, made for children's fingers."""

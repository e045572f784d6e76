"""What the desk's pages of training share: their navigation, their layout, their stylesheet."""

"""The safety encyclopedia 安全应急百科: what to do before, during and after a danger; and the search over all that is public."""

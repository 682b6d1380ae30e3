"""Heat: its templates, its stacks, and what happens in them."""

"""Inputs that people have, spoilt in ways that people spoil them, through the code that reads them."""

"""Observing a group while it scales, with few API calls: Heat's listing and events, Nova, Aodh, Gnocchi, the members themselves."""

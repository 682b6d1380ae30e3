"""Ceilometer, Gnocchi and Aodh: how often they look, what they keep, what they are waiting for, and the arithmetic of it."""

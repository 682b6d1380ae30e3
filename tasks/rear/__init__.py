"""ReaR on a node: its configuration, read as ReaR reads it and mended, the network of its rescue system, who else starts it."""

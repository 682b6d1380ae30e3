"""What scales: the group as it stands, its settings, its members and the load on them."""

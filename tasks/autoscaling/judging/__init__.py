"""What a timeline means: rules that make findings of it (pure functions), and the verdict that follows from these."""

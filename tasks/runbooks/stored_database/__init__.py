"""A database of a backup set as what is restored: found on the store, fetched, loaded. The runbooks that restore one use it."""

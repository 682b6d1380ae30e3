"""deploy-stack: what a stack is deployed from, and everything in the cloud that speaks against it."""

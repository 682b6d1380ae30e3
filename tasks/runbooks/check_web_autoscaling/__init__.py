"""check-web-autoscaling: the check of a group behind a load balancer."""

"""What the cloud's services load: a hypervisor, a meter for it, a load balancer. Runs inside the cloud only."""

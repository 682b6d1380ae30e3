"""The scaling group: members, policies with their webhooks, alarms, sizes; shells on the members, and CPU load in them."""

"""A Redfish service for the tests: one node's BMC, as it should be, and with each of the faults that BMCs have."""

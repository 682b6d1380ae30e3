"""Ceilometer's files as an operator may find them, before and after: exactly one interval differs."""

POLLING = """---
# Edited by hand; the next update of the overcloud takes this away.
sources:
    - name: some_pollsters
      interval: 300   # of CPU
      meters:
        - cpu
        - "memory.usage"

    - name: slow_pollsters
      interval: 300
      meters: ["disk.*", 'network.*']
"""
POLLING_60 = POLLING.replace("300   #", "60   #")

# OSP 8: the source of all meters stands beside that of CPU.
PIPELINE = """---
sources:
    - name: meter_source
      interval: 600
      meters:
          - "*"
      sinks:
          - meter_sink
    - name: cpu_source
      interval: 600 # ten minutes
      meters:
          - "cpu"
      sinks:
          - cpu_sink
sinks:
    - name: meter_sink
      transformers:
      publishers:
          - notifier://
    - name: cpu_sink
      transformers:
          - name: "rate_of_change"
            parameters:
                target:
                    name: "cpu_util"
                    unit: "%"
                    type: "gauge"
                    scale: "100.0 / (10**9 * (resource_metadata.cpu_number or 1))"
      publishers:
          - notifier://
"""
PIPELINE_60 = PIPELINE.replace("600 #", "60 #")

"""Heat: templates and environments, previews and plans, stacks with their events, failures and outputs.

`stack`, `events`, `failure`, `outputs`, `planning` and `preview` read; `stack_operations` creates, updates and deletes; `steps`
are these as steps of a runbook.
"""

"""Heat: templates and environments, previews and plans, stacks with their events, failures and outputs.

`template_text`, `named_files` and `environments` read an operator's files, `templates` puts them together. `stack`, `events`,
`failure`, `outputs`, `planning` and `preview` read; `stack_operations` creates, updates and deletes; `steps` are these as steps of
a runbook.
"""

"""The commands that read traces: ``manage.py signaltrace`` and
``python -m signal_trace``, which needs no project.

Each command is a module with its ``HELP``, its ``add_options`` and its ``run``.
"""

"""What tracing costs: measured side by side with the alternatives.

    python tests/benchmarks/run.py --help

`contenders` says who is compared, `workloads` what each is asked to do, `worker` is
a contender's process, `rounds` asks the workers in turn, `measures` makes figures of
their answers, and `report` and `page` show them. `panel` measures the panel and `load`
servers under load; `promised` and `loaded` make figures of that.
"""

"""The command `alertgraph doctor`: whether a run with this configuration can work here, checked one by one.

`findings` runs a check so that none stops the others, `machine` looks at what is installed and how large it is,
`configured` at what the configuration names, `exported` at the export, and `on_spark` at what only a session can tell.
"""

from alertgraph_spark.commands.doctor.command import add_command

__all__ = ["add_command"]

"""The command `alertgraph init`: look at an export, and write the configuration that ranks it.

`survey` says what is there, `fit` which format reads a table, `sheet` and `hosts` what is written.
"""

from alertgraph_spark.commands.init.command import add_command

__all__ = ["add_command"]

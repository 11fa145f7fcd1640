"""History: exported lines are parsed once, and kept by site and day as far as any later run asks of them.

`store` names the parts and says which are there, `plan` which a run needs, `fold` makes them of exported lines, and
`kept_lines` answers from them what a run asks of its lines. It is a cache: deleted, it is made anew, and with it or without
it the tables of a run are the same.
"""

from alertgraph_spark.history.current import Current, bring_up_to_date
from alertgraph_spark.history.fold import fold_job, fold_units
from alertgraph_spark.history.held import Held
from alertgraph_spark.history.kept_lines import KeptLines
from alertgraph_spark.history.plan import Plan, Unit, plan_units
from alertgraph_spark.history.reader import Reader
from alertgraph_spark.history.store import Part, Store, history_key, place_of

__all__ = [
    "Current",
    "Held",
    "KeptLines",
    "Part",
    "Plan",
    "Reader",
    "Store",
    "Unit",
    "bring_up_to_date",
    "fold_job",
    "fold_units",
    "history_key",
    "place_of",
    "plan_units",
]

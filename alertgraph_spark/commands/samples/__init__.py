"""A user's sample of a product's rows, treated as the job treats the real ones.

`records` reads files of any kind, within limits; `layout` lays them out as an export rule would have.
"""

from alertgraph_spark.commands.samples.layout import DAY, TABLE, Sample, Shape, lay_out, write_samples

__all__ = ["DAY", "TABLE", "Sample", "Shape", "lay_out", "write_samples"]

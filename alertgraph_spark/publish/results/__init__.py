"""A run as it is saved: a folder with its tables as Parquet, and `run.json`, which comes last and says that they are whole.

`folder` is that folder, on this machine (`local`) or on any file system that Hadoop reaches (`hadoop`); `tables` is what
stands in it; `runs` are all of them.
"""

from alertgraph_spark.publish.results.folder import RunFolder, is_local, make_folder, open_folder
from alertgraph_spark.publish.results.hadoop import HadoopFolder
from alertgraph_spark.publish.results.local import LocalFolder
from alertgraph_spark.publish.results.runs import Runs, SavedRun
from alertgraph_spark.publish.results.tables import read_frame, read_run, read_tables, save_run, save_tables

__all__ = [
    "HadoopFolder",
    "LocalFolder",
    "RunFolder",
    "Runs",
    "SavedRun",
    "is_local",
    "make_folder",
    "open_folder",
    "read_frame",
    "read_run",
    "read_tables",
    "save_run",
    "save_tables",
]

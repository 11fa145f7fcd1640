"""A run as it is saved: a folder with its tables as Parquet, and `run.json`, which comes last and says that they are whole.

`folder` is that folder, on this machine or on any file system that Hadoop reaches; `tables` what stands in it.
"""

from alertgraph_spark.io.results.folder import HadoopFolder, LocalFolder, RunFolder, is_local, open_folder
from alertgraph_spark.io.results.tables import read_frame, read_run, read_tables, save_run, save_tables

__all__ = [
    "HadoopFolder",
    "LocalFolder",
    "RunFolder",
    "is_local",
    "open_folder",
    "read_frame",
    "read_run",
    "read_tables",
    "save_run",
    "save_tables",
]

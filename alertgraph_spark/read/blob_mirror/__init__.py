"""Mirrors an export's blobs into a folder of the same layout, where Spark has no connector to the storage account.

`account` lists, `credentials` signs in, `copies` fetches one blob and `mirror` keeps the folder, all on the driver. Spark
then reads the folder with the one reader that there is: what it reads is the same by construction, and no secret leaves the
driver.
"""

from alertgraph_spark.read.blob_mirror.mirror import Mirror, mirror_export

__all__ = ["Mirror", "mirror_export"]

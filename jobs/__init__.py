"""The job as it is run: `rank_alerts.py` by its path, or in the wheel as `alertgraph_spark.jobs.rank_alerts`."""

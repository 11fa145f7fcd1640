"""Learn: what analysts judged of earlier subgraphs, remembered and weighed. No Spark, no storage, no network."""

from alertgraph_spark.learn.apply import apply_model, memory_of, offsets_of, rule_of, signatures_of
from alertgraph_spark.learn.calibrate import curve, fit_offset, log_loss, probability
from alertgraph_spark.learn.evaluation import Bin, Evaluation, calibration_error, decide
from alertgraph_spark.learn.model import Model, SiteModel, from_json, to_json
from alertgraph_spark.learn.recall import Remembered, Signature, likeness
from alertgraph_spark.learn.training import Judged, digest, evaluate, fit
from alertgraph_spark.learn.traits import sign_subgraphs

__all__ = [
    "Bin",
    "Evaluation",
    "Judged",
    "Model",
    "Remembered",
    "Signature",
    "SiteModel",
    "apply_model",
    "calibration_error",
    "curve",
    "decide",
    "digest",
    "evaluate",
    "fit",
    "fit_offset",
    "from_json",
    "likeness",
    "log_loss",
    "memory_of",
    "offsets_of",
    "probability",
    "rule_of",
    "sign_subgraphs",
    "signatures_of",
    "to_json",
]

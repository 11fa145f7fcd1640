"""What the job learns from verdicts, measured on networks that are watched for months."""

"""A real MLflow tracking server as a destination."""

from ollamatrace.destinations.mlflow.channel import MlflowChannel

__all__ = ["MlflowChannel"]

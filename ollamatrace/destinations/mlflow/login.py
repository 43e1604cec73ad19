"""Who we are to an MLflow server: what the environment says, as headers and certificates."""

from __future__ import annotations

from ollamatrace.destinations.connection import Trust, basic, check_header, standing_headers
from ollamatrace.destinations.server_address import Address
from ollamatrace.settings import Access


def headers(address: Address, access: Access) -> dict[str, str]:
    """What every request carries.

    Raises:
        ConfigError: a token or a workspace that no header can carry.
    """
    fixed = standing_headers()
    if address.username is not None:
        fixed["authorization"] = basic(address.username, address.password)
    elif access.username is not None:
        fixed["authorization"] = basic(access.username, access.password or "")
    elif access.token is not None:
        check_header("MLFLOW_TRACKING_TOKEN", access.token)
        fixed["authorization"] = f"Bearer {access.token}"
    if access.workspace is not None:
        check_header("MLFLOW_WORKSPACE", access.workspace)
        fixed["x-mlflow-workspace"] = access.workspace
    return fixed


def trust(access: Access) -> Trust:
    """The certificates."""
    return Trust(
        authorities=access.server_cert_path,
        authorities_by="MLFLOW_TRACKING_SERVER_CERT_PATH",
        own=access.client_cert_path,
        own_by="MLFLOW_TRACKING_CLIENT_CERT_PATH",
        is_blind=access.insecure_tls,
    )

"""What goes wrong with MLflow: errors that pass, and those that last."""

from google.protobuf.json_format import Error as BadMessage  # type: ignore[import-untyped]
from mlflow.exceptions import MlflowException
from requests import RequestException
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError

FAULTS = (MlflowException, RequestException, SQLAlchemyError, BadMessage)  # of the store
# A time-out, too many requests, a request that the server gave up: the next try may be luckier.
_PASSING = (408, 429, 499)


def is_passing(error: Exception) -> bool:
    """Whether the same call may do later: nobody answered, or whoever did was in trouble.

    What lasts is an answer that says no: the run is deleted, a value refused, a password wrong.
    """
    if isinstance(error, MlflowException):
        status = int(error.get_http_status_code())
        return status >= 500 or status in _PASSING
    if isinstance(error, DBAPIError):
        return isinstance(error, OperationalError | InterfaceError)
    return isinstance(error, RequestException | BadMessage | SQLAlchemyError)

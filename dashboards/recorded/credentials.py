"""An address of MLflow's holds a user's password: never shown, kept or sent to another process.

It comes from MLFLOW_TRACKING_URI, and is found there again whenever a client is made.
"""

import logging
import os
import re
from urllib.parse import unquote, urlsplit, urlunsplit

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from lesions.errors import InputError

URI = "MLFLOW_TRACKING_URI"
USER, PASSWORD, TOKEN = (f"MLFLOW_TRACKING_{name}" for name in ("USERNAME", "PASSWORD", "TOKEN"))
_DATABASES = ("postgresql", "mysql", "mssql", "sqlite")
_IN_ADDRESS = re.compile(r"(?<=://)[^\s/]*@")
_PASSWORDS = (re.compile(r"://[^:/@?]*:([^@]*)@"), re.compile(r"://[^:/@?]*:(.*)@"))
# SQLAlchemy's words after, and before, what the database said.
_SQL = re.compile(r"\n\[SQL:.*|\(raised as a result of Query-invoked autoflush[^)]*\)", re.DOTALL)
LONGEST = 600  # letters of an error
_IN_WORDS = re.compile(r"(?i)\b(\w*(?:password|passwd|pwd|secret|token)\w*=)[^\s&;,'\")]+")


def is_server(uri: str) -> bool:
    """Whether it is a server that answers over HTTP, and not a database or a folder."""
    return urlsplit(uri).scheme in ("http", "https")


def without_credentials(uri: str) -> str:
    """The address without user, password and query.

    Raises:
        InputError: it is none; the message does not repeat it.
    """
    try:
        parts = urlsplit(uri)
        if parts.scheme.partition("+")[0] in _DATABASES:
            return _database(uri)
        if not is_server(uri):
            return _IN_ADDRESS.sub("", uri)  # "databricks", a folder
        _ = parts.port  # ValueError: a password with a slash in it, perhaps
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    except (ValueError, ArgumentError):
        raise InputError(
            f"{URI} is no address", remedy="write / @ : ? # in its password as %2F %40 %3A %3F %23"
        ) from None


def whole_address(uri: str) -> str:
    """What a client is made of: a database's address with what the environment adds to it.

    A server's address stays as it is: its user and password go where MLflow looks for them, so
    that no error of MLflow's can hold them.
    """
    given = os.environ.get(URI, "")
    if not given or without_credentials(given) != uri:
        return uri
    if not is_server(given):
        return given
    parts = urlsplit(given)
    if parts.username is not None and parts.password is not None:
        os.environ[USER], os.environ[PASSWORD] = unquote(parts.username), unquote(parts.password)
    return uri


def told(error: BaseException) -> str:
    """What a library says of an error, on one line, without credentials.

    Libraries name the cause last: what is too long loses its middle. SQL and its values, which
    may be anybody's, are left out.
    """
    said = _SQL.sub("", str(error))
    words = " ".join(scrubbed(said).split())
    if len(words) > LONGEST:
        words = f"{words[: LONGEST // 3]} … {words[-2 * LONGEST // 3 :]}"
    return words or type(error).__name__


def scrubbed(words: str) -> str:
    """Words of a library without the credentials of this process."""
    for secret in sorted(_secrets(), key=len, reverse=True):
        words = words.replace(secret, "***")
    return _IN_WORDS.sub(r"\1***", _IN_ADDRESS.sub("", words))


def _secrets() -> set[str]:
    given = os.environ.get(URI, "")
    _, _, query = given.partition("?")
    written = [found for pattern in _PASSWORDS for found in pattern.findall(given)]
    written += [pair.partition("=")[2] for pair in query.split("&")]
    written += [os.environ.get(PASSWORD, ""), os.environ.get(TOKEN, "")]
    return {form for one in written for form in (one, unquote(one)) if len(form) > 2}


def _database(uri: str) -> str:
    url = make_url(uri)
    if url.username is None and url.password is None:
        return uri.partition("?")[0]
    return URL.create(
        url.drivername, host=url.host, port=url.port, database=url.database
    ).render_as_string()


class Scrubbing(logging.Filter):
    """What a library logs, without credentials."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Every record passes."""
        record.msg, record.args = scrubbed(record.getMessage()), ()
        record.exc_info = None  # a traceback's text is not ours to scrub
        return True

"""TLS to the engine: what its client needs, checked at the start and carried in the address.

One string says how the engine is reached, so that nobody who makes a client can leave a part out.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from redis.asyncio import Redis
from redis.asyncio.connection import SSLConnection
from redis.exceptions import TimeoutError as EngineTimeout

#: What only a wrong setting can cause is told from what passes, by what the TLS library says.
_NO_TLS = ("WRONG_VERSION_NUMBER", "UNEXPECTED_EOF", "RECORD_LAYER_FAILURE", "BAD_SIGNATURE")
_NO_CLIENT = ("CERTIFICATE_REQUIRED", "UNKNOWN_CA", "BAD_CERTIFICATE", "HANDSHAKE_FAILURE")

Files = Mapping[str, Path | None]


def with_tls(url: str, files: Files, *, check_hostname: bool) -> str:
    """Return *url* with *files* (`ca`, `cert`, `key`), as redis-py's addresses have them.

    A renewed file holds from the next connection on.
    """
    names = {"ca": "ssl_ca_certs", "cert": "ssl_certfile", "key": "ssl_keyfile"}
    query = {names[name]: str(path) for name, path in files.items() if path}
    if not check_hostname:
        query["ssl_check_hostname"] = "false"
    if not query:
        return url
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(query)}"


def check_ca(path: Path) -> None:
    """See that *path* holds certificates. Raises ValueError, which says what is wrong."""
    try:
        ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        raise ValueError(f"{path} holds no certificate in PEM form") from None
    except OSError as error:
        raise ValueError(f"{path} can't be read ({error.strerror})") from None


def check_pair(cert: Path, key: Path | None) -> None:
    """See that a client's certificate and key fit. Raises ValueError, which says what is wrong."""
    try:
        # A password would be asked for on the terminal, at the first connection.
        ssl.create_default_context().load_cert_chain(cert, key, password=lambda: "")
    except ssl.SSLError:
        raise ValueError(
            f"{cert} and {key or 'itself'} are no certificate with its key, in PEM form and "
            "without a password"
        ) from None
    except OSError as error:
        raise ValueError(f"{cert} or {key} can't be read ({error.strerror})") from None


def misfit(error: BaseException) -> str | None:
    """Say which setting is wrong if *error* came of one; None if the engine may just be away."""
    found = _ssl_error(error)
    if isinstance(found, ssl.SSLCertVerificationError):
        why = found.verify_message.rstrip(".")
        if "ostname mismatch" in why or "IP address mismatch" in why:
            return (
                f"WRITETHRU_REDIS_URL: the engine's certificate is for another host ({why}); "
                "name it as its certificate does"
            )
        return (
            f"WRITETHRU_REDIS_CA_FILE: the engine's certificate can't be verified ({why}); "
            "set the file with the certificate that vouches for it"
        )
    reason = found.reason if found is not None and found.reason else ""
    if any(word in reason for word in _NO_TLS):
        return (
            "WRITETHRU_REDIS_URL: what listens there speaks no TLS; "
            "set the engine's TLS port, or redis:// for a plain one"
        )
    if any(word in reason for word in _NO_CLIENT):
        return (
            "WRITETHRU_REDIS_CERT_FILE: the engine does not take our certificate "
            f"({reason.lower().replace('_', ' ')}); set one that its CA vouches for, and its key"
        )
    return None


def hints(redis: Redis, error: BaseException) -> Mapping[str, str]:
    """Return, as `hint`, what may be wrong where an engine says nothing: it is the only sign."""
    if isinstance(error.__context__ or error.__cause__, ConnectionRefusedError):
        return {}
    made: type = getattr(redis.connection_pool, "connection_class", object)
    if issubclass(made, SSLConnection):
        hint = "does that port speak TLS, and does it want a certificate of ours?"
    elif isinstance(error, EngineTimeout):
        return {}
    else:
        hint = "if that port speaks TLS only, the address begins with rediss://"
    return {"hint": hint}


def _ssl_error(error: BaseException | None) -> ssl.SSLError | None:
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    return error

"""Downloads with limits on silence, time and size, and in words why one failed."""

import re
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import requests
import urllib3
from tqdm import tqdm

MAX_BYTES = 200_000_000  # MNIST's largest file has 47 MB unpacked
MAX_SECONDS = 600
TIMEOUT_S = (5, 20)  # to connect; between two pieces of the answer
N_RETRIES = 2
PAUSE_S = 1.0  # before the first retry; then twice as long

_NOT_THERE = (403, 404, 410)  # S3 answers 403 for what is not there
# OpenSSL's numbers for an issuer that is missing or not trusted.
_UNTRUSTED = (2, 18, 19, 20, 21)


class UnreachableError(Exception):
    """A source does not answer, or does not have the file: another may."""


class NotThereError(UnreachableError):
    """A source answers, but does not have the file."""


def download(url: str, target: Path, scale: int = 1) -> None:
    """Write what the address gives to the target; the limits are multiplied by the scale.

    Raises UnreachableError, which says why, after as many retries as may help.
    """
    for attempt in range(N_RETRIES + 1):
        try:
            _download_once(url, target, scale)
        except requests.RequestException as error:
            status = None if error.response is None else error.response.status_code
            if status in _NOT_THERE:
                raise NotThereError(_reason(error, url)) from error
            passing = isinstance(error, requests.Timeout | requests.ConnectionError) and not (
                isinstance(error, requests.exceptions.SSLError | requests.exceptions.ProxyError)
            )
            if attempt == N_RETRIES or not (passing or (status or 0) >= 500):  # noqa: PLR2004
                raise UnreachableError(_reason(error, url)) from error
            time.sleep(PAUSE_S * 2**attempt)
        else:
            return


def without_password(address: str) -> str:
    """The address as it may be shown."""
    return re.sub(r"//[^/]*@", "//", address)


def _download_once(url: str, target: Path, scale: int) -> None:
    max_bytes, max_seconds = scale * MAX_BYTES, scale * MAX_SECONDS
    deadline = time.monotonic() + max_seconds
    with _open(url) as response:
        response.raise_for_status()
        announced = response.headers.get("Content-Length", "")
        total = int(announced) if announced.isdecimal() else None
        received = 0
        with (
            target.open("wb") as file,
            tqdm(
                total=total, unit="B", unit_scale=True, desc=without_password(url), disable=None
            ) as bar,
        ):
            for piece in _pieces(response):
                received += len(piece)
                if received > max_bytes:
                    raise requests.RequestException(f"more than {max_bytes:,} bytes")
                if time.monotonic() > deadline:
                    raise requests.Timeout(f"not complete after {max_seconds} seconds")
                file.write(piece)
                bar.update(len(piece))
    if total is not None and received < total:
        raise requests.ConnectionError(f"{received:,} of {total:,} bytes came")


def _open(url: str) -> requests.Response:
    # Not compressed once more on the way: the body is written as it comes.
    as_it_is = {"Accept-Encoding": "identity"}
    try:
        return requests.get(url, stream=True, timeout=TIMEOUT_S, headers=as_it_is)
    except requests.RequestException:
        raise
    except (OSError, ValueError) as error:  # no such REQUESTS_CA_BUNDLE; http://a..b
        raise requests.RequestException(str(error)) from error


def _pieces(response: requests.Response) -> Iterator[bytes]:
    """The body as it arrives: Requests' own pieces wait to be full, past any deadline."""
    try:
        while piece := response.raw.read1(1 << 16):
            yield piece
    except urllib3.exceptions.ReadTimeoutError as error:
        raise requests.Timeout(str(error)) from error
    except urllib3.exceptions.HTTPError as error:
        raise requests.ConnectionError(str(error)) from error


def _reason(error: requests.RequestException, url: str) -> str:
    """What failed, for someone who can set a variable or ask an administrator."""
    proxy = _proxy(url)
    peer = (
        f"the proxy {proxy}" if isinstance(error, requests.exceptions.ProxyError) else "the server"
    )
    if error.response is not None:
        return _status(error.response.status_code, proxy)
    if isinstance(error, requests.Timeout):
        return f"no answer in time{f' by way of the proxy {proxy}' if proxy else ''}"
    if not isinstance(error, requests.ConnectionError):
        return str(error)
    match _root(error):
        case ssl.SSLCertVerificationError() as cause:
            reason = _certificate(cause)
        case socket.gaierror():
            reason = f"the name of {peer} cannot be resolved"
        case ConnectionRefusedError():
            reason = f"{peer} refuses the connection"
        case OSError() as cause if "407" in str(cause):  # told by http.client in words alone
            reason = _status(requests.codes.proxy_authentication_required, proxy)
        case OSError(strerror=str(text)):
            reason = f"no connection to {peer} ({text})"
        case _:
            reason = "the connection was cut off"
    return reason


def _root(error: BaseException) -> BaseException:
    """What the libraries' errors were raised for in the first place."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    return error


def _status(code: int, proxy: str) -> str:
    match code:
        case 401:
            return "it asks for a login (status 401): write it as https://USER:PASSWORD@..."
        case 403:
            return "it refuses access (status 403)"
        case 407:
            return (
                f"the proxy {proxy} asks for a password (status 407): set HTTPS_PROXY and "
                "HTTP_PROXY to http://USER:PASSWORD@HOST:PORT"
            )
        case _:
            return f"status {code}"


def _certificate(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in _UNTRUSTED:
        return (
            f"its certificate is not trusted ({error.verify_message}): set REQUESTS_CA_BUNDLE to "
            "the .pem file of your network's certificates"
        )
    return f"its certificate does not hold ({error.verify_message})"


def _proxy(url: str) -> str:
    """Host and port of the proxy that is asked for the address, or nothing."""
    address = requests.utils.select_proxy(url, requests.utils.get_environ_proxies(url)) or ""
    return urlsplit(address).netloc.rpartition("@")[2] or address

"""Requests to the names that the plan binds, such as ``target``.

The host connects, does TLS and adds the credential. Bodies stay on the host's side where they can:
a list of bytes that was handed to the host is never freed, so bulk goes by ``forward``, ``drain``
and standard output.
"""

from dataclasses import dataclass

from componentize_py_types import Err, Ok
from wit_world.imports import outgoing_handler, types, wasi_streams
from wit_world.imports.artifacts import Body
from wit_world.imports.errors import (
    Error_Denied,
    Error_ExternalFailed,
    Error_Retryable,
    RetryError,
)
from wit_world.imports.types import (
    Fields,
    OutgoingBody,
    OutgoingRequest,
    Scheme_Http,
)

METHODS = {
    "GET": types.Method_Get,
    "HEAD": types.Method_Head,
    "POST": types.Method_Post,
    "PUT": types.Method_Put,
    "DELETE": types.Method_Delete,
}

# At most so many bytes are read at once.
PART = 1 << 20


@dataclass
class Answer:
    """What the other side answered. Its body can be read, or handed on."""

    status: int
    headers: dict[str, str]
    body: Body

    def read(self, most: int = 64 << 20) -> bytes:
        """The whole body."""
        parts = []
        length = 0
        while (part := self.body.read(PART)) is not None:
            length += len(part)
            if length > most:
                raise failed(f"an answer has more than {most} bytes")
            parts.append(part)
        return b"".join(parts)

    def refused(self, what: str) -> Err:
        """What an answer of the wrong status means for the session. Uses the body up."""
        try:
            said = (self.body.read(500) or b"").decode("utf-8", "replace").strip()
        except Err:
            said = ""
        message = f"{what} was answered with {self.status}: {said}".rstrip(": ")
        if self.status in (401, 403):
            return Err(Error_Denied(message))
        if self.status == 429 or self.status >= 500:
            return retryable(message)
        return failed(message)


def failed(message: str) -> Err:
    """An error of something outside."""
    return Err(Error_ExternalFailed(message))


def retryable(message: str) -> Err:
    """An error that another attempt may not meet."""
    return Err(Error_Retryable(RetryError(message, None)))


def request(
    method: str,
    path: str,
    *,
    name: str = "target",
    headers: dict[str, str] | None = None,
    body: Body | bytes | None = None,
) -> Answer:
    """Sends a request and returns the answer, whatever its status.

    ``body`` is a body of the host, such as an artifact's, or a few bytes.
    """
    what = f"{method} {path}"
    fields = [(key, value.encode()) for key, value in (headers or {}).items()]
    size = len(body) if isinstance(body, bytes) else body.size() if body is not None else None
    if size is not None:
        fields.append(("content-length", str(size).encode()))
    outgoing = OutgoingRequest(Fields.from_list(fields))
    outgoing.set_method(METHODS[method]())
    outgoing.set_scheme(Scheme_Http())
    outgoing.set_authority(name)
    outgoing.set_path_with_query(path)
    sent = outgoing.body() if body is not None else None
    try:
        future = outgoing_handler.handle(outgoing, None)
    except Err as error:
        raise _failure(error.value, what) from None
    with future:
        if sent is not None and (broken := _upload(body, sent)) is not None:
            # Without its body the request ends. Whoever refuses without reading answers anyway.
            answer = _wait(future)
            if isinstance(answer, Err):
                raise broken
            return _answer(answer.value)
        answer = _wait(future)
        if isinstance(answer, Err):
            raise _failure(answer.value, what)
        return _answer(answer.value)


def _upload(body: Body | bytes, sent: OutgoingBody) -> Err | None:
    """Sends a body to its end; returns the error that broke it off."""
    try:
        with sent.write() as stream:
            if isinstance(body, bytes):
                # The most that WASI takes in one call.
                for start in range(0, len(body), 4096):
                    stream.blocking_write_and_flush(body[start : start + 4096])
            else:
                wasi_streams.drain(body, stream)
    except Err as error:
        sent.__exit__(None, None, None)
        if isinstance(body, bytes):
            return retryable("the connection was closed before all was sent")
        return error
    try:
        OutgoingBody.finish(sent, None)
    except Err as error:
        return _failure(error.value, "the end of the request")
    return None


def _wait(future):
    with future.subscribe() as pollable:
        pollable.block()
    # The outer result is about this handle, the inner one about the connection.
    outer = future.get()
    assert isinstance(outer, Ok), "the answer was taken already"
    return outer.value


def _answer(incoming) -> Answer:
    with incoming.headers() as fields:
        headers = {
            key.lower(): value.decode("utf-8", "replace") for key, value in fields.entries()
        }
    length = headers.get("content-length")
    with incoming.consume() as consumed:
        body = wasi_streams.from_stream(
            consumed.stream(), int(length) if length is not None else None
        )
    status = incoming.status()
    incoming.__exit__(None, None, None)
    return Answer(status, headers, body)


_DENIED = (
    types.ErrorCode_HttpRequestDenied,
    types.ErrorCode_DestinationIpProhibited,
    types.ErrorCode_HttpRequestUriInvalid,
    types.ErrorCode_HttpRequestMethodInvalid,
)
_PASSING = (
    types.ErrorCode_DnsTimeout,
    types.ErrorCode_DnsError,
    types.ErrorCode_DestinationNotFound,
    types.ErrorCode_DestinationUnavailable,
    types.ErrorCode_DestinationIpUnroutable,
    types.ErrorCode_ConnectionRefused,
    types.ErrorCode_ConnectionTerminated,
    types.ErrorCode_ConnectionTimeout,
    types.ErrorCode_ConnectionReadTimeout,
    types.ErrorCode_ConnectionWriteTimeout,
    types.ErrorCode_ConnectionLimitReached,
    types.ErrorCode_HttpResponseTimeout,
    types.ErrorCode_HttpResponseIncomplete,
)


def _failure(code, what: str) -> Err:
    """What a failed connection means for the session."""
    detail = getattr(code, "value", None)
    message = f"{what}: {type(code).__name__.removeprefix('ErrorCode_')}"
    if isinstance(detail, str):
        message = f"{message} ({detail})"
    if isinstance(code, _DENIED):
        return Err(Error_Denied(message))
    return retryable(message) if isinstance(code, _PASSING) else failed(message)

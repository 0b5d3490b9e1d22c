"""The one place where Google's errors become ours."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from google.api_core import exceptions as api
from google.auth import exceptions as auth

from minionize.errors import BadParam, EngineError, EngineUnavailable, NoQueue, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minionize.engines.google.address import Address
    from minionize.errors import MinionizeError

#: Answers that say: not now, but maybe soon. The first is any that begins with a 5, an unknown method apart.
_PASSING = (api.ServerError, api.Aborted, api.Cancelled, api.RetryError, ConnectionError)
_LONGEST = 400
#: What the service says of credentials that it will not take, when the client could not get a token for them.
_REFUSED_TOKEN = (
    "invalid_grant",
    "invalid_client",
    "invalid_scope",
    "unauthorized_client",
    "invalid_target",
    "Reauthentication",
)
_CREDENTIALS = (
    "  Log in:  gcloud auth application-default login     or name a key file:  GOOGLE_APPLICATION_CREDENTIALS=key.json"
)


class Forbidden(EngineError):
    """The service does not allow us that."""


@contextmanager
def ours(address: Address) -> Iterator[None]:
    """Raise errors of ours for what the client raises within."""
    try:
        yield
    except (api.GoogleAPIError, auth.GoogleAuthError, ConnectionError) as error:
        raise translated(error, address) from error
    except ValueError as error:
        if "closed channel" not in str(error):
            raise
        raise EngineError("this engine was closed: open another one") from error


def translated(error: Exception, address: Address) -> MinionizeError:
    """Make an error of ours of what the client raised."""
    words, server = words_of(error), address.server
    if isinstance(error, auth.GoogleAuthError) or any(mark in words for mark in _REFUSED_TOKEN):
        return credentials_refused(error, words)
    if isinstance(error, api.NotFound):
        return gone(words, address)
    if isinstance(error, api.Unauthorized):
        return EngineError(f"{server} does not take our credentials: {words}\n{_CREDENTIALS}")
    if isinstance(error, api.Forbidden):
        return Forbidden(f"{server} forbids this: {words}\n{_permit(words, address)}")
    if isinstance(error, api.TooManyRequests):
        return EngineUnavailable(f"{server} gives no more for now: {words}")
    if isinstance(error, api.MethodNotImplemented):
        return EngineError(f"{server} is no Pub/Sub: {words}")
    if isinstance(error, api.GatewayTimeout):
        return EngineUnavailable(f"{server} does not answer ({words})")
    if isinstance(error, _PASSING):
        return EngineUnavailable(f"{server} cannot be reached: {words}{_hint(address)}")
    if isinstance(error, api.BadRequest) and "name" in words and "Invalid [" in words:
        return UsageError(
            f"{server} does not take a name: {words}\n"
            f"  GOOGLE_TOPIC_ID and GOOGLE_SUBSCRIPTION are 3 to 255 letters, digits and -._~%+; the first is a letter"
        )
    return EngineError(f"{server} refuses: {words}")


def publish_refused(error: Exception, address: Address) -> MinionizeError:
    """Make an error of ours of a publish that failed: what the service finds wrong with it is a param's size."""
    if isinstance(error, api.BadRequest):
        return BadParam(f"{address.server} does not take a param: {words_of(error)}")
    return translated(error, address)


def credentials_refused(error: Exception, words: str) -> MinionizeError:
    """Say that we have no credentials, or that they are not good any more; or that Google's token server is away."""
    if isinstance(error, auth.TransportError) or getattr(error, "retryable", False):
        return EngineUnavailable(f"Google's token server cannot be reached: {words}")
    if isinstance(error, auth.DefaultCredentialsError):
        return EngineError(f"there are no credentials for Google Cloud.\n{_CREDENTIALS}")
    return EngineError(f"Google does not take our credentials any more: {words}\n{_CREDENTIALS}")


def gone(words: str, address: Address) -> NoQueue:
    """Say that what was there at the start is not there any more."""
    why = " An emulator keeps everything in memory: after a restart it is empty." if address.emulator else ""
    return NoQueue(
        f"{address.where} is gone, with all params in it: {words}.{why}\n"
        f"  Make it and fill it again:  MINION_ENGINE=google minion-queue put ..."
    )


def words_of(error: Exception) -> str:
    """Take the first line of what an error says."""
    text = str(getattr(error, "message", "") or error or type(error).__name__)
    return text.strip().partition("\n")[0][:_LONGEST].rstrip(".")


def _permit(words: str, address: Address) -> str:
    if "has not been used" in words or "disabled" in words:
        return f"  Switch it on:  gcloud services enable pubsub.googleapis.com --project={address.project}"
    return (
        f"  Give the account the right:  gcloud projects add-iam-policy-binding {address.project}"
        f" --member=serviceAccount:ACCOUNT --role=roles/pubsub.editor"
    )


def _hint(address: Address) -> str:
    if not address.emulator:
        return ""
    return (
        f"\n  Is it running? Start one:  gcloud beta emulators pubsub start --host-port={address.emulator}"
        f"\n  or unset PUBSUB_EMULATOR_HOST to use Google's own service."
    )

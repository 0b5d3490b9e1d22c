"""Credentials, and the way to the service (or to its emulator).

One request at a time is made by each thread, and none is sent twice by the client: its own retries go on for minutes
whatever time limit they are given, and the courier has its own.
"""

from __future__ import annotations

import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

import google.auth
import grpc  # type: ignore[import-untyped]
from google.auth import exceptions as auth
from google.auth.transport.requests import Request
from google.pubsub_v1 import PublisherClient, SubscriberClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from minionize.engines.google.address import SERVICE
from minionize.engines.google.errors import ours
from minionize.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from minionize.engines.google.address import Address

#: Seconds until a request that is not answered is given up, and until one that carries megabytes is.
TIMEOUT, LONG_TIMEOUT = 10.0, 60.0
#: A channel as it comes waits up to two minutes before it tries again to reach a server that was away, and takes no
#: message over 4 MiB. What is called a minimal backoff is also how long an attempt to connect may take.
_OPTIONS = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_metadata_size", 4 << 20),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.min_reconnect_backoff_ms", 10_000),
)
#: An emulator is on this machine or near it: no proxy knows the way.
_EMULATOR_OPTIONS = (*_OPTIONS, ("grpc.enable_http_proxy", 0))


class Wire:
    """Clients of Pub/Sub. ``timeout``: seconds until a request that is not answered is given up."""

    def __init__(self, address: Address, key_file: str | None = None, *, timeout: float = TIMEOUT) -> None:
        """Find the credentials; nothing is asked of Pub/Sub yet. Raises UsageError, EngineError, EngineUnavailable."""
        self.address, self.timeout = address, timeout
        self.long_timeout = max(timeout, LONG_TIMEOUT) if timeout >= TIMEOUT else timeout
        self._credentials = None if address.emulator else _credentials(address, key_file)
        self._channels: list[Any] = []
        channel = self._channel()
        self.publisher = PublisherClient(transport=PublisherGrpcTransport(channel=channel))
        self.subscriber = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))

    def another(self) -> tuple[SubscriberClient, Callable[[], None]]:
        """Make a subscriber whose requests can be cut short, and what does so."""
        channel = self._channel()
        return SubscriberClient(transport=SubscriberGrpcTransport(channel=channel)), channel.close

    def close(self) -> None:
        """Cut all requests short and let go."""
        for channel in self._channels:
            channel.close()

    def _channel(self) -> Any:
        if self._credentials is None:
            channel = grpc.insecure_channel(self.address.emulator, options=_EMULATOR_OPTIONS)
        else:
            channel = SubscriberGrpcTransport.create_channel(
                f"{SERVICE}:443", credentials=self._credentials, options=_OPTIONS
            )
        self._channels.append(channel)
        return channel


def _credentials(address: Address, key_file: str | None) -> Any:
    with ours(address), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # advice for those who write programs
        found = _from_file(key_file) if key_file else google.auth.default(scopes=SubscriberGrpcTransport.AUTH_SCOPES)[0]
        if hasattr(found, "with_always_use_jwt_access"):  # the key of a service account signs for itself
            return found.with_always_use_jwt_access(True)
        # Else a thread of the client would find out that it gets no token, and fill the screen with it.
        found.refresh(partial(Request(), timeout=TIMEOUT))
        return found


def _from_file(path: str) -> Any:
    try:
        with open(path, "rb"):
            pass  # the client's words for a file that may not be read are a traceback
        found, _ = google.auth.load_credentials_from_file(path, scopes=SubscriberGrpcTransport.AUTH_SCOPES)  # type: ignore[no-untyped-call]
    except OSError as error:
        raise _unusable(path, str(error.strerror)) from error
    except (auth.DefaultCredentialsError, auth.MalformedError, ValueError, TypeError, KeyError, AttributeError):
        # from None: what the parser says may hold a piece of the key.
        raise _unusable(path, "it holds no credentials of Google Cloud") from None
    return found


def _unusable(path: str, why: str) -> UsageError:
    return UsageError(
        f"GOOGLE_APPLICATION_CREDENTIALS={path} cannot be used: {why}.\n"
        f"  Make a key:  gcloud iam service-accounts keys create key.json --iam-account=ACCOUNT\n"
        f"  or leave it unset and log in:  gcloud auth application-default login"
    )

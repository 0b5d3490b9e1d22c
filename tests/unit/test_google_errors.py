"""What Google's client raises is an error of ours, which says whether asking again may help, and what to type."""

from __future__ import annotations

import pytest

pytest.importorskip("google.pubsub_v1")

from google.api_core import exceptions as api
from google.auth import exceptions as auth

from minionize.engines.google.address import Address
from minionize.engines.google.errors import ours, publish_refused, translated
from minionize.errors import BadParam, EngineError, EngineUnavailable, NoQueue, UsageError

SERVICE = Address("my-project", "topic", "subscription")
EMULATOR = SERVICE._replace(emulator="localhost:8085")


@pytest.mark.parametrize(
    "error",
    [
        api.ServiceUnavailable("no route"),
        api.DeadlineExceeded("Deadline Exceeded"),
        api.InternalServerError("oops"),
        api.Unknown("Stream removed"),
        api.BadGateway("x"),
        api.Aborted("x"),
        api.Cancelled("x"),
        api.ResourceExhausted("quota"),
        api.RetryError("x", None),
        ConnectionResetError("x"),
        auth.TransportError("token server is away"),
        auth.RefreshError("503", retryable=True),
    ],
)
def test_what_may_pass_is_waited_for(error):
    """An outage, of the service or of the server that gives tokens."""
    assert type(translated(error, SERVICE)) is EngineUnavailable


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (api.NotFound("Subscription does not exist"), NoQueue, "minion-queue put"),
        (api.PermissionDenied("User not authorized"), EngineError, "roles/pubsub.editor"),
        (api.PermissionDenied("Pub/Sub API has not been used in project 1"), EngineError, "gcloud services enable"),
        (api.Unauthenticated("bad token"), EngineError, "gcloud auth application-default login"),
        (api.FailedPrecondition("it is detached"), EngineError, "it is detached"),
        (api.MethodNotImplemented("Pull"), EngineError, "no Pub/Sub"),
        (auth.DefaultCredentialsError("none"), EngineError, "GOOGLE_APPLICATION_CREDENTIALS=key.json"),
        (auth.RefreshError("invalid_grant: revoked"), EngineError, "gcloud auth application-default login"),
        (api.ServiceUnavailable("plugin failed: ('invalid_grant: revoked')"), EngineError, "gcloud auth"),
        (api.InvalidArgument("Invalid [topics] name: (name=a b)"), UsageError, "GOOGLE_TOPIC_ID"),
    ],
)
def test_what_will_not_pass_is_said_with_what_to_type(error, kind, words):
    """Waiting would not help."""
    found = translated(error, SERVICE)
    assert isinstance(found, kind)
    assert not isinstance(found, EngineUnavailable)
    assert words in str(found)
    assert "emulator" not in str(found)


def test_an_emulator_is_named_with_how_to_start_one():
    """Nobody looks for it at Google's."""
    text = str(translated(api.ServiceUnavailable("refused"), EMULATOR))
    assert "the Pub/Sub emulator localhost:8085 cannot be reached" in text
    assert "--host-port=localhost:8085" in text
    assert "An emulator keeps everything in memory" in str(translated(api.NotFound("gone"), EMULATOR))


def test_a_message_that_the_service_finds_too_large_is_a_bad_param():
    """Whoever puts it is told; other failures of a publish are what they are elsewhere."""
    assert isinstance(publish_refused(api.InvalidArgument("Message too large"), SERVICE), BadParam)
    assert isinstance(publish_refused(api.NotFound("Topic not found"), SERVICE), NoQueue)


def test_only_the_first_line_of_an_error_is_shown():
    """Some come with pages behind it."""
    assert "second" not in str(translated(api.ServiceUnavailable("first\nsecond"), SERVICE))


def test_errors_that_are_not_the_clients_are_left_alone():
    """They are faults of ours, and are shown as they are; but a closed engine says that it is closed."""
    with pytest.raises(ZeroDivisionError), ours(SERVICE):
        raise ZeroDivisionError
    with pytest.raises(ValueError, match="other"), ours(SERVICE):
        raise ValueError("other")
    with pytest.raises(EngineError, match="was closed"), ours(SERVICE):
        raise ValueError("Cannot invoke RPC on closed channel!")

"""Looking for topics and subscriptions, and making them, with a service that forbids or refuses some of it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytest.importorskip("google.pubsub_v1")

from google.api_core import exceptions as api
from google.pubsub_v1 import types

from minionize.engines.google.address import Address
from minionize.engines.google.objects import Found, look
from minionize.errors import EngineError, NoQueue

ADDRESS = Address("project", "topic", "subscription")


class Service:
    """Both clients of a service of which a test says what it does."""

    def __init__(self, *, there=(), forbids=(), refuses=()):
        self.address, self.timeout = ADDRESS, 1.0
        self.publisher = self.subscriber = self
        self.subscriptions = {name: types.Subscription(name=name, topic=topic) for name, topic in there}
        self.forbids, self.refuses, self.made = forbids, refuses, []

    def get_subscription(self, *, request, retry, timeout):
        """Find it."""
        self._permit("get")
        try:
            return self.subscriptions[request["subscription"]]
        except KeyError:
            raise api.NotFound("Subscription does not exist") from None

    def create_topic(self, *, request, retry, timeout):
        """Let it be there already."""
        self._permit("create")
        raise api.AlreadyExists("Topic already exists")

    def create_subscription(self, *, request, retry, timeout):
        """Make it, unless it has what this service does not know."""
        if any(refused(request) for refused in self.refuses):
            raise api.InvalidArgument("out of bounds")
        self.made.append(request)
        self.subscriptions[request["name"]] = found = types.Subscription(request)
        return found

    def list_topic_subscriptions(self, *, request, retry, timeout):
        """List what there is, on one page."""
        self._permit("list")
        return SimpleNamespace(pages=[types.ListTopicSubscriptionsResponse(subscriptions=list(self.subscriptions))])

    def _permit(self, what):
        if what in self.forbids:
            raise api.PermissionDenied(f"may not {what}")


BOTH = ((ADDRESS.subscription, ADDRESS.topic), (ADDRESS.dead_subscription, ADDRESS.dead_topic))


def test_who_may_not_look_goes_on_with_what_is_usual():
    """And says so; whether it may pull is seen when it does."""
    found = look(Service(there=BOTH, forbids=("get", "list")), create=False, lease=60.0)
    assert found._replace(notes=()) == Found()
    assert [ADDRESS.subscription in note for note in found.notes].count(True) == 1
    assert all("roles/pubsub.viewer" in note for note in found.notes)


def test_who_may_not_make_is_told_which_right_that_takes():
    """A put is refused, not half done."""
    service = Service(forbids=("create",))
    with pytest.raises(EngineError, match="roles/pubsub.editor"):
        look(service, create=True, lease=60.0)
    assert service.made == []


def test_who_may_not_list_is_not_told_of_other_subscriptions():
    """That is no error."""
    other = ("projects/project/subscriptions/other", ADDRESS.topic)
    assert look(Service(there=(*BOTH, other), forbids=("list",)), create=False, lease=60.0).notes == ()
    (note,) = look(Service(there=(*BOTH, other)), create=False, lease=60.0).notes
    assert "other" in note


def test_what_is_made_keeps_messages_as_long_as_the_service_allows():
    """31 days; on older servers 7; with a filter where one is known, and an ack deadline of the lease within its limits."""
    month = 31 * 86400
    service = Service()
    look(service, create=True, lease=900.0)
    assert [made["message_retention_duration"]["seconds"] for made in service.made] == [month, month]
    assert [made["ack_deadline_seconds"] for made in service.made] == [600, 60]
    assert all(made["expiration_policy"] == {} for made in service.made)
    service = Service(
        refuses=(lambda request: request["message_retention_duration"]["seconds"] == month, lambda r: "filter" in r)
    )
    found = look(service, create=True, lease=2.0)
    assert found.retention == 7 * 86400.0
    assert found.ack_deadline == 10
    assert "filter" not in service.made[0]


def test_dead_letters_are_not_filtered():
    """A policy of the service may move a copy there, which says that it was for the subscription to the tasks."""
    service = Service()
    look(service, create=True, lease=60.0)
    assert [ADDRESS.subscription in made.get("filter", "") for made in service.made] == [True, False]
    assert "filter" not in service.made[1]


def test_nothing_is_made_where_nobody_asked_for_it():
    """What is missing is said, with both ways to make it."""
    service = Service()
    with pytest.raises(NoQueue) as error:
        look(service, create=False, lease=60.0)
    assert service.made == []
    assert "minion-queue put" in str(error.value)
    assert f"gcloud pubsub topics create {ADDRESS.topic}" in str(error.value)

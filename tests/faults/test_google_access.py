"""Who may use Pub/Sub, and what must be there: what is refused, with what to type; what a put makes, and says."""

from __future__ import annotations

import json

import pytest
from google_queue import Queue
from servers import pubsub_server
from steps import take, tasks

from minionize.errors import EngineError, EngineUnavailable, NoQueue, UsageError
from minionize.settings import load
from minionize.testing import identity


@pytest.fixture
def queue():
    """Give a queue on the emulator that tests share."""
    queue = Queue()
    yield queue
    queue.close()


@pytest.fixture
def google_camp(camp, queue):
    """Give a camp whose queue is on that emulator."""
    name = queue.address.topic_id
    camp.environment |= queue.server.environment(name) | {"MINION_IDLE_TIMEOUT": "0.5s"}
    return camp


def refused(act, *words, kind=EngineError):
    """Require an error that asking again does not cure, which says all this."""
    with pytest.raises(kind) as error:
        act()
    assert not isinstance(error.value, EngineUnavailable)
    text = str(error.value)
    assert [word for word in words if word not in text] == [], text
    return text


def from_settings(**variables):
    """Open a queue as a minion does, with these variables."""
    from minionize.engines.google import GoogleEngine

    return GoogleEngine.from_settings(load({}, {"MINION_ENGINE": "google", **variables}), identity("a"))


# ---------------------------------------------------------------------- what must be there


def test_a_queue_that_is_not_there_is_not_made_by_running_it(google_camp, queue):
    """Exit code 2, with what makes it; and nothing was made."""
    minion = google_camp.minion("true")
    assert minion.code() == 2, minion.err
    assert f"has no subscription {queue.address.subscription}" in minion.err
    assert "minion-queue put" in minion.err
    assert "gcloud pubsub subscriptions create" in minion.err
    with queue.server.clients() as (publisher, _):
        names = [topic.name for topic in publisher.list_topics(project=f"projects/{pubsub_server.PROJECT}")]
    assert queue.address.topic not in names


def test_a_put_makes_what_is_missing_and_says_so_once(google_camp, queue):
    """Topic and subscription, of tasks and of dead letters; what was there already is used as it is."""
    first = google_camp.queue("put", "n=1..3")
    assert first.code() == 0, first.err
    assert f"made the subscription {queue.address.subscription}" in first.err
    assert f"made the subscription {queue.address.dead_subscription}" in first.err
    second = google_camp.queue("put", "n=4")
    assert second.code() == 0, second.err
    assert "made" not in second.err
    with queue.server.clients() as (_, subscriber):
        made = subscriber.get_subscription(subscription=queue.address.subscription)
    assert made.ack_deadline_seconds == 60
    assert not made.expiration_policy.ttl
    assert not made.enable_exactly_once_delivery
    assert queue.address.subscription in made.filter
    assert len(take(queue.open(create=False), 4)) == 4


def test_a_place_for_dead_letters_must_be_there(queue):
    """Without one they would vanish: nothing is run, and what to type is told."""
    queue.make()
    with queue.server.clients() as (_, subscriber):
        subscriber.delete_subscription(subscription=queue.address.dead_subscription)
    refused(
        lambda: queue.open(create=False), "no place for dead letters", queue.address.dead_subscription, kind=NoQueue
    )


def test_a_subscription_to_another_topic_is_refused(queue):
    """What is put would not come to it, nor what is run again."""
    queue.make()
    other = queue.address._replace(topic_id=pubsub_server.name())
    text = refused(lambda: queue.open(address=other, create=False), "not to", "GOOGLE_TOPIC_ID=")
    assert queue.address.topic in text


def test_a_subscription_whose_topic_was_deleted_is_no_queue(queue):
    """It exists, and nothing comes to it any more."""
    queue.make()
    with queue.server.clients() as (publisher, _):
        publisher.delete_topic(topic=queue.address.topic)
    refused(queue.open, "topic of", "was deleted", "subscriptions delete", kind=NoQueue)


def test_a_push_subscription_is_refused(queue):
    """Its messages go elsewhere."""
    queue.make(push_config={"push_endpoint": "http://127.0.0.1:1/"})
    refused(queue.open, "pull subscription only")


def test_a_topic_of_another_project_can_be_used_by_its_full_name(queue):
    """``projects/other/topics/t`` and ``projects/other/subscriptions/s`` are taken as they are."""
    name = pubsub_server.name()
    address = queue.address._replace(
        topic_id=f"projects/elsewhere/topics/{name}", subscription_id=f"projects/elsewhere/subscriptions/{name}"
    )
    engine = queue.open(address=address)
    engine.put(tasks(1))
    assert [task.param for task in take(engine, 1)] == ["0"]
    assert f"elsewhere/{name}" in engine.where
    queue.server.delete(address)


def test_what_a_minion_should_know_of_its_subscription_is_said(queue):
    """A dead-letter policy, an order that is kept, an end that is near, other subscriptions: a sentence each, once."""
    address = queue.address
    queue.make()
    assert queue.open(create=False).notes == ()
    with queue.server.clients() as (_, subscriber):
        subscriber.create_subscription(name=f"{address.subscription}-other", topic=address.topic)
        subscriber.delete_subscription(subscription=address.subscription)
        policy = {"dead_letter_topic": address.dead_topic, "max_delivery_attempts": 5}
        subscriber.create_subscription(
            request={
                "name": address.subscription,
                "topic": address.topic,
                "dead_letter_policy": policy,
                "enable_message_ordering": True,
                "expiration_policy": {"ttl": {"seconds": 2 * 86400}},
            }
        )
    notes = queue.open(create=False).notes
    for words in ("--clear-dead-letter-policy", "keeps the order", "for 2 days", f"{address.subscription_id}-other"):
        assert [words in note for note in notes].count(True) == 1, (words, notes)
    with queue.server.clients() as (_, subscriber):
        subscriber.delete_subscription(subscription=f"{address.subscription}-other")


def test_a_name_that_pubsub_does_not_take_is_a_usage_error(queue):
    """It says which names there can be."""
    address = queue.address._replace(topic_id="a b")
    refused(lambda: queue.open(address=address), "GOOGLE_TOPIC_ID", "letters", kind=UsageError)


# ---------------------------------------------------------------------- settings


def test_without_a_project_nothing_begins():
    """The variable is named."""
    refused(from_settings, "GOOGLE_PROJECT_ID=my-project", kind=UsageError)


def test_a_lease_longer_than_pubsub_knows_is_refused():
    """600 s is the most; the variable and what was given are named."""
    variables = {"GOOGLE_PROJECT_ID": "p", "MINION_LEASE": "11m"}
    refused(lambda: from_settings(**variables), 'MINION_LEASE="11m"', "10m at most", kind=UsageError)


@pytest.mark.parametrize("host", ["localhost", "localhost:http", "user@host:1", "http://host:80/path", ":8085"])
def test_what_is_no_address_of_an_emulator_is_a_usage_error(host):
    """An example is shown."""
    variables = {"GOOGLE_PROJECT_ID": "p", "PUBSUB_EMULATOR_HOST": host}
    refused(lambda: from_settings(**variables), "PUBSUB_EMULATOR_HOST=localhost:8085", kind=UsageError)


def test_an_emulator_may_be_written_as_a_url(queue):
    """As some tools print it."""
    queue.make()
    variables = queue.server.environment(queue.address.topic_id)
    variables["PUBSUB_EMULATOR_HOST"] = f"http://{queue.server.host}"
    engine = from_settings(**variables)
    assert engine.where == queue.address.where
    engine.close()


# ---------------------------------------------------------------------- credentials


def test_a_key_file_that_is_not_there_is_named(tmp_path):
    """With why, and how to make one."""
    path = str(tmp_path / "key.json")
    variables = {"GOOGLE_PROJECT_ID": "p", "GOOGLE_APPLICATION_CREDENTIALS": path}
    refused(
        lambda: from_settings(**variables), path, "No such file", "gcloud iam service-accounts keys", kind=UsageError
    )


@pytest.mark.parametrize(
    "content",
    [
        "",
        "s3cret",
        "[]",
        '{"type": "s3cret"}',
        '{"type": "service_account", "private_key": "s3cret"}',
        json.dumps(
            {
                "type": "service_account",
                "client_email": "a@b",
                "token_uri": "https://127.0.0.1:1/",
                "private_key": "-----BEGIN PRIVATE KEY-----\ns3cret\n-----END PRIVATE KEY-----\n",
            }
        ),
        '{"type": "authorized_user", "client_id": "s3cret"}',
    ],
)
def test_a_key_file_that_holds_no_key_is_a_usage_error(tmp_path, content):
    """It is named, and what it holds is not shown."""
    path = tmp_path / "key.json"
    path.write_text(content)
    variables = {"GOOGLE_PROJECT_ID": "p", "GOOGLE_APPLICATION_CREDENTIALS": str(path)}
    text = refused(lambda: from_settings(**variables), str(path), "holds no credentials", kind=UsageError)
    assert "s3cret" not in text


def test_without_credentials_the_minion_says_how_to_get_some(google_camp):
    """Exit code 2, no traceback: what logs in is told."""
    del google_camp.environment["PUBSUB_EMULATOR_HOST"]
    minion = google_camp.minion("true", variables={"NO_GCE_CHECK": "true"})
    assert minion.code() == 2, minion.err
    assert "there are no credentials" in minion.err
    assert "gcloud auth application-default login" in minion.err
    assert "Traceback" not in minion.err


def test_a_missing_client_is_named_with_what_installs_it(google_camp):
    """Exit code 2, and the extra."""
    package = google_camp.path / "lib" / "google"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()  # some other Google package, without Pub/Sub
    path = f"{package.parent}:{google_camp.environment['PYTHONPATH']}"
    minion = google_camp.minion("true", variables={"PYTHONPATH": path})
    assert minion.code() == 2, minion.err
    assert "needs the package google-cloud-pubsub" in minion.err
    assert "pip install 'minionize[google]'" in minion.err

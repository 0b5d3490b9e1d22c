"""Every setting there is. Flags, ``--help``, ``.env.example`` and the README's table are made from these rows.

Where a setting has a flag: flag > environment > ``.env`` > ``.minionize.yml`` > default.
"""

from __future__ import annotations

from minionize.settings.setting import (
    CODES,
    COUNT,
    DECODER,
    DESTINATION,
    DURATION,
    FUNCTION,
    LENGTH,
    MOUNT_LIST,
    NAME,
    PATH,
    POSITIVE,
    SLOTS,
    SWITCH,
    TEXT,
    WORDS,
    Setting,
    one_of,
)

ENGINE = Setting(
    "MINION_ENGINE",
    NAME,
    None,
    "Queue to pull params from: sqlite, spool, file, execo, redis, google, pulsar, or an installed plug-in."
    " Unset: the queue that is already here",
    flags=("--engine",),
    group="queue",
)
SQLITE_PATH = Setting(
    "SQLITE_PATH", PATH, "minion-queue.db", "The sqlite engine's file, on a local disk", group="queue"
)
SPOOL_DIR = Setting(
    "SPOOL_DIR",
    PATH,
    "minion-queue.d",
    "The spool engine's directory, on a file system that all machines share",
    group="queue",
)
FILE_PATH = Setting(
    "FILE_PATH", PATH, None, "The file engine's params, one a line. Unset: standard input", group="queue"
)
FILE_DECODER = Setting(
    "FILE_DECODER",
    one_of("identity", "json", "csv"),
    "identity",
    "How the file engine reads its lines: each one a string, a JSON value, or a row under a CSV header",
    group="queue",
)
EXECO_DIRECTORY = Setting(
    "EXECO_PERSISTENCE_DIR", PATH, "sweeps", "The execo engine's directory: that of a ParamSweeper", group="queue"
)
REDIS_URL = Setting(
    "REDIS_URL",
    TEXT,
    "redis://localhost:6379/0",
    "The redis engine's server; rediss:// for TLS, redis+sentinel://host:26379/service/0 for Sentinel",
    group="queue",
)
REDIS_STREAM = Setting("REDIS_STREAM", NAME, "minions", "The stream that holds the params", group="queue")
REDIS_GROUP = Setting("REDIS_GROUP", NAME, "minions", "The consumer group that all minions are in", group="queue")
REDIS_DECODER = Setting(
    "REDIS_DECODER",
    DECODER,
    "json",
    "How messages that others published are read: identity (a string), json, or module:function",
    group="queue",
)
GOOGLE_PROJECT = Setting("GOOGLE_PROJECT_ID", NAME, None, "The google engine's project on Google Cloud", group="queue")
GOOGLE_TOPIC = Setting(
    "GOOGLE_TOPIC_ID",
    NAME,
    "minions",
    "The Pub/Sub topic that params are published to; dead letters go to the one with -dead behind its name",
    group="queue",
)
GOOGLE_SUBSCRIPTION = Setting(
    "GOOGLE_SUBSCRIPTION",
    NAME,
    None,
    "The subscription to that topic that all minions share. Unset: one that is called like the topic",
    group="queue",
)
GOOGLE_CREDENTIALS = Setting(
    "GOOGLE_APPLICATION_CREDENTIALS",
    PATH,
    None,
    "The key file of a service account. Unset: what the machine or gcloud provides",
    group="queue",
)
GOOGLE_DECODER = Setting(
    "GOOGLE_DECODER",
    DECODER,
    "identity",
    "How messages that others published are read: identity (a string), json, or module:function",
    group="queue",
)
GOOGLE_EMULATOR = Setting(
    "PUBSUB_EMULATOR_HOST", TEXT, None, "host:port of a Pub/Sub emulator, instead of Google's service", group="queue"
)
PULSAR_CONNECTION = Setting(
    "PULSAR_CONNECTION",
    TEXT,
    "pulsar://localhost:6650",
    "The pulsar engine's brokers; pulsar+ssl:// for TLS",
    group="queue",
)
PULSAR_TOPIC = Setting(
    "PULSAR_TOPIC",
    NAME,
    "minions",
    "The topic that holds the params: a name, or persistent://tenant/namespace/name",
    group="queue",
)
PULSAR_SUBSCRIPTION = Setting(
    "PULSAR_SUBSCRIPTION", NAME, "minions", "The subscription to that topic that all minions share", group="queue"
)
PULSAR_DECODER = Setting(
    "PULSAR_DECODER",
    DECODER,
    "identity",
    "How messages that others published are read: identity (a string), json, or module:function",
    group="queue",
)
PULSAR_ADMIN = Setting(
    "PULSAR_ADMIN",
    TEXT,
    None,
    "The address of the brokers' admin API, as in http://localhost:8080. With it tasks are counted",
    group="queue",
)
PULSAR_TOKEN = Setting(
    "PULSAR_TOKEN",
    TEXT,
    None,
    "A token that the brokers know us by, or file:///path of one",
    group="queue",
    secret=True,
)
PULSAR_TLS_CA = Setting(
    "PULSAR_TLS_CA", PATH, None, "The certificates of the authorities that signed the brokers'", group="queue"
)
PULSAR_TLS_CERT = Setting("PULSAR_TLS_CERT", PATH, None, "The certificate that the brokers know us by", group="queue")
PULSAR_TLS_KEY = Setting("PULSAR_TLS_KEY", PATH, None, "The private key to it", group="queue")

PYTHON = Setting(
    "MINION_PYTHON",
    FUNCTION,
    None,
    "Call this Python function instead of a command: package.module:function, or path/to/file.py:function",
    flags=("--python",),
    group="program",
)
IMAGE = Setting(
    "MINION_IMAGE",
    NAME,
    None,
    "Run the command in a container of this image, one per task; with no command, the image's own",
    flags=("--image",),
    group="program",
)
RUNTIME = Setting(
    "MINION_RUNTIME",
    one_of("docker", "podman", "apptainer"),
    None,
    "What runs containers. Unset: the first of podman, docker and apptainer that is on PATH",
    flags=("--runtime",),
    group="program",
)
MOUNTS = Setting(
    "MINION_MOUNT",
    MOUNT_LIST,
    None,
    "Directories and files that containers see. The flag may be repeated",
    flags=("--mount",),
    group="program",
)
GPUS = Setting(
    "MINION_GPUS",
    NAME,
    None,
    "GPUs that containers see, as their runtime reads it: all, 1, device=0",
    flags=("--gpus",),
    group="program",
)
NETWORK = Setting(
    "MINION_NETWORK",
    NAME,
    None,
    "The network that containers are in, as their runtime reads it: host, none, a name",
    flags=("--network",),
    group="program",
)
CONTAINER_OPTIONS = Setting(
    "MINION_CONTAINER_OPTIONS",
    WORDS,
    None,
    "Further options of the runtime's command line: '--memory 2g --env TOKEN'",
    flags=("--container-options",),
    group="program",
)

SLOTS_ = Setting(
    "MINION_SLOTS", SLOTS, "1", "Tasks to run at once; auto: the CPUs this process may use", flags=("-j", "--slots")
)
TIMEOUT = Setting(
    "MINION_TIMEOUT",
    LENGTH,
    None,
    "Time limit of one execution: SIGTERM, then SIGKILL after the grace",
    flags=("--timeout",),
)
GRACE = Setting("MINION_GRACE", DURATION, "5s", "Time between SIGTERM and SIGKILL", flags=("--grace",))
OUTPUT = Setting(
    "MINION_OUTPUT",
    DESTINATION,
    "live",
    "Where the output of tasks goes: live (whole lines as they come), grouped (a task's at its end), none, or a directory",
    flags=("--output",),
)
TEMPLATE = Setting(
    "MINION_NO_TEMPLATE",
    SWITCH,
    "0",
    "Leave braces in the command alone: params are always appended",
    flags=("--no-template",),
)

MAX_ATTEMPTS = Setting(
    "MINION_MAX_ATTEMPTS",
    POSITIVE,
    "3",
    "Attempts before a failing task is dead",
    flags=("--max-attempts",),
    group="failures",
)
MAX_CRASHES = Setting(
    "MINION_MAX_CRASHES",
    POSITIVE,
    "5",
    "Minions that may vanish with a task before it is dead",
    flags=("--max-crashes",),
    group="failures",
)
BACKOFF = Setting(
    "MINION_BACKOFF",
    DURATION,
    "1s",
    "Longest delay before the second attempt; doubles with each, up to 5m; the actual delay is drawn at random below it",
    flags=("--backoff",),
    group="failures",
)
DEAD_ON = Setting(
    "MINION_DEAD_ON", CODES, "", "Exit codes not worth another attempt", flags=("--dead-on",), group="failures"
)
REQUEUE_ON = Setting(
    "MINION_REQUEUE_ON",
    CODES,
    "",
    "Exit codes that give the task back after the backoff, not charged",
    flags=("--requeue-on",),
    group="failures",
)
HALT = Setting(
    "MINION_HALT",
    COUNT,
    "0",
    "Leave with exit code 1 after this many dead tasks here (0: never)",
    flags=("--halt",),
    group="failures",
)
IGNORE_FAILURES = Setting(
    "MINION_IGNORE_FAILURES",
    SWITCH,
    "0",
    "Exit with 0 even if tasks died here",
    flags=("--ignore-failures",),
    group="failures",
)
BAD_HOST = Setting(
    "MINION_BAD_HOST",
    COUNT,
    "10",
    "Leave with exit code 71 after this many failures in a row with no success, while others succeed (0: never)",
    flags=("--bad-host",),
    group="failures",
)

IDLE_TIMEOUT = Setting(
    "MINION_IDLE_TIMEOUT",
    LENGTH,
    "60s",
    "How long to stay when there is nothing to run, but others still hold tasks",
    flags=("--idle-timeout",),
    group="leaving",
)
WAIT = Setting("MINION_WAIT", SWITCH, "0", "Stay until every task is done or dead", flags=("--wait",), group="leaving")
SERVICE = Setting(
    "MINION_SERVICE",
    SWITCH,
    "0",
    "Stay until told to go, and wait for the queue to exist",
    flags=("--service",),
    group="leaving",
)
MAX_TASKS = Setting(
    "MINION_MAX_TASKS", POSITIVE, None, "Leave after this many executions", flags=("--max-tasks",), group="leaving"
)
LIFETIME = Setting(
    "MINION_LIFETIME",
    LENGTH,
    None,
    "Leave before this much time is over; take no task that usually does not fit. Unset: what Slurm or OAR grants",
    flags=("--lifetime",),
    group="leaving",
)

LEASE = Setting(
    "MINION_LEASE",
    LENGTH,
    "60s",
    "How long a silent minion keeps its tasks; renewed at a third of it",
    flags=("--lease",),
    group="liveness",
)
PATIENCE = Setting(
    "MINION_ENGINE_PATIENCE",
    DURATION,
    "10m",
    "How long a lost queue server is waited for",
    flags=("--engine-patience",),
    group="liveness",
)
PREEMPTIBLE = Setting(
    "MINION_PREEMPTIBLE",
    SWITCH,
    None,
    "This minion may be killed at any moment: its crashes are not counted. Unset: on in an OAR best-effort job",
    flags=("--preemptible",),
    group="liveness",
)

REPORTER = Setting(
    "MINION_REPORTER",
    NAME,
    "json",
    "Where events go: json (a directory), stdout, null, or an installed plug-in",
    flags=("--reporter",),
    group="reports",
)
REPORT_DIRECTORY = Setting(
    "REPORTER_JSON_DIRECTORY",
    PATH,
    "minion-report",
    "The json reporter's directory: one file a minion",
    group="reports",
)

DRY = Setting(
    "DRY",
    SWITCH,
    "0",
    "Print the command lines of pending params, run nothing",
    flags=("-n", "--dry-run"),
    group="looking",
)

#: The rows, in the order in which help and documentation show them.
TABLE: tuple[Setting[object], ...] = tuple(row for row in list(globals().values()) if isinstance(row, Setting))

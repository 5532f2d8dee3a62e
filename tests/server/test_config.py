"""The settings: read from the environment once, every problem told at once, secrets masked."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from server.config import Config, ConfigError, variable_of


def read(**settings: str) -> Config:
    return Config.read({f"TASKARRAY_{name}": value for name, value in settings.items()})


def refusal(**settings: str) -> str:
    with pytest.raises(ConfigError) as found:
        read(**settings)
    return str(found.value)


def test_defaults():
    """With nothing set, every setting has its default: loopback, thirty days, no key."""
    config = Config.read({"HOME": "/root", "PATH": "/bin"})
    assert config == Config()
    assert (config.host, config.port, config.api_keys, config.redis_url) == ("127.0.0.1", 8000, (), "")
    assert config.image_ttl == 30 * 86400
    assert config.blob_url == str(Path(".taskarray/images"))


def test_hosts_names():
    """PORT and REDIS_URL are read under the names that hosts set, and under no other."""
    config = Config.read({"PORT": "9000", "REDIS_URL": "redis://there"})
    assert (config.port, config.redis_url) == (9000, "redis://there")
    assert refusal(PORT="9000") == "TASKARRAY_PORT is not a setting; did you mean PORT?"


@pytest.mark.parametrize("url", ["redis://:canary@there:x", "redis://:can/ary@there:6379", "http://canary@there"])
def test_redis_url(url):
    """A REDIS_URL that is none is refused with a hint, and its password is not shown."""
    with pytest.raises(ConfigError, match="redis://:password@host:6379") as found:
        Config.read({"REDIS_URL": url})
    assert "can" not in str(found.value)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("250ms", 0.25), ("30s", 30), ("5m", 300), ("24h", 86400), ("30d", 30 * 86400), ("1.5h", 5400), ("7", 7)],
)
def test_durations(written, seconds):
    """Durations are written with their unit; a bare number is seconds."""
    assert read(SYNC_WAIT=written).sync_wait == seconds


@pytest.mark.parametrize(
    ("written", "size"),
    [("4096", 4096), ("4KiB", 4096), ("64MiB", 2**26), ("2GiB", 2**31), ("1.5 MiB", 3 * 2**19), ("1MB", 10**6)],
)
def test_sizes(written, size):
    """Sizes are written with their unit; a bare number is bytes."""
    assert read(MAX_MESSAGE=written).max_message == size


@pytest.mark.parametrize(("written", "rate"), [("10/s", 10), ("600/min", 10), ("600/m", 10), ("3600/h", 1)])
def test_rates(written, rate):
    """A rate is a count in a second, minute or hour."""
    assert read(RATE_LIMIT=written).rate_limit == rate


def test_lists():
    """Lists have commas between; blanks around them do not matter."""
    config = read(TASKS="mine.tasks, more", ORIGINS="https://a.example,https://b.example")
    assert config.tasks == ("mine.tasks", "more")
    assert config.origins == ("https://a.example", "https://b.example")
    allowed = read(FETCH_ALLOW="10.0.0.0/8, 192.168.1.7,fd00::/8").fetch_allow
    assert [str(network) for network in allowed] == ["10.0.0.0/8", "192.168.1.7/32", "fd00::/8"]


def test_keys():
    """Keys are name:key pairs; a key may hold colons and a name may stand twice."""
    assert read(API_KEYS="ann:k1, ann:k:2,bob:k3").api_keys == (("ann", "k1"), ("ann", "k:2"), ("bob", "k3"))


def test_empty():
    """An empty variable is one that is not set."""
    assert read(RATE_LIMIT="", API_KEYS="", IMAGE_TTL="") == Config()


def test_unknown():
    """A variable with our prefix that is no setting is refused, with the one that was meant."""
    assert "TASKARRAY_IMAGE_TLL is not a setting; did you mean TASKARRAY_IMAGE_TTL?" in refusal(IMAGE_TLL="30d")
    assert refusal(XYZZY="1") == "TASKARRAY_XYZZY is not a setting."


def test_all_problems():
    """Every problem is told at once, each with its variable and what was written."""
    told = refusal(IMAGE_TLL="30d", LEASE="soon", PORTS="1", MAX_SIDE="-1", LOG_LEVEL="loud").splitlines()
    assert len(told) == 5
    for variable in ("IMAGE_TLL", "LEASE", "PORTS", "MAX_SIDE", "LOG_LEVEL"):
        assert any(line.startswith(f"TASKARRAY_{variable}") for line in told)
    assert any("'soon'" in line and "30s" in line for line in told)


@pytest.mark.parametrize(
    "settings",
    [
        {"LEASE": "0s"},
        {"LEASE": "1 fortnight"},
        {"MAX_MESSAGE": "12"},
        {"RATE_LIMIT": "10"},
        {"RATE_LIMIT": "10/day"},
        {"API_KEYS": "justakey"},
        {"API_KEYS": "name:"},
        {"FETCH_ALLOW": "10.0.0.0/33"},
        {"SHARDS": "0"},
        {"SHARDS": "many"},
        {"REDIS_CLUSTER": "perhaps"},
        {"DUPLICATE_TASK": "ignore"},
        {"WORKERS": "-1"},
    ],
    ids=str,
)
def test_refused(settings):
    """A value that a setting cannot have is refused under the setting's name."""
    (name,) = settings
    assert f"TASKARRAY_{name}" in refusal(**settings)


def test_secrets_stay():
    """A refusal of a secret setting does not repeat the secret."""
    assert "hunter2" not in refusal(API_KEYS="hunter2")


def test_files(tmp_path):
    """A setting may be read from the file that the variable with _FILE names."""
    (tmp_path / "keys").write_text("ann:k1\n")
    (tmp_path / "url").write_text("redis://secret@there\n")
    assert read(API_KEYS_FILE=str(tmp_path / "keys")).api_keys == (("ann", "k1"),)
    assert Config.read({"TASKARRAY_REDIS_URL_FILE": str(tmp_path / "url")}).redis_url == "redis://secret@there"


def test_absent_file(tmp_path):
    """A file that cannot be read is a problem like any other, told with its variable."""
    assert "TASKARRAY_API_KEYS_FILE" in refusal(API_KEYS_FILE=str(tmp_path / "absent"))


def test_shown():
    """The settings are shown with what is in force and where it comes from, secrets masked."""
    environment = {
        "TASKARRAY_API_KEYS": "ann:hunter2",
        "REDIS_URL": "redis://:hunter2@there",
        "TASKARRAY_LEASE": "20s",
    }
    rows = {variable: (value, source) for variable, value, source in Config.read(environment).shown(environment)}
    assert rows["TASKARRAY_LEASE"] == ("20s", "environment")
    assert rows["TASKARRAY_HOST"] == ("127.0.0.1", "default")
    assert "hunter2" not in str(rows)
    assert set(rows) == {variable_of(name) for name in Config.model_fields}


def test_frozen():
    """Settings are read once and do not change."""
    with pytest.raises(ValidationError):
        Config().port = 1


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("example.com", False),
    ],
)
def test_loopback(host, loopback):
    """Only addresses of this machine count as such."""
    assert read(HOST=host).loopback is loopback


def test_described():
    """Every setting has a sentence."""
    for name, field in Config.model_fields.items():
        assert field.description and field.description.endswith("."), name

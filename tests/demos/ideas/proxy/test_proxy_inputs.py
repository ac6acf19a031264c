"""The inputs of the proxy, and what it remembers of its sources."""

from __future__ import annotations

from pathlib import Path

import pytest
from cleanup_kit import closed_after_test

from demos.copier.verification import with_own_options
from demos.ideas.proxy.proxy_options import (
    published_topics,
    topics_problem,
    tree_problem,
    upstream_inputs,
    upstream_problem,
)
from demos.ideas.proxy.relay_memory import RelayMemory
from demos.provider.state_file import StateFile
from demos.provider.topic_names import topic_of_path, topic_path, topic_problem

SERVERS = "anna=wss://a.example:8443, bert=wss://b.example:8444/main"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", None),
        (SERVERS, None),
        ("wss://a.example", "use TOPIC=URL"),
        ("Anna=wss://a.example", "invalid topic: 'Anna'"),
        ("ws=wss://a.example", "not ws"),
        ("anna=http://a.example", "invalid URL"),
        ("anna=ws://a.example", "without TLS"),
        ("anna=wss://a.example,anna=wss://b.example", "two upstream servers"),
    ],
)
def test_a_wrong_upstream_server_is_refused_with_the_reason(text, problem):
    found = upstream_problem(text)
    assert found is None if problem is None else problem in str(found)


@pytest.mark.parametrize(
    "text", ["anna=wss://u:secret@a.example", "wss://u:secret@a.example", "wss://u:sec=x@a.example/secret"]
)
def test_a_password_in_an_upstream_server_is_refused_and_not_shown(text):
    found = str(upstream_problem(text))
    assert "user name or a password" in found
    assert "secret" not in found


def test_one_login_is_that_of_all_upstream_servers_and_several_are_one_for_each():
    first, second = upstream_inputs(SERVERS, "proxy", "", "one.txt,two.txt", "", "")
    assert (first.topic, first.url, first.login, first.token_file) == (
        "anna", "wss://a.example:8443", "proxy", "one.txt",
    )  # fmt: skip
    assert (second.topic, second.url, second.login, second.token_file, second.pin) == (
        "bert", "wss://b.example:8444/main", "proxy", "two.txt", "",
    )  # fmt: skip
    with pytest.raises(ValueError, match="--login has 3 values for 2 upstream servers"):
        upstream_inputs(SERVERS, "a,b,c", "", "", "", "")


def test_an_empty_value_in_a_list_is_that_of_its_server():
    first, second = upstream_inputs(SERVERS, "proxy", ", two.txt", "one.txt,", "ca.pem,", ",aa")
    assert (first.password_file, first.token_file, first.ca, first.pin) == ("", "one.txt", "ca.pem", "")
    assert (second.password_file, second.token_file, second.ca, second.pin) == ("two.txt", "", "", "aa")
    with pytest.raises(ValueError, match="--ca has 3 values for 2 upstream servers"):
        upstream_inputs(SERVERS, "proxy", "", "", "a,,b", "")
    with pytest.raises(ValueError, match="--token-file has 2 values for 1 upstream servers"):
        upstream_inputs("anna=wss://a.example", "proxy", "", "one.txt,", "", "")


def test_a_topic_has_one_source_and_a_proxy_at_least_one_topic():
    inputs = upstream_inputs(SERVERS, "", "", "", "", "")
    assert published_topics("main, other", inputs) == ("main", "other")
    with pytest.raises(ValueError, match="the topic anna is named twice"):
        published_topics("anna", inputs)
    with pytest.raises(ValueError, match="nothing to pass on"):
        published_topics("", [])
    assert topics_problem("main,other") is None
    assert "invalid topic: 'a/b'" in str(topics_problem("main,a/b"))


def test_each_of_several_values_is_checked():
    check = tree_problem(lambda value: f"bad {value}" if value == "x" else None)
    assert check("") is check("a,b") is None
    assert check("a,x") == "bad x"


@pytest.mark.parametrize(
    ("path", "topic"),
    [("", ""), ("/", ""), ("/ws", ""), ("/main", "main"), ("/ws/main", "main"), ("/ws/ws", None), ("/A", None),
     ("/a/b", None), ("/ws/", ""), ("/..", None), ("/" + "a" * 65, None)],
)  # fmt: skip
def test_the_path_of_a_url_names_the_topic(path, topic):
    assert topic_of_path(path) == topic
    if topic:
        assert topic_of_path(topic_path(topic)) == topic
        assert topic_problem(topic) is None


def test_an_error_of_a_feed_names_the_options_of_its_own_program():
    reason = "the server's certificate is self-signed; pin its SHA-256 fingerprint, or name it as the CA file"
    assert with_own_options(reason, "--publish") == (
        "the server's certificate is self-signed; pin its SHA-256 fingerprint (--publish-pin), "
        "or name it as the CA file (--publish-ca)"
    )
    assert with_own_options("use --login with wss:// in --url", "--publish") == (
        "use --publish-login with wss:// in --publish"
    )


def test_a_topic_is_bound_to_the_source_of_the_last_state_until_its_memory_is_forgotten(tmp_path: Path):
    path = tmp_path / "proxy.sqlite"
    StateFile(path).close()
    memory = closed_after_test(RelayMemory(path, print))
    store = memory.store("main")
    store.source = "login maria"
    store.save({"mark": None})
    assert store.bound == ""
    store.save({"mark": {"seq": 1}})
    assert store.bound == "login maria"
    again = memory.store("main")
    assert again.load() == {"mark": {"seq": 1}}
    assert again.bound == "login maria"
    again.save({"mark": None})
    assert (again.bound, memory.store("main").load()) == ("", {"mark": None})


def test_what_is_remembered_of_a_topic_survives_and_an_error_of_the_file_is_reported_once(tmp_path: Path):
    path = tmp_path / "proxy.sqlite"
    StateFile(path).close()
    lines: list[str] = []
    memory = closed_after_test(RelayMemory(path, lines.append))
    store = memory.store("main")
    assert store.load() is None
    store.save({"a": 1})
    assert memory.store("main").load() == {"a": 1}
    assert memory.store("other").load() is None
    blocker = closed_after_test(StateFile(path))
    with blocker.writing():
        store.save({"a": 2})
        store.save({"a": 3})
    assert len(lines) == 1
    assert "cannot be stored for a restart" in lines[0]
    store.save({"a": 4})
    assert memory.store("main").load() == {"a": 4}


def test_while_the_file_is_locked_states_are_kept_without_a_wait_and_written_by_the_next_retry(tmp_path: Path):
    path = tmp_path / "proxy.sqlite"
    StateFile(path).close()
    memory = closed_after_test(RelayMemory(path, print))
    other = closed_after_test(RelayMemory(path, print))
    store, second = memory.store("main"), memory.store("second")
    attempts: list[str] = []
    write = memory._file.set_setting

    def counted(name: str, text: str, **options: bool) -> None:
        attempts.append(name)
        write(name, text, **options)

    memory._file.set_setting = counted  # type: ignore[method-assign]
    blocker = closed_after_test(StateFile(path))
    with blocker.writing():
        for number in range(100):
            store.save({"a": number})
            second.save({"b": number})
        assert attempts == ["follower main"]
        memory.retry()
        assert len(attempts) == 2
    assert other.store("main").load() is None
    memory.retry()
    assert other.store("main").load() == {"a": 99}
    assert other.store("second").load() == {"b": 99}
    store.save({"a": 100})
    assert other.store("main").load() == {"a": 100}

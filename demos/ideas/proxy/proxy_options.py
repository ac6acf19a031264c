"""The proxy's inputs as values, and their checks."""

from __future__ import annotations

from collections.abc import Callable, Collection

from demos.copier.server_url import SECRET_PROBLEM, endpoint_from_text
from demos.ideas.proxy.upstream_inputs import UpstreamInputs
from demos.provider.input_checks import listed, places
from demos.provider.topic_names import topic_problem

_EXAMPLE = "use TOPIC=URL, as in anna=wss://provider.example:8443"


def upstream_problem(text: str) -> str | None:
    """Why these cannot be the upstream servers, or None when they can; empty: none."""
    if "@" in text:
        # Not shown: see endpoint_from_text().
        return SECRET_PROBLEM
    topics = set()
    for each in listed(text):
        topic, separator, url = each.partition("=")
        if not separator:
            return f"invalid upstream server: {each!r}; {_EXAMPLE}"
        if problem := topic_problem(topic):
            return problem
        if topic in topics:
            return f"the topic {topic} has two upstream servers: name it once"
        topics.add(topic)
        try:
            endpoint_from_text(url)
        except ValueError as error:
            return str(error)
    return None


def topics_problem(text: str) -> str | None:
    """Why these cannot be the topics that clients publish, or None when they can; empty: none."""
    return next((problem for each in listed(text) if (problem := topic_problem(each))), None)


def published_topics(text: str, upstreams: Collection[UpstreamInputs]) -> tuple[str, ...]:
    """The topics that clients publish.

    Errors: ValueError when a topic is named twice, or when there is neither such a topic nor an upstream server.
    """
    topics = listed(text)
    if not topics and not upstreams:
        raise ValueError("nothing to pass on: give --upstream TOPIC=URL, or --topics with the topics of publishers")
    names = [*topics, *(each.topic for each in upstreams)]
    if twice := next((each for each in names if names.count(each) > 1), None):
        raise ValueError(f"the topic {twice} is named twice: it has an upstream server, or is published by clients")
    return topics


def tree_problem(check: Callable[[str], str | None]) -> Callable[[str], str | None]:
    """A check of an input that has one value for all upstream servers, or one for each, which may be empty."""
    return lambda text: next((problem for each in listed(text) if (problem := check(each))), None)


def upstream_inputs(
    upstream: str, login: str, password_file: str, token_file: str, ca: str, pin: str
) -> list[UpstreamInputs]:
    """The upstream servers in the inputs.

    Errors: ValueError.
    """
    servers = [each.partition("=")[::2] for each in listed(upstream)]
    columns = [
        _spread(name, text, len(servers))
        for name, text in (
            ("--login", login),
            ("--password-file", password_file),
            ("--token-file", token_file),
            ("--ca", ca),
            ("--pin", pin),
        )
    ]
    return [UpstreamInputs(*server, *values) for server, *values in zip(servers, *columns, strict=True)]


def _spread(name: str, text: str, count: int) -> tuple[str, ...]:
    """One value for each upstream server. In a list an empty value is that of its server."""
    values = places(text)
    if len(values) <= 1:
        return (values or ("",)) * count
    if len(values) != count:
        raise ValueError(f"{name} has {len(values)} values for {count} upstream servers: give one, or one for each")
    return values

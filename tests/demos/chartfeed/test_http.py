"""The chart server's answers to HTTP clients: to raw bytes, to urllib and to curl."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from signal_kit import Script, close, dial, read_all, write
from terminal_kit import child, wait_for
from tpl_kit import TplStage, get, serve, served, turns, until

from demos.chartfeed import serving
from demos.template.protocol import decode
from demos.wire.addresses import address_text
from demos.wire.http_hosts import host_of, hosts_problem, option_host, option_hosts
from winsock import AF_INET6, SD_SEND, htons, shutdown, sockaddr_in6

pytest.importorskip("h11", reason="h11 is not installed: python -m pip install -e '.[http]'")

pytestmark = pytest.mark.usefixtures("started")

HOST = b"Host: localhost\r\n"

# Hosts that a browser may be made to send, and bytes that only a careless parser takes for a served host.
NOT_SERVED = [
    b"127.1",
    b"0x7f.1",
    b"0x7f000001",
    b"017700000001",
    b"127.0.0.001",
    b"0.0.0.0",
    b"[::]",
    b"[::ffff:127.0.0.1]",
    b"[::127.0.0.1]",
    b"localhost.localdomain",
    b"local-host:8080",
    b"a",
]
INVALID = [
    b"[::1].evil.example",
    b"[::1]evil.example",
    b"[::1]:8080.evil.example",
    b"[::1]@evil.example",
    b"[::1]::",
    b"localhost::",
    b"localhost:+1",
    b":",
    b"[::1",
    b"::1]",
    b"::1",
    b"::1:8080",
    b"[::1%25lo]",
    b"[::1%lo]",
    b"[[::1]]",
    b"[localhost]",
    b"[127.0.0.1]",
    b"[v1.localhost]",
    b"localhost:evil.example",
    b"localhost:80evil",
    b"localhost:8080:evil.example",
    b"localhost:+80",
    b"localhost:-1",
    b"localhost: 80",
    b"localhost:65536",
    b"localhost:99999",
    b"localhost:0000000000080",
    b"localhost..",
    b".localhost",
    b".",
    b":80",
    b"a@localhost",
    b"a:b@localhost",
    b"local%68ost",
    b"localhost%00",
    b"localhost,localhost",
    b"localhost, localhost",
    b"localhost;a",
    b"localhost/",
    b"localhost\\evil.example",
    b"localhost#",
    b"localhost?",
    b"http://localhost",
    b"local\thost",
    b"localhost\x00",
    b"localhost\x0bevil.example",
    b"local\x7fhost",
    b"l\xf6calhost",
    b"localhost\xa0",
    b"*",
    b"",
    b"x" * 254,
]


def ask(folder, *pieces: bytes, **options: object) -> bytes:
    """The server's answer to a request that arrives in these pieces."""
    return stage_that_was_asked(folder, *pieces, **options).got


def stage_that_was_asked(folder, *pieces: bytes, begin: int = 1, **options: object) -> TplStage:
    """A server whose answer to a request in these pieces is in ``got``."""
    stage = serve(folder, **options)

    def script() -> Script:
        yield from turns(begin)
        peer = dial(stage.port)
        for piece in pieces:
            write(peer, piece)
            yield from turns(3)
        yield from served(stage)
        stage.got = read_all(peer)
        close(peer)
        yield from until(lambda: not stage.program.conns)

    assert stage.play(script()) == 0
    return stage


def parts(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    head, mark, body = answer.partition(b"\r\n\r\n")
    assert mark
    status, *lines = head.decode("ascii").split("\r\n")
    assert re.fullmatch(r"HTTP/1\.1 \d{3} [A-Za-z ]+", status)
    headers = dict(line.split(": ", 1) for line in lines)
    assert headers["Connection"] == "close"
    return int(status.split(" ")[1]), headers, body


def test_get_returns_the_articles_message_as_webrequest_passes_it_to_a_program(tmp_path):
    status, headers, body = parts(ask(tmp_path / "http", b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"))
    assert status == 200
    assert headers["Content-Type"] == "application/octet-stream"
    assert int(headers["Content-Length"]) == len(body)
    stage = serve(tmp_path / "plain")

    def script() -> Script:
        yield
        yield from get(stage)

    stage.play(script())
    assert body == stage.got


def test_chart_tpl_is_the_template_file_alone(tmp_path):
    status, headers, body = parts(ask(tmp_path, b"GET /chart.tpl?any=thing HTTP/1.1\r\n" + HOST + b"\r\n"))
    assert status == 200
    assert headers["Content-Disposition"] == 'attachment; filename="chart.tpl"'
    assert body.startswith(b"\xff\xfe")
    assert body.endswith(b"\r\0\n\0")


def test_head_returns_the_headers_of_get_and_no_body(tmp_path):
    get_status, get_headers, body = parts(ask(tmp_path / "1", b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"))
    status, headers, nothing = parts(ask(tmp_path / "2", b"HEAD / HTTP/1.1\r\n" + HOST + b"\r\n"))
    assert (status, headers, nothing) == (get_status, get_headers, b"")
    assert headers["Content-Length"] == str(len(body))


@pytest.mark.parametrize(
    "request_line",
    [b"GET / HTTP/1.0\r\n", b"GET http://127.0.0.1:8080/ HTTP/1.1\r\n" + HOST, b"GET /# HTTP/1.1\r\n" + HOST],
)
def test_http_1_0_absolute_urls_and_fragments_are_accepted(tmp_path, request_line):
    assert parts(ask(tmp_path, request_line + b"\r\n"))[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        b"localhost",
        b"LocalHost:8080",
        b"localhost.",
        b"127.0.0.1",
        b"127.0.0.1:8080",
        b"[::1]:8080",
        b"[::1]",
        b"chart.example",
        b"CHART.example:80",
        b"second.example",
        b"LOCALHOST.:65535",
        b"localhost:0",
        b"localhost:",
        b"localhost.:",
        b"127.0.0.1:",
        b"[::1]:",
        b" localhost\t",
        b"[0:0:0:0:0:0:0:1]:80",
        b"[0:0::0:1]",
        b"[FE80::A]:80",
        b"chart_server:8080",
        b"xn--bcher-kva.example",
        b"[2001:db8::5]",
    ],
)
def test_a_request_for_a_served_host_is_answered(tmp_path, host):
    request = b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n"
    hosts = "Chart.Example, second.example:81 fe80::a%2,chart_server b\u00fccher.example. 2001:db8:0::5"
    assert parts(ask(tmp_path, request, hosts=hosts))[0] == 200


@pytest.mark.parametrize(
    "option", ["fe80::5%2", "[fe80::5%2]", "[fe80::5%2]:8080", "[FE80::5%eth0]:8080", "fe80:0::5%br-lan", "[fe80::5]:"]
)
def test_the_scope_of_an_ipv6_address_is_left_out(option):
    assert option_hosts(option) == {"fe80::5"} == {host_of("[fe80::5]:8080")}


def test_a_link_local_address_at_which_a_request_arrives_is_served():
    local = sockaddr_in6(sin6_family=AF_INET6, sin6_scope_id=2, sin6_port=htons(8080))
    local.sin6_addr.s6_addr = b"\xfe\x80" + bytes(13) + b"\5"
    assert option_hosts(address_text(local)) == {"fe80::5"}


@pytest.mark.parametrize(
    "option",
    ["name%2", "127.0.0.1%2", "[fe80::5%]", "%2", "[fe80::5]%2:80", "[fe80::5%2", "fe80::5%2]", "fe80::5%a%b"],
)
def test_a_scope_belongs_to_a_whole_ipv6_address(option):
    assert option_host(option) is None


@pytest.mark.parametrize("option", ["fa\u00df.de", "\u03b2\u03bf\u03c2.gr", "a\u200cb.example", "FA\u1e9e.de:80"])
def test_an_ambiguous_name_in_the_option_hosts_is_an_error(option):
    assert option_host(option) is None
    assert hosts_problem("localhost," + option) == (
        f"ambiguous host name: {option!r} may be another name in IDNA 2003 than in IDNA 2008; use the form that begins "
        "with xn--"
    )
    assert option_hosts("xn--fa-hia.de") == {"xn--fa-hia.de"}


@pytest.mark.parametrize(
    "option", ["http://localhost", "a/b", "a:b", "*", "a@b", "[::1]x", "fe80::1::2", "a..b", "x" * 300]
)
def test_an_invalid_host_in_the_option_hosts_is_an_error(option):
    assert hosts_problem("localhost," + option) == (
        f"invalid host name: {option!r}; use names or addresses without http:// and path"
    )
    assert hosts_problem("localhost, ,::1 [::1]:8080") is None
    assert hosts_problem("") is None
    assert hosts_problem(", ,") == "no host name in ', ,': use names or addresses, or leave it empty"


@pytest.mark.parametrize(
    "host",
    [
        b"evil.example",
        b"evil.example:8080",
        b"127.0.0.1.evil.example",
        b"localhost.evil.example",
        b"localhost@evil.example",
        b"evil.example@localhost",
        b"127.0.0.2",
        b"[::2]:8080",
        b"2130706433",
        b"0",
        b"",
        b"localhost,evil.example",
        b"xn--evil",
        b"localhost localhost",
        b"[127.0.0.1",
        b"localhost:80:80",
        *NOT_SERVED,
        *INVALID,
    ],
)
def test_a_request_for_another_host_is_421_or_400_and_one_line(tmp_path, host):
    stage = stage_that_was_asked(tmp_path, b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
    status, _, body = parts(stage.got)
    assert status in (400, 421)
    if host in NOT_SERVED:
        assert status == 421
    if host in INVALID:
        assert status == 400
    if status == 421:
        assert body == b"421 the server does not serve this host; its option --hosts adds one\n"
        [error] = stage.errors()
        assert f"an HTTP request for the host {host.decode()!r}, which is not served; see --hosts" in error
    elif body != b"400 the request is not valid HTTP\n":
        assert body == b"400 the request names an invalid host\n"
        [error] = stage.errors()
        assert f"an HTTP request with the invalid host {host.decode('latin-1')[:60]!r}" in error


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n",
        b"GET http://localhost/ HTTP/1.1\r\nHost: evil.example\r\n",
        b"GET http://evil.example/ HTTP/1.0\r\n",
        b"GET http://evil.example?localhost HTTP/1.1\r\nHost: localhost\r\n",
        b"GET HTTP://evil.example/ HTTP/1.1\r\nHost: localhost\r\n",
        b"GET ftp://evil.example/ HTTP/1.1\r\nHost: localhost\r\n",
        b"GET http://evil.example#@localhost/ HTTP/1.1\r\nHost: localhost\r\n",
        b"GET / HTTP/1.0\r\nHost: evil.example\r\n",
    ],
)
def test_a_url_with_another_host_is_421(tmp_path, request_line):
    assert parts(ask(tmp_path, request_line + b"\r\n"))[0] == 421


@pytest.mark.parametrize(
    "authority",
    [
        b"user@evil.example:1",
        b"user@localhost",
        b"",
        b":80",
        b"[::1].evil.example",
        b"localhost:evil.example",
        b"localhost\\.evil.example",
        b"local%68ost",
        b"localhost,evil.example",
        b"localhost:99999",
        b"[fe80::1%25lo]",
    ],
)
def test_a_url_with_an_invalid_host_is_400(tmp_path, authority):
    request_line = b"GET https://" + authority + b"/ HTTP/1.1\r\nHost: localhost\r\n\r\n"
    assert parts(ask(tmp_path, request_line))[0] == 400


@pytest.mark.parametrize("hosts", [b"Host: localhost\r\nHost: localhost\r\n", b"Host: localhost\r\nhost: a\r\n", b""])
@pytest.mark.parametrize("target", [b"/", b"http://localhost/"])
def test_a_request_without_or_with_several_headers_host_is_400(tmp_path, hosts, target):
    assert parts(ask(tmp_path, b"GET " + target + b" HTTP/1.1\r\n" + hosts + b"\r\n"))[0] == 400


@pytest.mark.parametrize(
    "target", [b"ftp://localhost/", b"localhost:8080", b"http:/localhost/", b"x/http://localhost/"]
)
def test_a_target_that_is_no_http_url_and_no_path_is_404(tmp_path, target):
    assert parts(ask(tmp_path, b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n"))[0] == 404


@pytest.mark.parametrize("method", [b"HEAD", b"POST", b"OPTIONS"])
def test_every_method_checks_the_host(tmp_path, method):
    answer = ask(tmp_path, method + b" / HTTP/1.1\r\nHost: evil.example\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 421 Misdirected Request\r\n")


def test_the_address_at_which_a_request_arrives_is_served(tmp_path):
    stage = serve(tmp_path, Host="0.0.0.0")

    def script() -> Script:
        yield
        yield from get(stage, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")

    assert stage.play(script()) == 0
    assert parts(stage.got)[0] == 200
    assert host_of("192.168.1.5:8080") == "192.168.1.5"


def test_a_long_host_is_shortened_in_the_log(tmp_path):
    stage = stage_that_was_asked(tmp_path, b"GET / HTTP/1.1\r\nHost: " + b"x" * 5000 + b"\r\n\r\n")
    [error] = stage.errors()
    assert len(error) < 200


@pytest.mark.parametrize("cut", [1, 3, 10, 16, 30])
def test_a_request_may_arrive_in_pieces(tmp_path, cut):
    request = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
    assert parts(ask(tmp_path, request[:cut], request[cut:]))[0] == 200


@pytest.mark.parametrize("path", [b"/favicon.ico", b"/../etc/passwd", b"/chart.tpl/", b"//", b"*"])
def test_another_path_is_404(tmp_path, path):
    assert parts(ask(tmp_path, b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"\r\n"))[0] == 404


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"DELETE", b"OPTIONS", b"BREW"])
def test_another_method_is_405_and_the_answer_lists_the_allowed_ones(tmp_path, method):
    request = method + b" / HTTP/1.1\r\n" + HOST + b"Content-Length: 4\r\n\r\nbody"
    status, headers, _ = parts(ask(tmp_path, request))
    assert status == 405
    assert headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
        b"GET / HTTP/1.1\r\nX Y: 1\r\n\r\n",
        b"<<TPL|2>>\0\r\n\r\n",
    ],
)
def test_bytes_that_are_not_a_request_are_400_and_are_not_echoed(tmp_path, request_bytes):
    status, _, body = parts(ask(tmp_path, request_bytes))
    assert status == 400
    assert body == b"400 the request is not valid HTTP\n"


def test_a_header_that_is_too_large_is_431(tmp_path):
    request = b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"x" * 40_000
    assert parts(ask(tmp_path, request))[0] == 431


def test_a_request_that_is_not_whole_in_time_is_408(tmp_path):
    stage = serve(tmp_path)

    def script() -> Script:
        yield
        peer = dial(stage.port)
        begin = stage.clock.time
        write(peer, b"GET / HTTP/1.1\r\n")
        yield from served(stage)
        assert stage.clock.time - begin == pytest.approx(serving.REQUEST_MS / 1000, abs=0.3)
        stage.got = read_all(peer)
        close(peer)

    assert stage.play(script()) == 0
    assert parts(stage.got)[0] == 408


def test_a_client_that_disconnects_in_the_middle_of_a_request_is_reported(tmp_path):
    stage = serve(tmp_path)

    def script() -> Script:
        yield
        peer = dial(stage.port)
        write(peer, b"GET / HTTP/1.1\r\n")
        yield from turns(3)
        shutdown(peer, SD_SEND)
        yield from until(lambda: not stage.program.conns)
        close(peer)

    assert stage.play(script()) == 0
    assert any("in the middle of a request" in text for text in stage.texts)


def test_without_a_template_it_is_503(tmp_path):
    stage = serve(tmp_path)
    stage.program.ChartSaveTemplate = lambda *arguments: False

    def script() -> Script:
        yield
        yield from get(stage, b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")

    assert stage.play(script()) == 0
    status, headers, _ = parts(stage.got)
    assert (status, headers["Retry-After"]) == (503, "1")


def test_without_h11_the_server_reports_it_and_every_client_gets_the_articles_message(tmp_path, monkeypatch):
    monkeypatch.setattr(serving, "available", lambda: False)
    monkeypatch.setattr("demos.chartfeed.http_answers.available", lambda: False)
    stage = serve(tmp_path)

    def script() -> Script:
        yield
        yield from get(stage, b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")

    assert stage.play(script()) == 0
    assert decode(stage.got, 1252).symbol == "EURUSD"
    assert any("install h11" in text for text in stage.texts)


@pytest.fixture(scope="module")
def url(tmp_path_factory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("data")
    with child("run", "chart_server", "--Port", 0, "--data", folder, "--seed", 1) as process:
        line = wait_for(process.stderr, "start server ok")
        yield "http://127.0.0.1:" + line.strip().rpartition(":")[2]
        process.communicate("quit\n")


def fetched(request: urllib.request.Request | str) -> tuple[int, dict[str, str], bytes]:
    # No proxy of this machine's environment stands between.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=20) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


def test_urllib_gets_the_template(url):
    status, _, body = fetched(f"{url}/")
    assert status == 200
    assert decode(body, 1252)[:2] == ("EURUSD", 16385)
    assert fetched(urllib.request.Request(f"{url}/chart.tpl"))[2] == body[20:-2]
    assert fetched(urllib.request.Request(url, method="HEAD"))[2] == b""
    assert fetched(f"{url}/nothing")[0] == 404
    assert fetched(urllib.request.Request(url, data=b"x" * 100_000))[0] == 405


@pytest.mark.skipif(not shutil.which("curl") or sys.platform == "win32", reason="there is no curl")
def test_curl_gets_the_template(url, tmp_path):
    def curl(*arguments: str) -> str:
        command = ["curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", "20", *arguments]
        return subprocess.run(command, capture_output=True, check=True, text=True).stdout

    file = tmp_path / "chart.bin"
    assert curl("--output", str(file), "--write-out", "%{http_code} %{size_download}", url) == f"200 {size(url)}"
    assert decode(file.read_bytes(), 1252).symbol == "EURUSD"
    assert "Content-Length: " in curl("--head", url)
    assert curl("--output", "/dev/null", "--write-out", "%{http_code}", "--data", "a=b", url) == "405"


def size(url: str) -> int:
    return len(fetched(url)[2])


def test_a_version_other_than_1_0_must_name_a_host(tmp_path):
    assert parts(ask(tmp_path, b"GET / HTTP/9.9\r\n\r\n"))[0] == 400

"""Self-signed certificates: names, dates, the files and their permissions."""

from __future__ import annotations

import contextlib
import os
import ssl
import stat
import sys
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from ipaddress import ip_address

import pytest
from cryptography import x509

from demos.provider.certificates import MOST_DAYS, CertificateError, create_certificate

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


@pytest.fixture
def paths(tmp_path):
    """Where the certificate and the key are created."""
    return tmp_path / "cert.pem", tmp_path / "key.pem"


def test_the_certificate_names_the_hosts_and_its_dates(paths):
    fingerprint = create_certificate(*paths, ["provider.example", "127.0.0.1", "::1", "münchen.example"], 30, NOW)
    signed = x509.load_pem_x509_certificate(paths[0].read_bytes())
    names = signed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["provider.example", "xn--mnchen-3ya.example"]
    assert names.get_values_for_type(x509.IPAddress) == [ip_address("127.0.0.1"), ip_address("::1")]
    assert signed.not_valid_before_utc == NOW - timedelta(hours=1)
    assert signed.not_valid_after_utc == NOW + timedelta(days=30)
    from cryptography.hazmat.primitives.serialization import Encoding

    assert sha256(signed.public_bytes(Encoding.DER)).digest() == fingerprint
    assert not signed.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_only_the_owner_may_read_the_key(paths):
    create_certificate(*paths, ["localhost"], 1, NOW)
    create_certificate(*paths, ["localhost"], 1, NOW, force=True)
    assert stat.S_IMODE(paths[1].stat().st_mode) == 0o600


@pytest.mark.parametrize("existing", [0, 1])
def test_an_existing_file_is_replaced_only_with_force(paths, existing):
    paths[existing].write_text("old")
    with pytest.raises(CertificateError, match="exists; a new certificate has another fingerprint, use --force"):
        create_certificate(*paths, ["localhost"], 1, NOW)
    assert [path.exists() for path in paths] == [existing == 0, existing == 1]
    assert paths[existing].read_text() == "old"
    create_certificate(*paths, ["localhost"], 1, NOW, force=True)
    assert b"PRIVATE KEY" in paths[1].read_bytes()
    assert sorted(path.name for path in paths[0].parent.iterdir()) == ["cert.pem", "key.pem"]


@pytest.mark.parametrize(
    "hosts", [["a b"], ["https://a"], ["a:443"], ["[::1]:443"], ["*.example"], [""], ["a", "-/"], []]
)
def test_an_invalid_host_is_refused(paths, hosts):
    with pytest.raises(CertificateError):
        create_certificate(*paths, hosts, 30, NOW)
    assert not paths[0].exists()


def test_a_folder_that_does_not_exist_is_reported(tmp_path):
    with pytest.raises(CertificateError, match="cannot be written: "):
        create_certificate(tmp_path / "none" / "cert.pem", tmp_path / "none" / "key.pem", ["a"], 1, NOW)


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("failing", [0, 1])
def test_a_file_that_cannot_be_written_leaves_both_as_they_were(paths, tmp_path, force, failing):
    create_certificate(*paths, ["localhost"], 1, NOW)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    targets = list(paths) if force else [tmp_path / "new-cert.pem", tmp_path / "new-key.pem"]
    targets[failing] = tmp_path / "none" / "x.pem"
    with pytest.raises(CertificateError, match=r"x\.pem cannot be written: "):
        create_certificate(*targets, ["localhost"], 1, NOW, force=force)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize("force", [False, True])
def test_a_file_that_cannot_be_renamed_leaves_both_as_they_were(paths, tmp_path, force, existing, monkeypatch):
    if existing and force:
        create_certificate(*paths, ["localhost"], 1, NOW)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    replace = os.replace

    def fail_for_the_certificate(source, target):
        if target == paths[0]:
            raise PermissionError(13, "Permission denied", str(source))
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail_for_the_certificate)
    with pytest.raises(CertificateError, match=r"cert\.pem cannot be written: Permission denied"):
        create_certificate(*paths, ["localhost"], 1, NOW, force=force)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("force", [False, True])
def test_one_file_for_certificate_and_key_is_refused_and_stays(paths, force):
    with pytest.raises(CertificateError, match=r"key\.pem cannot be the file of both certificate and key: use two"):
        create_certificate(paths[1], paths[1], ["localhost"], 1, NOW, force=force)
    assert not paths[1].exists()
    create_certificate(*paths, ["localhost"], 1, NOW)
    key = paths[1].read_bytes()
    linked = paths[1].with_name("link.pem")
    os.link(paths[1], linked)
    with pytest.raises(CertificateError, match="cannot be the file of both"):
        create_certificate(linked, paths[1], ["localhost"], 1, NOW, force=True)
    assert paths[1].read_bytes() == key


@pytest.mark.parametrize("place", [0, 1])
def test_a_folder_is_no_file_for_a_certificate_or_a_key(paths, tmp_path, place):
    create_certificate(*paths, ["localhost"], 1, NOW)
    before = [path.read_bytes() for path in paths]
    targets = list(paths)
    targets[place] = tmp_path
    with pytest.raises(CertificateError, match="is a folder: give the name of a file"):
        create_certificate(*targets, ["localhost"], 1, NOW, force=True)
    assert [path.read_bytes() for path in paths] == before


@pytest.mark.parametrize("days", [0, -1, MOST_DAYS + 1, 10_000_000, 10**20])
def test_a_number_of_days_that_no_certificate_has_is_refused(paths, days):
    with pytest.raises(CertificateError, match=f"1 to {MOST_DAYS} days"):
        create_certificate(*paths, ["localhost"], days, NOW)
    create_certificate(*paths, ["localhost"], MOST_DAYS, NOW)


def record_sizes(certificate, key, version):
    """The sizes of what the client and the server send in a handshake and after it, in turns."""
    server_context, client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    server_context.load_cert_chain(certificate, key)
    server_context.num_tickets = 0
    client_context.load_verify_locations(certificate)
    client_context.maximum_version = version
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname="localhost")
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    sizes = []
    for _ in range(3):
        for side, output in ((client, to_server), (server, to_client)):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
            sizes.append(output.pending)
    assert client.version() == server.version() == version.name.replace("_", ".")
    client.write(b"message")
    return [*sizes, to_server.pending]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_handshakes_with_rsa_certificates_have_the_same_sizes(tmp_path, version):
    sizes = set()
    for number in range(4):
        files = tmp_path / f"{number}.pem", tmp_path / f"{number}.key"
        create_certificate(*files, ["localhost"], MOST_DAYS, NOW, key_type="rsa")
        sizes |= {tuple(record_sizes(*files, version)) for _ in range(8)}
    assert len(sizes) == 1, sizes
    assert min(next(iter(sizes))[:3]) > 0


def test_a_certificate_has_an_ecdsa_key_unless_rsa_is_requested(paths):
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    for key_type, public in (("ecdsa", ec.EllipticCurvePublicKey), ("rsa", rsa.RSAPublicKey)):
        create_certificate(*paths, ["localhost"], 1, NOW, key_type=key_type, force=True)
        assert isinstance(x509.load_pem_x509_certificate(paths[0].read_bytes()).public_key(), public)
    create_certificate(*paths, ["localhost"], 1, NOW, force=True)
    assert isinstance(x509.load_pem_x509_certificate(paths[0].read_bytes()).public_key(), ec.EllipticCurvePublicKey)

"""Self-signed certificates: names, dates, the files and their permissions."""

from __future__ import annotations

import stat
import sys
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from ipaddress import ip_address

import pytest
from cryptography import x509

from demos.provider.certificates import CertificateError, create_certificate

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

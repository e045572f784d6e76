"""A real mosquitto for the tests: own port, own process, can be killed and started again on the same port."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.postgres import free_port


class Mosquitto:
    """`start`, `kill` and `start` again; `close` at the end. `url` stays the same."""

    def __init__(self, *, user: str = "", password: str = "", tls: Path | None = None) -> None:
        self._program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
        if self._program is None:
            raise RuntimeError("mosquitto is not installed; on Debian: apt-get install mosquitto")
        self._root = Path(tempfile.mkdtemp(prefix="anlan-mosquitto-"))
        self.port = free_port()
        self._process: subprocess.Popen | None = None
        lines = [f"listener {self.port} 127.0.0.1", f"allow_anonymous {'false' if user else 'true'}", "persistence false"]
        if os.geteuid() == 0:
            lines.append("user root")  # it would otherwise give up its rights to files of ours
        if user:
            (self._root / "passwords").touch(mode=0o600)
            subprocess.run(["mosquitto_passwd", "-b", self._root / "passwords", user, password], check=True, capture_output=True)
            lines.append(f"password_file {self._root / 'passwords'}")
        if tls:
            _certify(tls)
            lines += [f"certfile {tls / 'cert.pem'}", f"keyfile {tls / 'key.pem'}"]
        (self._root / "conf").write_text("\n".join(lines) + "\n")

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> Mosquitto:
        log = (self._root / "log").open("ab")
        self._process = subprocess.Popen([self._program, "-c", str(self._root / "conf")], stdout=log, stderr=log)
        deadline = time.monotonic() + 15
        while True:
            with socket.socket() as sock:
                if sock.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("mosquitto did not start: " + (self._root / "log").read_text()[-2000:])
            time.sleep(0.02)

    def kill(self) -> None:
        """As if the machine had lost its power."""
        process, self._process = self._process, None  # first: another thread may start the next one meanwhile
        if process is not None:
            process.kill()
            process.wait(10)

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self._root, ignore_errors=True)


def _certify(directory: Path, address: str = "127.0.0.1") -> None:
    """A key and a certificate of its own for an address: `key.pem` and `cert.pem`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, address)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, hashes.SHA256()))
    (directory / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (directory / "cert.pem").write_bytes(certificate.public_bytes(Encoding.PEM))

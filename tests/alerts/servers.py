"""Servers that alerts are sent to: a mail server (aiosmtpd) with TLS and a login, a web server, and one that hangs. Used by the tests
beside it."""
import email
import email.policy
import http.server
import json
import os
import socket
import ssl
import subprocess
import sys
import threading

try:
    from aiosmtpd.controller import Controller
    from aiosmtpd.smtp import AuthResult
except ImportError:
    print("SKIPPED: needs aiosmtpd (Debian package python3-aiosmtpd)")
    sys.exit(77)

USER, PASSWORD = "robot@example.org", "p4ss:w rd"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def certificate(directory):
    """A certificate for localhost, which vouches for itself."""
    key, cert = os.path.join(directory, "key.pem"), os.path.join(directory, "cert.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert], check=True, capture_output=True)
    return key, cert


class Mail:
    """A mail server that wants STARTTLS and the login above, or with `bare` neither; at port 465 TLS from the first byte. It has no mailbox
    of those in `unknown`."""

    def __init__(self, directory, bare=False, port=None):
        self.mails, self.port, self.rejects, self.unknown = [], port or free_port(), False, set()
        options = {}
        if not bare:
            key, self.cert = certificate(directory)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.cert, key)
            options = {"auth_required": True, "authenticator": self._authenticate}
            options |= {"ssl_context": context, "auth_require_tls": False} if port == 465 else {"tls_context": context, "require_starttls": True}
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, **options)
        self._controller.start()

    @staticmethod
    def _authenticate(_server, _session, _envelope, _mechanism, data):
        return AuthResult(success=data.login == USER.encode() and data.password == PASSWORD.encode())

    async def handle_RCPT(self, _server, _session, envelope, address, _options):  # pylint: disable=invalid-name,too-many-arguments
        if address in self.unknown:
            return "550 no such mailbox here"
        envelope.rcpt_tos.append(address)
        return "250 known"

    async def handle_DATA(self, _server, _session, envelope):  # pylint: disable=invalid-name
        if self.rejects:
            return "451 not now"
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        mail.envelope = (envelope.mail_from, envelope.rcpt_tos)
        self.mails.append(mail)
        return "250 taken"

    def stop(self):
        self._controller.stop()


class Web:
    """Takes what is posted, and notes the path of what is fetched; answers with `status`."""

    def __init__(self):
        self.posts, self.status, self.tries = [], 200, 0
        self.gets, self.refused = [], []  # paths
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):  # pylint: disable=invalid-name
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                web.tries += 1
                if web.status == 200:
                    web.posts.append(body)
                self.send_response(web.status)
                self.end_headers()

            def do_GET(self):  # pylint: disable=invalid-name
                (web.gets if web.status == 200 else web.refused).append(self.path)
                self.send_response(web.status)
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.url = self.host + "/services/SECRET"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


class Silent:
    """Its kernel takes connections, and nobody ever answers."""

    def __init__(self):
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen(64)
        self.port = self._socket.getsockname()[1]

    def stop(self):
        self._socket.close()

"""A real SMTP server for the tests: STARTTLS and a login are required.

Prints its port, then one JSON line a mail, on standard output. Ends with its standard input.
"""

import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import AuthResult, LoginPassword, SMTP


class Printer:
    async def handle_DATA(self, server, session, envelope):
        mail = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": session.ssl is not None,
            "login": session.authenticated,
            "data": envelope.content.decode("utf-8", "surrogateescape"),
        }
        print(json.dumps(mail), flush=True)
        return "250 2.0.0 queued"


def login(server, session, envelope, mechanism, credentials):
    right = isinstance(credentials, LoginPassword) and credentials == LoginPassword(
        b"herald", sys.argv[3].encode()
    )
    return AuthResult(success=right)


def session(context):
    return SMTP(
        Printer(),
        hostname="mail.example.com",
        tls_context=context,
        require_starttls=True,
        auth_required=True,
        authenticator=login,
    )


async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: session(context), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())

"""Prints the mails of a mailbox as its IMAP server tells of them: one JSON object.

    imap.py PORT CA_FILE USER PASSWORD
"""

import base64
import imaplib
import json
import ssl
import sys

port, ca_file, user, password = sys.argv[1:]
context = ssl.create_default_context(cafile=ca_file)
imap = imaplib.IMAP4_SSL("localhost", int(port), ssl_context=context)
imap.login(user, password)
imap.select("INBOX", readonly=True)
count = len(imap.search(None, "ALL")[1][0].split())


def fetched(what):
    return [imap.fetch(str(number), what)[1] for number in range(1, count + 1)] if count else []


def text(parts):
    return b"".join(b"".join(p) if isinstance(p, tuple) else p for p in parts).decode()


print(
    json.dumps(
        {
            "thread": imap.thread("REFERENCES", "UTF-8", "ALL")[1][0].decode() if count else "",
            "structure": [text(parts) for parts in fetched("(BODYSTRUCTURE)")],
            # The second part of a mail: its report.
            "report": [
                base64.b64decode(parts[0][1]).decode() for parts in fetched("(BODY.PEEK[2])")
            ],
            "mail": [parts[0][1].decode() for parts in fetched("(BODY.PEEK[])")],
        }
    )
)

"""Drives a vendor's official client against the fake of the unit tests.

clients.py VENDOR URL TOKEN. What falco-herald has opened is there already: the client finds it, comments
on it and leaves it closed. Ends with 77 where the client is not installed.
"""

import importlib.util
import sys


def refused(kind, call, *args, **named):
    """The error of that kind which the client makes of a refusal."""
    try:
        answer = call(*args, **named)
    except kind as error:
        return error
    raise AssertionError(f"not refused: {answer!r}")


def slack(url, token):
    from slack_sdk import WebClient
    from slack_sdk.errors import SlackApiError
    from slack_sdk.webhook import WebhookClient

    inert = {"link_names": False, "unfurl_links": False, "unfurl_media": False}
    client = WebClient(token=f"xoxb-{token}", base_url=f"{url}/api/")
    # The test has planned the first answer.
    error = refused(SlackApiError, client.chat_postMessage, channel="#soc", text="x", **inert)
    assert (error.response.status_code, error.response["error"]) == (429, "ratelimited")
    assert error.response.headers["Retry-After"] == "7"

    blocks = [{"type": "header", "text": {"type": "plain_text", "text": "Shell"}}]
    metadata = {"event_type": "t", "event_payload": {"uid": "1"}}
    head = client.chat_postMessage(
        channel="#soc", text="Shell", blocks=blocks, metadata=metadata, **inert
    )
    assert head["channel"].startswith("C") and head["message"]["text"] == "Shell"
    assert head["message"]["ts"] == head["ts"] and head["message"]["blocks"] == blocks
    thread = {"channel": head["channel"], "thread_ts": head["ts"]}
    reply = client.chat_postMessage(text="again", **thread, **inert)
    assert reply["ts"] != head["ts"] and reply["message"]["thread_ts"] == head["ts"]
    edit = client.chat_update(channel=head["channel"], ts=head["ts"], text="Shells", **inert)
    assert (edit["ts"], edit["text"]) == (head["ts"], "Shells")

    def word(*args, **named):
        return refused(SlackApiError, *args, **named, **inert).response["error"]

    post, edit = client.chat_postMessage, client.chat_update
    assert word(post, channel="#other", text="x") == "channel_not_found"
    assert word(post, channel="#soc", text="") == "no_text"
    assert word(post, channel="#soc", text="x", blocks=[{"type": "x"}]) == "invalid_blocks"
    assert word(post, channel="#soc", text="x", thread_ts="1.2") == "thread_not_found"
    assert word(edit, channel=head["channel"], ts="1.2", text="x") == "message_not_found"
    # An edit is told the channel by its id alone.
    assert word(edit, channel="#soc", ts=head["ts"], text="x") == "channel_not_found"
    error = refused(SlackApiError, client.api_call, "chat.none", json={"text": "x"})
    assert error.response["error"] == "unknown_method"
    for other, expected in [("xoxb-other", "invalid_auth"), (None, "not_authed")]:
        stranger = WebClient(token=other, base_url=f"{url}/api/")
        assert word(stranger.chat_postMessage, channel="#soc", text="x") == expected

    hook = WebhookClient(f"{url}/services/T0/B0/{token}")
    body = {"text": "Shell", "blocks": blocks, **inert}
    for change, expected in [
        ({}, (200, "ok")),
        ({"text": ""}, (400, "no_text")),
        ({"blocks": [{"type": "x"}]}, (400, "invalid_blocks")),
    ]:
        answer = hook.send_dict({**body, **change})
        assert (answer.status_code, answer.body) == expected, (answer.status_code, answer.body)
    answer = WebhookClient(f"{url}/services/T0/B0/other").send_dict(body)
    assert (answer.status_code, answer.body) == (403, "invalid_token")


def github(url, token):
    import github as vendor
    from github import Auth, Github

    quick = {"retry": None, "seconds_between_requests": None, "seconds_between_writes": None}
    client = Github(base_url=url, auth=Auth.Token(token), **quick)
    repository = client.get_repo("acme/sec")
    [issue] = repository.get_issues(state="all")
    marker = issue.labels[0].name
    assert issue.body.startswith(f"<!-- {marker} -->")
    assert [found.number for found in repository.get_issues(labels=[marker])] == [issue.number]
    assert not list(repository.get_issues(labels=["none"]))
    query = f'repo:acme/sec is:issue in:body "{marker}"'
    found = client.search_issues(query)
    assert (found.totalCount, found[0].number) == (1, issue.number)
    error = refused(vendor.GithubException, lambda: list(client.search_issues(f'"{marker}"')))
    assert error.status == 422

    before = issue.comments
    comment = issue.create_comment("looking")
    assert comment.user.login == "herald[bot]" and comment.created_at
    assert [said.body for said in issue.get_comments()][-1] == "looking"
    issue = repository.get_issue(issue.number)
    assert issue.comments == before + 1 and issue.closed_at is None
    for _ in range(2):
        issue.edit(state="closed", state_reason="completed")
        issue = repository.get_issue(issue.number)
        assert (issue.state, issue.state_reason) == ("closed", "completed")
        assert issue.closed_at and issue.closed_by.login
        assert not list(repository.get_issues()) and list(repository.get_issues(state="closed"))
        issue.edit(state="open", state_reason="reopened")
        issue = repository.get_issue(issue.number)
        assert (issue.state, issue.state_reason, issue.closed_at) == ("open", "reopened", None)

    made = repository.create_issue("Another", body="text", labels=["a", "b"])
    assert made.number == issue.number + 1 and [label.name for label in made.labels] == ["a", "b"]
    made.edit(state="closed", state_reason="not_planned")
    assert made.state_reason == "not_planned"
    for call, status in [
        (lambda: repository.create_issue("x" * 257), 422),
        (lambda: repository.create_issue("x", labels=["y" * 51]), 422),
        (lambda: made.edit(state="open", state_reason="fixed"), 422),
        (lambda: made.edit(state="shut"), 422),
        (lambda: repository.get_issue(99), 404),
        (lambda: client.get_repo("acme/other"), 404),
    ]:
        assert refused(vendor.GithubException, call).status == status
    stranger = Github(base_url=url, auth=Auth.Token("other"), **quick)
    refused(vendor.BadCredentialsException, stranger.get_repo, "acme/sec")
    issue.edit(state="closed", state_reason="completed")


def gitlab(url, token):
    from gitlab import Gitlab, exceptions

    client = Gitlab(url, private_token=token)
    for name in ["7", "acme/sec"]:
        issues = client.projects.get(name, lazy=True).issues
        [issue] = [issue for issue in issues.list(get_all=True) if issue.iid == 1]
        marker = issue.description.split()[1]
        # A Guest's labels are dropped.
        assert issue.labels in ([], [marker, "falco", "security"])
        by_label = issues.list(labels=[marker], state="opened", scope="all", get_all=True)
        assert [found.iid for found in by_label] == [issue.iid for _ in issue.labels[:1]]
        found = issues.list(search=marker, get_all=True, **{"in": "description"})
        assert [found.iid for found in found] == [1]

        before = len(issue.notes.list(get_all=True))
        assert issue.notes.create({"body": "looking"}).body == "looking"
        assert len(issue.notes.list(get_all=True)) == before + 1
        issue.state_event = "close"
        issue.save()
        assert issue.state == "closed" and issue.closed_at
        assert issues.list(state="closed", get_all=True)
        issue.state_event = "reopen"
        issue.save()
        issue = issues.get(1)
        assert issue.state == "opened" and issue.closed_at is None

        made = issues.create({"title": "Another", "description": "x", "labels": "a,b"})
        assert made.iid > 1 and made.labels in ([], ["a", "b"]) and not made.confidential
        for kind, status, call in [
            ("Create", 400, lambda: issues.create({"title": "x" * 256})),
            ("Create", 400, lambda: issues.create({"title": " "})),
            ("Create", 400, lambda: issue.notes.create({"body": " "})),
            ("Get", 404, lambda: issues.get(99)),
        ]:
            error = refused(getattr(exceptions, f"Gitlab{kind}Error"), call)
            assert error.response_code == status
        issue.state_event = "shut"
        assert refused(exceptions.GitlabUpdateError, issue.save).response_code == 400
    missing = client.projects.get("8", lazy=True).issues
    assert refused(exceptions.GitlabGetError, missing.get, 1).response_code == 404
    stranger = Gitlab(url, private_token="other").projects.get("7", lazy=True)
    refused(exceptions.GitlabAuthenticationError, stranger.issues.get, 1)
    issue = issues.get(1)
    issue.state_event = "close"
    issue.save()


def jira(url, cloud, login, stranger):
    from jira import JIRA, JIRAError

    options = {"rest_api_version": "3" if cloud else "2", "check_update": False}
    client = JIRA(url, options=options, max_retries=0, **login)
    assert client._is_cloud == cloud

    def text(words):
        paragraph = {"type": "paragraph", "content": [{"type": "text", "text": words}]}
        return {"type": "doc", "version": 1, "content": [paragraph]} if cloud else words

    first = client.issue("SEC-1")
    marker = first.fields.labels[0]
    jql = f'project = "SEC" AND labels = "{marker}" ORDER BY created DESC'
    fields = {"fields": ["status", "labels"], "use_post": cloud}
    [found] = client.search_issues(jql, **fields)
    assert (found.id, found.key) == (first.id, first.key)
    assert found.fields.status.statusCategory.key == "new" and not hasattr(found.fields, "summary")
    error = refused(JIRAError, client.search_issues, 'labels = "x" OR', **fields)
    assert error.status_code == 400

    assert client.add_comment(first, text("looking")).body
    assert refused(JIRAError, client.add_comment, first, "x" if cloud else {}).status_code == 400
    assert "fields" not in client.transitions(first)[0]
    ways = client.transitions(first, expand="transitions.fields")
    [done] = [way for way in ways if way["name"] == "Done"]
    assert refused(JIRAError, client.transition_issue, first, done["id"]).status_code == 400
    assert refused(JIRAError, client.transition_issue, first, "99").status_code == 400
    resolution = done["fields"]["resolution"]["allowedValues"][-1]

    def close():
        client.transition_issue(first, "done", fields={"resolution": resolution})
        fields = client.issue(first.key).fields
        assert (fields.status.name, fields.resolution.name) == ("Done", "Done")
        assert fields.resolutiondate

    close()
    client.transition_issue(first, "To Do")
    fields = client.issue(first.id).fields
    assert (fields.status.name, fields.resolution, fields.resolutiondate) == ("To Do", None, None)

    wanted = {
        "project": {"key": "SEC"},
        "issuetype": {"name": "Task"},
        "summary": "Another",
        "description": text("what it is"),
        "labels": ["a"],
    }
    made = client.create_issue(fields=wanted)
    assert made.key == "SEC-2" and made.self.startswith(url) and made.fields.summary == "Another"
    for field, value in [
        ("project", {"key": "NONE"}),
        ("issuetype", {"name": "None"}),
        ("summary", "x" * 256),
        ("summary", "a\nb"),
        ("summary", ""),
        ("labels", ["a b"]),
        ("description", text("x" * 32_768)),
    ]:
        error = refused(JIRAError, client.create_issue, fields={**wanted, field: value})
        assert error.status_code == 400 and field in error.response.json()["errors"]
    assert refused(JIRAError, client.issue, "SEC-99").status_code == 404
    error = refused(JIRAError, JIRA, url, options=options, max_retries=0, **stranger)
    assert error.status_code == 401
    close()


def jira_cloud(url, token):
    jira(url, True, {"basic_auth": ("bot@acme.com", token)}, {"basic_auth": ("x", token)})


def jira_center(url, token):
    jira(url, False, {"token_auth": token}, {"token_auth": "other"})


def redmine(url, token):
    from redminelib import Redmine, exceptions

    client = Redmine(url, key=token)
    [first] = client.issue.filter(project_id="sec")
    marker = first.custom_fields[0].value
    found = client.issue.filter(project_id="sec", status_id="*", cf_1=marker, sort="id:desc")
    assert [issue.id for issue in found] == [first.id] and found.total_count == 1
    assert not client.issue.filter(project_id="sec", status_id="*", cf_1="none")
    statuses = {status.name: status for status in client.issue_status.all()}
    assert statuses["Closed"].is_closed and not statuses["New"].is_closed

    assert client.issue.update(first.id, notes="looking", private_notes=True)
    for _ in range(2):
        assert client.issue.update(first.id, status_id=statuses["Closed"].id)
        closed = client.issue.get(first.id)
        assert closed.status.name == "Closed" and closed.closed_on
        assert not client.issue.filter(project_id="sec")
        assert client.issue.filter(project_id="sec", status_id="closed")
        assert client.issue.update(first.id, status_id=statuses["New"].id)
        assert client.issue.get(first.id).status.name == "New"

    field = {"id": 1, "value": "other"}
    made = client.issue.create(
        project_id="sec", subject="Another", description="x", custom_fields=[field]
    )
    assert made.id == first.id + 1 and made.status.name == "New" and made.created_on
    assert made.custom_fields[0].value == "other"
    for subject in ["x" * 256, " "]:
        error = refused(
            exceptions.ValidationError, client.issue.create, project_id="sec", subject=subject
        )
        assert "Subject" in str(error)
    refused(exceptions.ResourceNotFoundError, client.issue.create, project_id="no", subject="x")
    refused(exceptions.ResourceNotFoundError, client.issue.get, 99)
    refused(exceptions.AuthError, Redmine(url, key="other").issue.get, 1)
    assert client.issue.update(first.id, status_id=statuses["Closed"].id)


def rt(url, token):
    from rt import exceptions
    from rt.rest2 import Rt

    client = Rt(f"{url}/REST/2.0/", token=token)
    queue = client.get_queue("Sec Ops")
    assert queue["TicketCustomFields"][0]["name"] == "Falco Herald"
    first = client.get_ticket(1)
    marker = first["CustomFields"][0]["values"][0]
    assert (first["id"], first["Status"], first["Queue"]["Name"]) == (1, "new", "Sec Ops")

    def found(status, marker=marker):
        query = f"Queue = 'Sec Ops' AND CF.{{Falco Herald}} = '{marker}' AND Status = '{status}'"
        fields = ["Status", "Resolved"]
        return list(client.search(raw_query=query, order="-id", query_format=fields))

    [active] = found("__Active__")
    assert (active["id"], active["Status"]) == ("1", "new") and "Subject" not in active
    assert not found("__Inactive__") and not found("__Active__", "none")
    refused(exceptions.BadRequestError, lambda: list(client.search(raw_query="Status LIKE")))

    assert client.comment(1, "<p>looking</p>", "text/html")
    assert client.edit_ticket(1, Status="resolved")
    [inactive] = found("__Inactive__")
    assert inactive["Status"] == "resolved" and not inactive["Resolved"].startswith("1970")
    assert client.edit_ticket(1, Status="open") and client.get_ticket(1)["Status"] == "open"
    # A refusal is a text in an answer of 200.
    assert client.edit_ticket(1, Status="shut") and client.get_ticket(1)["Status"] == "open"

    fields = {"Falco Herald": "other"}
    named = {"content": "<p>x</p>", "content_type": "text/html", "CustomFields": fields}
    made = client.create_ticket("Sec Ops", subject="Another", **named)
    assert made == 2 and [ticket["id"] for ticket in found("__Active__", "other")] == ["2"]
    error = refused(exceptions.UnexpectedResponseError, client.create_ticket, "None", **named)
    assert error.status_code == 403
    refused(exceptions.NotFoundError, client.get_ticket, 99)
    stranger = Rt(f"{url}/REST/2.0/", token="other")
    refused(exceptions.AuthorizationError, stranger.get_ticket, 1)
    assert client.edit_ticket(1, Status="resolved")


def pagerduty(url, token):
    from pagerduty import EventsApiV2Client, HttpError

    def connected(key):
        client = EventsApiV2Client(key)
        # It wants HTTPS of an address that is set, and the fake has none.
        client._url = url
        return client

    client = connected(token)
    link = [{"href": "https://herald.example.com", "text": "The incident"}]
    for key in ["one", client.trigger("Shell", "node-1")]:
        named = {"severity": "error", "custom_details": {"count": 2}, "links": link}
        assert client.trigger("Shell", "node-1", dedup_key=key, **named) == key
        assert client.acknowledge(key) == client.resolve(key) == key
    # What is not known is dropped without a word.
    assert client.resolve("none") == "none"
    for summary, change in [
        ("x" * 1025, {}),
        ("", {}),
        ("x", {"severity": "fatal"}),
        ("x", {"dedup_key": "x" * 256}),
        ("x", {"payload": {"colour": "red"}}),
        ("x", {"payload": {"timestamp": "yesterday"}}),
        ("x", {"custom_details": {"report": "x" * 512_000}}),
    ]:
        error = refused(HttpError, client.trigger, summary, "node-1", **change)
        assert error.response.status_code == 400 and error.response.json()["errors"]
    assert refused(HttpError, connected("other").resolve, "one").response.status_code == 400


VENDORS = {
    "slack": ("slack_sdk", slack),
    "github": ("github", github),
    "gitlab": ("gitlab", gitlab),
    "jira-cloud": ("jira", jira_cloud),
    "jira-center": ("jira", jira_center),
    "redmine": ("redminelib", redmine),
    "rt": ("rt", rt),
    "pagerduty": ("pagerduty", pagerduty),
}

vendor, address, secret = sys.argv[1:]
package, drive = VENDORS[vendor]
# This folder is on the path, and no package is here.
if importlib.util.find_spec(package) is None:
    sys.exit(77)
drive(address, secret)

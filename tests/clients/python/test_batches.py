"""Batches with openai-python and anthropic-sdk-python, unmodified."""

from __future__ import annotations

import json
import time

import anthropic
import openai
import pytest
from conftest import ASK, anthropic_client, openai_client

import harness

PATIENCE_SECONDS = 60


def until(read, is_so):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = read()
        if is_so(found):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def line(name, body, url="/v1/chat/completions"):
    return json.dumps({"custom_id": name, "method": "POST", "url": url, "body": body})


@pytest.fixture(scope="module")
def client(bourse):
    return openai_client(bourse)


@pytest.fixture(scope="module")
def claude(bourse):
    return anthropic_client(bourse, base="")


def upload(client, *lines):
    content = "\n".join(lines).encode()
    return client.files.create(file=("lines.jsonl", content), purpose="batch")


def test_openais_batch_is_made_polled_and_read(bourse, client):
    chat = {"model": "acme/echo", "messages": ASK}
    file = upload(client, line("a", chat), line("b", {"model": "no/such", "messages": ASK}), line("c", chat))
    assert file.id.startswith("file-") and file.status == "processed"
    assert client.files.retrieve(file.id) == file
    batch = client.batches.create(
        input_file_id=file.id,
        endpoint="/v1/chat/completions",
        completion_window="24h",
        metadata={"team": "a"},
    )
    assert batch.object == "batch" and batch.metadata == {"team": "a"}
    ended = until(lambda: client.batches.retrieve(batch.id), lambda one: one.status == "completed")
    assert ended.request_counts.total == 3
    assert (ended.request_counts.completed, ended.request_counts.failed) == (2, 1)
    answers = [json.loads(one) for one in client.files.content(ended.output_file_id).text.splitlines()]
    assert [one["custom_id"] for one in answers] == ["a", "c"]
    for one in answers:
        answer = openai.types.chat.ChatCompletion.model_validate(one["response"]["body"])
        assert answer.choices[0].message.content
        cost = harness.usd(answer.usage.model_extra["cost"])
        assert cost == harness.price_of(answer.usage.prompt_tokens, answer.usage.completion_tokens)
        record = bourse.generation(one["response"]["request_id"])
        assert harness.usd(record["total_cost"]) == cost
    errors = [json.loads(one) for one in client.files.content(ended.error_file_id).text.splitlines()]
    assert (errors[0]["custom_id"], errors[0]["response"]["status_code"]) == ("b", 400)
    assert batch.id in [one.id for one in client.batches.list(limit=1)]
    assert file.id in [one.id for one in client.files.list(purpose="batch")]
    assert client.files.delete(file.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(file.id)


@pytest.mark.parametrize("endpoint", ["/v1/responses", "/v1/completions"])
def test_other_endpoints_have_batches(client, endpoint):
    body = {"model": "acme/echo", "input": "Hi"} if endpoint.endswith("responses") else {"model": "acme/echo", "prompt": "Hi"}
    file = upload(client, line("a", body, endpoint))
    batch = client.batches.create(input_file_id=file.id, endpoint=endpoint, completion_window="24h")
    ended = until(lambda: client.batches.retrieve(batch.id), lambda one: one.status in ("completed", "failed"))
    assert ended.request_counts.completed == 1, ended
    answer = json.loads(client.files.content(ended.output_file_id).text)
    assert answer["response"]["status_code"] == 200


def test_openais_batch_is_cancelled(client):
    chat = {"model": "acme/echo", "messages": ASK}
    file = upload(client, *(line(str(n), chat) for n in range(3000)))
    batch = client.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
    )
    assert client.batches.cancel(batch.id).status == "cancelling"
    ended = until(lambda: client.batches.retrieve(batch.id), lambda one: one.status == "cancelled")
    assert ended.cancelled_at and ended.request_counts.total == 3000


def test_what_cannot_be_is_an_error_of_its_class(client):
    with pytest.raises(openai.BadRequestError, match="purpose"):
        client.files.create(file=("a", b"a"), purpose="assistants")
    with pytest.raises(openai.BadRequestError, match="input_file_id"):
        client.batches.create(
            input_file_id="file-none", endpoint="/v1/chat/completions", completion_window="24h"
        )
    with pytest.raises(openai.NotFoundError):
        client.batches.retrieve("batch_none")


def requests(*names, model="acme/echo"):
    params = {"model": model, "max_tokens": 50, "messages": ASK}
    return [{"custom_id": name, "params": params} for name in names]


def test_anthropics_batch_is_made_polled_read_and_deleted(claude):
    bad = requests("bad", model="no/such")
    batch = claude.messages.batches.create(requests=[*requests("a", "b"), *bad])
    assert batch.type == "message_batch" and batch.id.startswith("msgbatch_")
    ended = until(
        lambda: claude.messages.batches.retrieve(batch.id),
        lambda one: one.processing_status == "ended",
    )
    counts = ended.request_counts
    assert (counts.succeeded, counts.errored, counts.processing) == (2, 1, 0)
    results = {one.custom_id: one.result for one in claude.messages.batches.results(batch.id)}
    assert set(results) == {"a", "b", "bad"}
    assert isinstance(results["a"].message, anthropic.types.Message)
    assert results["a"].message.content[0].text
    assert results["bad"].type == "errored"
    assert results["bad"].error.error.type == "invalid_request_error"
    assert batch.id in [one.id for one in claude.messages.batches.list(limit=1)]
    gone = claude.messages.batches.delete(batch.id)
    assert gone.type == "message_batch_deleted"
    with pytest.raises(anthropic.NotFoundError):
        claude.messages.batches.retrieve(batch.id)


def test_anthropics_batch_is_cancelled_below_api_too(bourse):
    claude = anthropic_client(bourse, base="/api")
    batch = claude.messages.batches.create(requests=requests(*(str(n) for n in range(2000))))
    assert claude.messages.batches.cancel(batch.id).processing_status == "canceling"
    ended = until(
        lambda: claude.messages.batches.retrieve(batch.id),
        lambda one: one.processing_status == "ended",
    )
    kinds = [one.result.type for one in claude.messages.batches.results(batch.id)]
    assert len(kinds) == 2000
    assert kinds.count("canceled") == ended.request_counts.canceled


def test_anthropics_batch_that_cannot_be_names_the_request(claude):
    with pytest.raises(anthropic.BadRequestError, match=r"requests\.1\.custom_id"):
        claude.messages.batches.create(requests=requests("a", "a"))

"""openai-python against Bourse, asynchronous: many calls at once, and the
paths where the asynchronous client differs (streams, cancellation)."""

from __future__ import annotations

import asyncio
import json

import openai
import pytest
from conftest import ASK, WEATHER, cost_is_exact, openai_client
from pydantic import BaseModel

import harness

CONCURRENT_CALLS = 32


def with_client(bourse, work):
    async def run():
        async with openai_client(bourse, kind=openai.AsyncOpenAI) as client:
            return await work(client)

    return asyncio.run(run())


def test_concurrent_calls_are_each_answered_and_charged_exactly(bourse):
    async def work(client):
        return await asyncio.gather(
            *(
                client.chat.completions.create(
                    model="acme/echo", messages=[{"role": "user", "content": f"number {n}"}]
                )
                for n in range(CONCURRENT_CALLS)
            )
        )

    answers = with_client(bourse, work)
    assert len({answer.id for answer in answers}) == CONCURRENT_CALLS
    assert all(answer.choices[0].message.content for answer in answers)
    assert all(cost_is_exact(answer.usage) for answer in answers)


def test_concurrent_streams_do_not_mix(bourse):
    async def one(client, model):
        chunks = [
            chunk
            async for chunk in await client.chat.completions.create(
                model=model, messages=ASK, stream=True, stream_options={"include_usage": True}
            )
        ]
        assert {c.id for c in chunks} == {chunks[0].id}
        assert {c.model for c in chunks} == {model}
        return chunks[-1].usage

    async def work(client):
        models = ["acme/echo", "acme/five", "acme/via-anthropic", "acme/via-google-ai-studio"] * 4
        return await asyncio.gather(*(one(client, model) for model in models))

    assert all(cost_is_exact(usage) for usage in with_client(bourse, work))


def test_a_tool_is_called_and_its_result_leads_to_an_answer(bourse):
    async def work(client):
        first = await client.chat.completions.create(
            model="acme/echo", messages=ASK, tools=[WEATHER], tool_choice="required"
        )
        message = first.choices[0].message
        [call] = message.tool_calls
        second = await client.chat.completions.create(
            model="acme/echo",
            messages=[
                *ASK,
                message.model_dump(exclude_none=True),
                {"role": "tool", "tool_call_id": call.id, "content": "fine"},
            ],
            tools=[WEATHER],
        )
        return call, second

    call, second = with_client(bourse, work)
    assert "city" in json.loads(call.function.arguments)
    assert second.choices[0].message.content
    assert cost_is_exact(second.usage)


class City(BaseModel):
    city: str
    population: int


def test_a_structured_answer_parses_into_its_class(bourse):
    async def work(client):
        return await client.chat.completions.parse(
            model="acme/echo", messages=ASK, response_format=City
        )

    answer = with_client(bourse, work)
    assert isinstance(answer.choices[0].message.parsed, City)
    assert cost_is_exact(answer.usage)


@pytest.mark.parametrize(
    ("key", "model", "status"),
    [("wrong", "acme/echo", 401), ("poor", "acme/echo", 402), (None, "acme/nothing", 400)],
)
def test_a_refusal_has_its_status_as_its_code(bourse, key, model, status):
    keys = {"wrong": "sk-bourse-v1-" + "0" * 64, "poor": bourse.poor_key, None: bourse.key}

    async def work(client):
        with pytest.raises(openai.APIStatusError) as caught:
            await client.with_options(api_key=keys[key]).chat.completions.create(
                model=model, messages=ASK
            )
        return caught.value

    error = with_client(bourse, work)
    assert error.status_code == status
    assert error.body["code"] == status


def test_a_rate_limit_says_when_to_come_back(bourse):
    async def work(client):
        with pytest.raises(openai.RateLimitError) as caught:
            await client.chat.completions.create(model="acme/limited-openai-async", messages=ASK)
        return caught.value

    error = with_client(bourse, work)
    assert error.body["code"] == 429
    assert 0 < int(error.response.headers["retry-after"]) <= harness.RETRY_AFTER_SECONDS


def test_a_broken_upstream_is_a_5xx(bourse):
    async def work(client):
        with pytest.raises(openai.InternalServerError) as caught:
            await client.chat.completions.create(model="acme/broken-openai-async", messages=ASK)
        return caught.value

    error = with_client(bourse, work)
    assert error.body["code"] == error.status_code


@pytest.mark.parametrize("fault", ["cut", "confesses"])
def test_a_stream_that_breaks_ends_in_a_typed_error(bourse, fault):
    async def work(client):
        stream = await client.chat.completions.create(
            model=f"acme/{fault}-openai-async", messages=ASK, stream=True
        )
        text = ""
        with pytest.raises(openai.APIError) as caught:
            async for chunk in stream:
                text += chunk.choices[0].delta.content or ""
        return text, caught.value

    text, error = with_client(bourse, work)
    assert text
    assert isinstance(error.body["code"], int)


def test_a_cancelled_task_cancels_its_call(bourse):
    async def work(client):
        seen = asyncio.Queue()

        async def read():
            async for chunk in await client.chat.completions.create(
                model="acme/slow", messages=ASK, stream=True
            ):
                seen.put_nowait(chunk.id)

        task = asyncio.create_task(read())
        generation_id = await seen.get()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return generation_id

    record = bourse.generation(with_client(bourse, work))
    assert record["cancelled"] is True
    assert record["native_tokens_completion"] < harness.SLOW_TOKENS

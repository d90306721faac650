"""openai-python against Bourse, blocking."""

from __future__ import annotations

import json
import time

import openai
import pytest
from conftest import ASK, VENDOR_MODELS, WEATHER, cost_is_exact, openai_client
from pydantic import BaseModel

import harness


def stream_of(client, **request):
    return client.chat.completions.create(
        stream=True, stream_options={"include_usage": True}, **request
    )


@pytest.mark.parametrize("model", VENDOR_MODELS)
def test_a_call_is_answered_and_charged_exactly(bourse, client, model):
    raw = client.chat.completions.with_raw_response.create(model=model, messages=ASK)
    answer = raw.parse()
    choice = answer.choices[0]
    assert answer.object == "chat.completion"
    assert answer.id.startswith("gen-")
    assert raw.headers["x-generation-id"] == answer.id
    assert answer.model == model
    assert choice.finish_reason == "stop"
    assert choice.message.role == "assistant"
    assert choice.message.content
    assert answer.usage.prompt_tokens > 0
    assert answer.usage.completion_tokens > 0
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert cost_is_exact(answer.usage)

    record = bourse.generation(answer.id)
    assert harness.usd(record["total_cost"]) == harness.usd(answer.usage.cost)
    assert record["native_tokens_prompt"] == answer.usage.prompt_tokens
    assert record["native_tokens_completion"] == answer.usage.completion_tokens
    assert record["model"] == model
    assert record["streamed"] is False


@pytest.mark.parametrize("model", VENDOR_MODELS)
def test_a_stream_ends_with_its_usage_and_is_charged_exactly(bourse, client, model):
    chunks = list(stream_of(client, model=model, messages=ASK))
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    finishes = [c.choices[0].finish_reason for c in chunks if c.choices]
    usages = [c.usage for c in chunks if c.usage]
    assert text
    assert {c.id for c in chunks} == {chunks[0].id}
    assert chunks[0].id.startswith("gen-")
    assert [f for f in finishes if f] == ["stop"]
    assert len(usages) == 1, "usage is reported once"
    assert cost_is_exact(usages[0])

    record = bourse.generation(chunks[0].id)
    assert harness.usd(record["total_cost"]) == harness.usd(usages[0].cost)
    assert record["streamed"] is True


def test_streaming_and_not_streaming_count_the_same_tokens(client):
    whole = client.chat.completions.create(model="acme/five", messages=ASK)
    *_, last = stream_of(client, model="acme/five", messages=ASK)
    assert whole.usage.completion_tokens == harness.ANSWER_TOKENS
    assert last.usage.completion_tokens == harness.ANSWER_TOKENS
    assert whole.usage.prompt_tokens == last.usage.prompt_tokens


def test_the_token_limit_is_obeyed_and_named(client):
    answer = client.chat.completions.create(model="acme/five", messages=ASK, max_tokens=3)
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 3
    assert cost_is_exact(answer.usage)


@pytest.mark.parametrize("model", VENDOR_MODELS)
def test_a_tool_is_called_and_its_result_leads_to_an_answer(client, model):
    first = client.chat.completions.create(
        model=model, messages=ASK, tools=[WEATHER], tool_choice="required"
    )
    message = first.choices[0].message
    assert first.choices[0].finish_reason == "tool_calls"
    [call] = message.tool_calls
    assert call.type == "function"
    assert call.id
    assert call.function.name == "get_weather"
    assert isinstance(json.loads(call.function.arguments)["city"], str)

    second = client.chat.completions.create(
        model=model,
        messages=[
            *ASK,
            message.model_dump(exclude_none=True),
            {"role": "tool", "tool_call_id": call.id, "content": '{"celsius": 21}'},
        ],
        tools=[WEATHER],
        tool_choice="auto",
    )
    assert second.choices[0].finish_reason == "stop"
    assert second.choices[0].message.content
    assert cost_is_exact(first.usage)
    assert cost_is_exact(second.usage)


def test_parallel_tool_calls_arrive_whole_in_a_stream(client):
    request = {"model": "acme/two-tools", "messages": ASK, "tools": [WEATHER]}
    calls: dict[int, dict] = {}
    finishes = []
    for chunk in stream_of(client, **request):
        for choice in chunk.choices:
            finishes.append(choice.finish_reason)
            for piece in choice.delta.tool_calls or []:
                call = calls.setdefault(piece.index, {"id": "", "name": "", "arguments": ""})
                call["id"] += piece.id or ""
                call["name"] += piece.function.name or ""
                call["arguments"] += piece.function.arguments or ""
    assert sorted(calls) == [0, 1]
    assert calls[0]["id"] != calls[1]["id"]
    for call in calls.values():
        assert call["name"] == "get_weather"
        assert "city" in json.loads(call["arguments"])
    assert [f for f in finishes if f] == ["tool_calls"]

    whole = client.chat.completions.create(**request)
    assert len(whole.choices[0].message.tool_calls) == 2
    answers = [
        {"role": "tool", "tool_call_id": c.id, "content": "fine"}
        for c in whole.choices[0].message.tool_calls
    ]
    second = client.chat.completions.create(
        model="acme/two-tools",
        messages=[*ASK, whole.choices[0].message.model_dump(exclude_none=True), *answers],
        tools=[WEATHER],
        tool_choice="none",
    )
    assert second.choices[0].message.content


class City(BaseModel):
    city: str
    population: int


@pytest.mark.parametrize("model", ["acme/echo", "acme/via-openai", "acme/via-google-ai-studio"])
def test_a_structured_answer_parses_into_its_class(client, model):
    answer = client.chat.completions.parse(model=model, messages=ASK, response_format=City)
    parsed = answer.choices[0].message.parsed
    assert isinstance(parsed, City)
    assert cost_is_exact(answer.usage)


def test_a_structured_answer_parses_from_a_stream(client):
    with client.chat.completions.stream(
        model="acme/echo", messages=ASK, response_format=City
    ) as stream:
        for _ in stream:
            pass
        final = stream.get_final_completion()
    assert isinstance(final.choices[0].message.parsed, City)


def test_reasoning_is_shown_counted_and_paid(client):
    answer = client.chat.completions.create(
        model="acme/thinker", messages=ASK, extra_body={"reasoning": {"effort": "low"}}
    )
    assert answer.choices[0].message.reasoning
    assert answer.choices[0].message.content
    details = answer.usage.completion_tokens_details
    assert details.reasoning_tokens == harness.REASONING_TOKENS
    assert answer.usage.completion_tokens == harness.REASONING_TOKENS + harness.ANSWER_TOKENS
    assert cost_is_exact(answer.usage)


def test_reasoning_streams_before_the_answer(client):
    seen = []
    for chunk in stream_of(
        client, model="acme/thinker", messages=ASK, extra_body={"reasoning": {"effort": "low"}}
    ):
        for choice in chunk.choices:
            if getattr(choice.delta, "reasoning", None):
                seen.append("reasoning")
            if choice.delta.content:
                seen.append("content")
    assert "reasoning" in seen
    assert "content" in seen
    assert seen == sorted(seen, reverse=True), "all thought comes before the first content"


def test_reasoning_is_left_out_when_excluded_but_still_paid(client):
    answer = client.chat.completions.create(
        model="acme/thinker",
        messages=ASK,
        extra_body={"reasoning": {"effort": "low", "exclude": True}},
    )
    assert not getattr(answer.choices[0].message, "reasoning", None)
    assert answer.usage.completion_tokens_details.reasoning_tokens == harness.REASONING_TOKENS
    assert cost_is_exact(answer.usage)


def refused(kind, call) -> openai.APIStatusError:
    with pytest.raises(kind) as caught:
        call()
    error = caught.value
    # OpenRouter's shape: the code is the status, as a number.
    assert error.body["code"] == error.status_code
    assert error.body["message"]
    return error


def test_a_wrong_key_is_a_401(bourse):
    wrong = openai_client(bourse, "sk-bourse-v1-" + "0" * 64)
    call = lambda: wrong.chat.completions.create(model="acme/echo", messages=ASK)  # noqa: E731
    assert refused(openai.AuthenticationError, call).status_code == 401


def test_a_management_key_cannot_do_inference(bourse):
    manager = openai_client(bourse, bourse.management_key)
    call = lambda: manager.chat.completions.create(model="acme/echo", messages=ASK)  # noqa: E731
    assert refused(openai.APIStatusError, call).status_code in (401, 403)


def test_a_call_that_cannot_be_paid_is_a_402_and_costs_nothing(bourse):
    poor = openai_client(bourse, bourse.poor_key)
    call = lambda: poor.chat.completions.create(model="acme/echo", messages=ASK)  # noqa: E731
    assert refused(openai.APIStatusError, call).status_code == 402
    assert bourse.get("/key", bourse.poor_key).json()["data"]["usage"] == 0


def test_an_unknown_model_is_a_400_that_names_it(client):
    call = lambda: client.chat.completions.create(model="acme/nothing", messages=ASK)  # noqa: E731
    assert "acme/nothing" in refused(openai.BadRequestError, call).body["message"]


def test_a_rate_limit_says_when_to_come_back(client):
    call = lambda: client.chat.completions.create(  # noqa: E731
        model="acme/limited-openai", messages=ASK
    )
    error = refused(openai.RateLimitError, call)
    assert 0 < int(error.response.headers["retry-after"]) <= harness.RETRY_AFTER_SECONDS


@pytest.mark.parametrize("stream", [False, True])
def test_a_broken_upstream_is_a_5xx_also_when_a_stream_was_asked(client, stream):
    call = lambda: client.chat.completions.create(  # noqa: E731
        model="acme/broken-openai", messages=ASK, stream=stream
    )
    assert refused(openai.InternalServerError, call).status_code in (500, 502, 503)


@pytest.mark.parametrize("fault", ["cut", "confesses"])
def test_a_stream_that_breaks_ends_in_a_typed_error(client, fault):
    text = ""
    with pytest.raises(openai.APIError) as caught:
        for chunk in stream_of(client, model=f"acme/{fault}-openai", messages=ASK):
            text += chunk.choices[0].delta.content or ""
    assert text, "what came before the break is not held back"
    assert isinstance(caught.value.body["code"], int)
    assert caught.value.body["message"]


def test_an_abandoned_stream_is_cancelled_and_settled(bourse, client):
    stream = stream_of(client, model="acme/slow", messages=ASK)
    first = next(iter(stream))
    stream.close()
    record = bourse.generation(first.id)
    assert record["cancelled"] is True
    assert record["native_tokens_completion"] < harness.SLOW_TOKENS
    assert harness.usd(record["total_cost"]) == harness.price_of(
        record["native_tokens_prompt"], record["native_tokens_completion"]
    )


def test_a_failed_call_is_not_charged_and_holds_nothing(bourse):
    # The limit pays for one call's hold only, so a hold that stayed behind
    # would make the last call a 402.
    key = bourse.create_key("--name", "failing", "--limit", "0.015")
    own = openai_client(bourse, key)
    for _ in range(3):
        with pytest.raises(openai.InternalServerError):
            own.chat.completions.create(model="acme/broken-openai", messages=ASK)
    assert bourse.get("/key", key).json()["data"]["usage"] == 0
    assert own.chat.completions.create(model="acme/five", messages=ASK).usage.cost > 0


def test_models_are_listed(client):
    ids = [model.id for model in client.models.list()]
    assert "acme/echo" in ids
    assert len(ids) == len(set(ids))


def test_a_keys_usage_is_the_sum_of_its_calls(bourse):
    key = bourse.create_key("--name", "sum", "--limit", "5")
    own = openai_client(bourse, key)
    spent = sum(
        harness.usd(
            own.chat.completions.create(
                model="acme/echo", messages=[{"role": "user", "content": f"number {n}"}]
            ).usage.cost
        )
        for n in range(5)
    )
    deadline = time.monotonic() + 5
    while True:
        data = bourse.get("/key", key).json()["data"]
        if harness.usd(data["usage"]) == spent or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    assert harness.usd(data["usage"]) == spent
    assert harness.usd(data["usage_daily"]) == spent
    assert harness.usd(data["limit_remaining"]) == 5 - spent

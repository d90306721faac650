"""anthropic-sdk-python against Bourse: any model behind Anthropic's Messages."""

from __future__ import annotations

import asyncio
import base64
import json

import anthropic
import pytest
from conftest import ASK, VENDOR_MODELS, anthropic_client

import harness

WEATHER = {
    "name": "get_weather",
    "description": "The weather in a city",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}
# One pixel.
PICTURE = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
        "0000000c49444154789c63606060000000040001f61738550000000049454e44ae426082"
    )
).decode()


def cost_is_exact(usage) -> bool:
    """Whether the cost is the usage's own tokens times the tests' prices."""
    cost = usage.model_extra["cost"]
    assert not usage.cache_read_input_tokens and not usage.cache_creation_input_tokens
    return harness.usd(cost) == harness.price_of(usage.input_tokens, usage.output_tokens)


def texts(message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


@pytest.mark.parametrize("base", ["", "/api"])
@pytest.mark.parametrize("model", VENDOR_MODELS)
def test_a_message_is_answered_and_charged_exactly(bourse, model, base):
    with anthropic_client(bourse, base=base) as claude:
        raw = claude.messages.with_raw_response.create(model=model, max_tokens=100, messages=ASK)
    message = raw.parse()
    assert message.type == "message"
    assert message.role == "assistant"
    assert message.id.startswith("gen-")
    assert raw.headers["request-id"] == message.id == message._request_id
    assert message.model == model
    assert message.stop_reason == "end_turn"
    assert texts(message)
    assert message.usage.input_tokens > 0
    assert cost_is_exact(message.usage)

    record = bourse.generation(message.id)
    assert harness.usd(record["total_cost"]) == harness.usd(message.usage.model_extra["cost"])
    assert record["native_tokens_prompt"] == message.usage.input_tokens
    assert record["native_tokens_completion"] == message.usage.output_tokens


@pytest.mark.parametrize("model", VENDOR_MODELS)
def test_a_stream_is_the_message_that_its_events_make(bourse, claude, model):
    with claude.messages.stream(model=model, max_tokens=100, messages=ASK) as stream:
        events = list(stream)
        message = stream.get_final_message()
    kinds = [event.type for event in events]
    assert kinds[0] == "message_start"
    assert kinds[-1] == "message_stop"
    assert kinds.count("message_delta") == 1
    # Some models think without being asked to.
    assert kinds.count("content_block_start") == kinds.count("content_block_stop") > 0
    assert "".join(event.text for event in events if event.type == "text") == texts(message)
    assert message.id.startswith("gen-")
    assert message.stop_reason == "end_turn"
    record = bourse.generation(message.id)
    assert record["streamed"] is True
    assert record["native_tokens_completion"] == message.usage.output_tokens


def test_the_end_of_a_stream_says_what_it_cost(claude):
    for model in VENDOR_MODELS:
        events = list(
            claude.messages.create(model=model, max_tokens=100, messages=ASK, stream=True)
        )
        [delta] = [event for event in events if event.type == "message_delta"]
        assert delta.delta.stop_reason == "end_turn"
        cost = harness.usd(delta.usage.model_extra["cost"])
        started = events[0].message.usage.input_tokens or delta.usage.input_tokens
        assert cost == harness.price_of(started, delta.usage.output_tokens)


@pytest.mark.parametrize("model", VENDOR_MODELS)
def test_the_limit_is_obeyed_and_named(claude, model):
    message = claude.messages.create(model=model, max_tokens=3, messages=ASK)
    assert message.stop_reason == "max_tokens"
    assert message.usage.output_tokens == 3


@pytest.mark.parametrize("model", VENDOR_MODELS)
def test_a_tool_is_called_and_its_result_leads_to_an_answer(claude, model):
    first = claude.messages.create(
        model=model,
        max_tokens=200,
        messages=ASK,
        tools=[WEATHER],
        tool_choice={"type": "any", "disable_parallel_tool_use": True},
    )
    assert first.stop_reason == "tool_use"
    [call] = [block for block in first.content if block.type == "tool_use"]
    assert call.name == "get_weather"
    assert isinstance(call.input["city"], str)
    result = {
        "type": "tool_result",
        "tool_use_id": call.id,
        "content": [
            {"type": "text", "text": '{"celsius": 21}'},
        ],
    }
    second = claude.messages.create(
        model=model,
        max_tokens=200,
        messages=[
            *ASK,
            {"role": "assistant", "content": first.content},
            {"role": "user", "content": [result]},
        ],
        tools=[WEATHER],
    )
    assert second.stop_reason == "end_turn"
    assert texts(second)
    assert cost_is_exact(second.usage)


def test_parallel_calls_arrive_whole_in_a_stream_and_are_answered_together(claude):
    request = {"model": "acme/two-tools", "max_tokens": 200, "tools": [WEATHER]}
    with claude.messages.stream(messages=ASK, **request) as stream:
        message = stream.get_final_message()
    calls = [block for block in message.content if block.type == "tool_use"]
    assert len({call.id for call in calls}) == 2
    assert all(isinstance(call.input["city"], str) for call in calls)
    assert message.stop_reason == "tool_use"
    results = [
        {"type": "tool_result", "tool_use_id": call.id, "content": "fine", "is_error": index == 0}
        for index, call in enumerate(calls)
    ]
    second = claude.messages.create(
        messages=[
            *ASK,
            {"role": "assistant", "content": message.content},
            {"role": "user", "content": results},
        ],
        tool_choice={"type": "none"},
        **request,
    )
    assert texts(second)


@pytest.mark.parametrize("model", ["acme/thinker", "acme/via-anthropic", "acme/via-google-ai-studio"])
def test_thoughts_are_shown_and_can_be_sent_back(claude, model):
    request = {
        "model": model,
        "max_tokens": 2000,
        "thinking": {"type": "enabled", "budget_tokens": 1024},
    }
    with claude.messages.stream(messages=ASK, **request) as stream:
        message = stream.get_final_message()
    kinds = [block.type for block in message.content]
    assert kinds == ["thinking", "text"], message
    assert message.content[0].thinking
    again = claude.messages.create(
        messages=[
            *ASK,
            {"role": "assistant", "content": message.content},
            {"role": "user", "content": "And the moon?"},
        ],
        **request,
    )
    assert [block.type for block in again.content] == ["thinking", "text"]


@pytest.mark.parametrize("model", VENDOR_MODELS)
def test_pictures_are_shown_by_their_bytes_and_in_results_of_tools(claude, model):
    picture = {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": PICTURE},
    }
    call = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Oslo"}}
    message = claude.messages.create(
        model=model,
        max_tokens=100,
        system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        tools=[WEATHER],
        tool_choice={"type": "none"},
        messages=[
            {"role": "user", "content": [picture, {"type": "text", "text": "What is it?"}]},
            {"role": "assistant", "content": [call]},
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": [picture]}],
            },
        ],
    )
    assert texts(message)


@pytest.mark.parametrize("model", VENDOR_MODELS)
def test_an_answer_keeps_to_a_schema(claude, model):
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "people": {"type": "integer"}},
        "required": ["city", "people"],
        "additionalProperties": False,
    }
    message = claude.messages.create(
        model=model,
        max_tokens=300,
        messages=ASK,
        output_config={"format": {"type": "json_schema", "schema": schema}},
    )
    told = json.loads(texts(message))
    assert isinstance(told["city"], str)
    assert isinstance(told["people"], int)


def test_tokens_are_counted_and_nothing_is_charged(bourse, claude):
    before = bourse.get("/key").json()["data"]["usage"]
    counts = {
        model: claude.messages.count_tokens(model=model, messages=ASK, tools=[WEATHER])
        for model in VENDOR_MODELS
    }
    assert all(20 < count.input_tokens < 200 for count in counts.values()), counts
    alone = claude.messages.count_tokens(model="acme/echo", messages=ASK)
    assert alone.input_tokens < counts["acme/echo"].input_tokens
    beta = claude.beta.messages.count_tokens(model="acme/echo", messages=ASK)
    assert beta.input_tokens == alone.input_tokens
    with pytest.raises(anthropic.BadRequestError):
        claude.messages.count_tokens(model="acme/none", messages=ASK)
    assert bourse.get("/key").json()["data"]["usage"] == before


@pytest.mark.parametrize(
    ("model", "raised", "kind"),
    [
        ("acme/none", anthropic.BadRequestError, "invalid_request_error"),
        ("acme/limited-anthropic", anthropic.RateLimitError, "rate_limit_error"),
        ("acme/broken-anthropic", anthropic.InternalServerError, "api_error"),
    ],
)
def test_a_refusal_is_the_error_that_the_sdk_has_for_it(claude, model, raised, kind):
    with pytest.raises(raised) as caught:
        claude.messages.create(model=model, max_tokens=100, messages=ASK)
    error = caught.value
    assert error.body["error"]["type"] == kind
    assert error.request_id == error.body["request_id"]
    assert error.request_id.startswith("gen-")


def test_keys_are_checked_in_anthropics_words(bourse):
    with (
        anthropic_client(bourse, "sk-bourse-v1-wrong") as stranger,
        pytest.raises(anthropic.AuthenticationError),
    ):
        stranger.messages.create(model="acme/echo", max_tokens=9, messages=ASK)
    with (
        anthropic_client(bourse, bourse.poor_key) as poor,
        pytest.raises(anthropic.APIStatusError) as caught,
    ):
        poor.messages.create(model="acme/echo", max_tokens=9, messages=ASK)
    assert caught.value.status_code == 402
    assert caught.value.body["error"]["type"] == "billing_error"


@pytest.mark.parametrize("model", ["acme/cut-anthropic", "acme/confesses-anthropic"])
def test_a_stream_that_breaks_raises_and_never_ends_well(claude, model):
    seen = []
    with pytest.raises(anthropic.APIStatusError) as caught:
        for event in claude.messages.create(
            model=model, max_tokens=100, messages=ASK, stream=True
        ):
            seen.append(event.type)
    assert "content_block_delta" in seen
    assert "message_stop" not in seen
    assert caught.value.body["error"]["type"] in ("api_error", "overloaded_error")


def test_a_tool_runner_runs_its_loop(claude):
    asked = []

    @anthropic.beta_tool
    def get_weather(city: str) -> str:
        """The weather in a city.

        Args:
            city: Its name.
        """
        asked.append(city)
        return "fine"

    runner = claude.beta.messages.tool_runner(
        model="acme/two-tools",
        max_tokens=300,
        tools=[get_weather],
        messages=ASK,
        max_iterations=2,
    )
    messages = list(runner)
    assert len(asked) == 4, "two calls in each of two rounds"
    assert len(messages) == 2


def test_concurrent_streams_do_not_mix(bourse):
    async def one(claude, model):
        async with claude.messages.stream(model=model, max_tokens=100, messages=ASK) as stream:
            return await stream.get_final_message()

    async def work():
        async with anthropic_client(bourse, kind=anthropic.AsyncAnthropic) as claude:
            return await asyncio.gather(*(one(claude, model) for model in VENDOR_MODELS * 4))

    messages = asyncio.run(work())
    assert len({message.id for message in messages}) == len(messages)
    assert [message.model for message in messages] == VENDOR_MODELS * 4

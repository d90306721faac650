"""LiteLLM's SDK against Bourse, as its provider `openrouter/`."""

from __future__ import annotations

import json

import litellm
import pytest
from conftest import ASK, BAD_KEY, PICTURE, TIMEOUT_SECONDS, UNKNOWN, VENDOR_MODELS, weather_of
from pydantic import BaseModel

import harness

ROUNDS_MAX = 4
# A stream's thoughts are kept by LiteLLM as a text alone, without signatures
# and seals, so those who want these back are asked whole.
LOOPS = [(f"acme/loop-{name}", False) for name in harness.LOOP_MODELS]
LOOPS += [("acme/loop-chat", True), ("acme/loop-gemini", True)]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        },
    }
    for name in ("get_weather", "show_map")
]


class City(BaseModel):
    city: str
    population: int


def ask(bourse, model, key=None, **more):
    return litellm.completion(
        model=f"openrouter/{model}",
        api_base=bourse.base_url,
        api_key=key or bourse.key,
        messages=more.pop("messages", [{"role": "user", "content": ASK}]),
        num_retries=0,
        max_retries=0,
        timeout=TIMEOUT_SECONDS,
        **more,
    )


@pytest.mark.parametrize("model", VENDOR_MODELS)
def test_a_question_is_answered_whole_and_streamed(bourse, model):
    answer = ask(bourse, model)
    assert answer.choices[0].message.content
    assert answer.usage.prompt_tokens > 0
    assert harness.usd(answer.usage.cost) == harness.price_of(
        answer.usage.prompt_tokens, answer.usage.completion_tokens
    )
    chunks = list(ask(bourse, model, stream=True))
    assert len(chunks) > 2
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert litellm.stream_chunk_builder(chunks).choices[0].finish_reason == "stop"


def test_a_picture_is_shown_and_an_object_comes_back(bourse):
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}"}}
    messages = [{"role": "user", "content": [{"type": "text", "text": ASK}, picture]}]
    assert ask(bourse, "acme/echo", messages=messages).choices[0].message.content
    format_ = {"type": "json_schema", "json_schema": {"name": "c", "schema": City.model_json_schema()}}
    answer = ask(bourse, "acme/echo", response_format=format_)
    City.model_validate_json(answer.choices[0].message.content)


@pytest.mark.parametrize(("model", "streams"), LOOPS)
def test_tools_are_called_until_there_is_an_answer(bourse, model, streams):
    messages: list = [{"role": "user", "content": "Where is it warmer?"}]
    request = {
        "tools": TOOLS,
        "max_tokens": 4000,
        "extra_body": {"reasoning": {"effort": "low", "summary": "auto"}},
    }
    counts = []
    for _ in range(ROUNDS_MAX):
        answer = ask(bourse, model, messages=messages, stream=streams, **request)
        if streams:
            answer = litellm.stream_chunk_builder(list(answer))
        message = answer.choices[0].message
        messages.append(message.model_dump(exclude_none=True))
        calls = message.tool_calls or []
        counts.append(len(calls))
        if not calls:
            break
        for call in calls:
            city = json.loads(call.function.arguments)["city"]
            messages.append({"role": "tool", "tool_call_id": call.id, "content": weather_of(city)})
    assert counts == [2, 1, 0]
    assert message.content == harness.LOOP_ENDS


def test_a_refusal_is_its_own_exception_with_our_sentence(bourse):
    rows = [
        ("acme/echo", BAD_KEY, litellm.AuthenticationError, 401, "key"),
        (UNKNOWN, None, litellm.BadRequestError, 400, UNKNOWN),
        ("acme/limited-litellm", None, litellm.RateLimitError, 429, "acme/limited-litellm"),
        ("acme/echo", bourse.poor_key, litellm.exceptions.APIError, None, "limit"),
    ]
    for model, key, error, status, sentence in rows:
        with pytest.raises(error) as told:
            ask(bourse, model, key)
        assert sentence in str(told.value), told.value
        assert status in (None, told.value.status_code)


def test_texts_become_vectors(bourse):
    answer = litellm.embedding(
        model="openrouter/acme/embed",
        input=["one", "two three"],
        api_base=bourse.base_url,
        api_key=bourse.key,
    )
    assert len(answer.data) == 2
    assert len(answer.data[0]["embedding"]) > 0

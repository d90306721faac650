"""openai-python's Responses against Bourse."""

from __future__ import annotations

import json

import openai
import pytest
from conftest import VENDOR_MODELS
from pydantic import BaseModel

import harness

ASK = "Say a few words about tides."
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather in a city",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
    "strict": False,
}


def cost_is_exact(usage) -> bool:
    return harness.usd(usage.cost) == harness.price_of(usage.input_tokens, usage.output_tokens)


@pytest.mark.parametrize("model", VENDOR_MODELS)
def test_a_response_is_answered_and_charged_exactly(bourse, client, model):
    answer = client.responses.create(model=model, input=ASK, instructions="Be brief.")
    assert answer.object == "response"
    assert answer.status == "completed"
    assert answer.id.startswith("gen-")
    assert answer.model == model
    assert answer.output_text
    assert answer.instructions == "Be brief."
    assert cost_is_exact(answer.usage)

    record = bourse.generation(answer.id)
    assert harness.usd(record["total_cost"]) == harness.usd(answer.usage.cost)
    assert record["native_tokens_prompt"] == answer.usage.input_tokens
    assert record["streamed"] is False


@pytest.mark.parametrize("model", VENDOR_MODELS)
def test_a_stream_is_gathered_into_the_response_that_ends_it(client, model):
    with client.responses.stream(model=model, input=ASK) as stream:
        events = list(stream)
        final = stream.get_final_response()
    deltas = [e.delta for e in events if e.type == "response.output_text.delta"]
    assert [e.sequence_number for e in events if hasattr(e, "sequence_number")]
    assert "".join(deltas) == final.output_text
    assert final.status == "completed"
    assert cost_is_exact(final.usage)


@pytest.mark.parametrize("model", VENDOR_MODELS)
def test_a_tool_is_called_and_its_result_leads_to_an_answer(client, model):
    first = client.responses.create(
        model=model, input=ASK, tools=[WEATHER], tool_choice="required"
    )
    [call] = [item for item in first.output if item.type == "function_call"]
    assert call.name == "get_weather"
    assert isinstance(json.loads(call.arguments)["city"], str)

    second = client.responses.create(
        model=model,
        input=[
            {"role": "user", "content": ASK},
            *[item.model_dump(exclude_none=True) for item in first.output],
            {"type": "function_call_output", "call_id": call.call_id, "output": "21"},
        ],
        tools=[WEATHER],
    )
    assert second.output_text
    assert cost_is_exact(second.usage)


def test_parallel_calls_arrive_whole_in_a_stream(client):
    with client.responses.stream(model="acme/two-tools", input=ASK, tools=[WEATHER]) as stream:
        final = stream.until_done().get_final_response()
    calls = [item for item in final.output if item.type == "function_call"]
    assert len(calls) == 2
    assert len({call.call_id for call in calls}) == 2
    assert all(json.loads(call.arguments) for call in calls)


def test_an_answer_is_parsed_into_its_class(client):
    class Capital(BaseModel):
        city: str

    answer = client.responses.parse(model="acme/echo", input=ASK, text_format=Capital)
    assert isinstance(answer.output_parsed, Capital)


def test_sealed_reasoning_is_replayed(client):
    request = {
        "model": "acme/via-openai",
        "reasoning": {"effort": "high", "summary": "auto"},
        "include": ["reasoning.encrypted_content"],
        "store": False,
    }
    first = client.responses.create(input=ASK, **request)
    [thought] = [item for item in first.output if item.type == "reasoning"]
    assert thought.encrypted_content
    assert thought.summary[0].text
    assert first.usage.output_tokens_details.reasoning_tokens > 0
    second = client.responses.create(
        input=[
            {"role": "user", "content": ASK},
            *[item.model_dump(exclude_none=True) for item in first.output],
            {"role": "user", "content": "And then?"},
        ],
        **request,
    )
    assert second.output_text


def test_a_thought_of_another_vendor_is_replayed_and_harms_nobody(client):
    first = client.responses.create(
        model="acme/via-anthropic", input=ASK, reasoning={"effort": "high"}
    )
    [thought] = [item for item in first.output if item.type == "reasoning"]
    assert thought.content[0].text
    replay = [
        {"role": "user", "content": ASK},
        *[item.model_dump(exclude_none=True) for item in first.output],
        {"role": "user", "content": "And then?"},
    ]
    for model in VENDOR_MODELS:
        assert client.responses.create(model=model, input=replay).output_text


def test_a_picture_is_shown(client):
    picture = {
        "type": "input_image",
        "detail": "auto",
        "image_url": "data:image/png;base64,iVBORw0KGgo=",
    }
    said = {"type": "input_text", "text": ASK}
    for content in ([said], [said, picture]):
        answer = client.responses.create(
            model="acme/echo", input=[{"role": "user", "content": content}]
        )
        assert answer.output_text
    refused = [{"role": "user", "content": [dict(picture, image_url="ftp://x.example/cat.png")]}]
    with pytest.raises(openai.BadRequestError) as told:
        client.responses.create(model="acme/echo", input=refused)
    assert "input: a picture or file is at an address" in told.value.message


def test_the_token_limit_is_obeyed_and_named(client):
    answer = client.responses.create(model="acme/five", input=ASK, max_output_tokens=3)
    assert answer.status == "incomplete"
    assert answer.incomplete_details.reason == "max_output_tokens"
    assert answer.usage.output_tokens == 3


def test_state_that_is_not_kept_is_refused_with_its_name(client):
    for more in ({"previous_response_id": "resp_1"}, {"store": True}, {"background": True}):
        with pytest.raises(openai.BadRequestError) as refused:
            client.responses.create(model="acme/echo", input=ASK, **more)
        assert next(iter(more)) in refused.value.message


def test_a_stream_that_breaks_ends_in_a_response_that_failed(client):
    stream = client.responses.create(model="acme/confesses-openai", input=ASK, stream=True)
    *_, last = list(stream)
    assert last.type == "response.failed"
    assert last.response.error.code == "server_error"

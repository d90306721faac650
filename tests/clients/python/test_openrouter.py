"""OpenRouter's own Python SDK against Bourse. Its pydantic models validate
every answer: a missing key is a failed test even where nothing asserts it."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
from conftest import (
    ASK,
    VENDOR_MODELS,
    WEATHER,
    cost_is_exact,
    openai_client,
    openrouter_client,
)
from openrouter import errors

import harness

CITY_SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "city",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "population": {"type": "integer"}},
            "required": ["city", "population"],
            "additionalProperties": False,
        },
    },
}


def per_token(usd_per_million) -> str:
    """A price as OpenRouter prints it: USD per token, without an exponent."""
    return format((usd_per_million / 1_000_000).normalize(), "f")


# --- Calls --------------------------------------------------------------------


@pytest.mark.parametrize("model", VENDOR_MODELS)
def test_a_call_is_answered_and_charged_exactly(router, model):
    answer = router.chat.send(model=model, messages=ASK)
    assert answer.id.startswith("gen-")
    assert answer.model == model
    assert answer.choices[0].finish_reason == "stop"
    assert answer.choices[0].message.content
    assert cost_is_exact(answer.usage)


@pytest.mark.parametrize("model", VENDOR_MODELS)
def test_a_stream_is_valid_chunk_by_chunk(router, model):
    with router.chat.send(model=model, messages=ASK, stream=True) as stream:
        chunks = list(stream)
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    usages = [c.usage for c in chunks if c.usage]
    assert text
    assert len(usages) == 1, "usage comes once, and without being asked for"
    assert cost_is_exact(usages[0])


def test_a_tool_is_called_and_its_result_leads_to_an_answer(router):
    first = router.chat.send(
        model="acme/echo", messages=ASK, tools=[WEATHER], tool_choice="required"
    )
    message = first.choices[0].message
    assert first.choices[0].finish_reason == "tool_calls"
    [call] = message.tool_calls
    assert call.function.name == "get_weather"
    assert "city" in json.loads(call.function.arguments)

    second = router.chat.send(
        model="acme/echo",
        messages=[
            *ASK,
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [c.model_dump() for c in message.tool_calls],
            },
            {"role": "tool", "tool_call_id": call.id, "content": '{"celsius": 21}'},
        ],
        tools=[WEATHER],
    )
    assert second.choices[0].message.content
    assert cost_is_exact(second.usage)


def test_parallel_tool_calls_arrive_whole_in_a_stream(router):
    arguments: dict[int, str] = {}
    with router.chat.send(
        model="acme/two-tools", messages=ASK, tools=[WEATHER], stream=True
    ) as stream:
        for chunk in stream:
            for choice in chunk.choices:
                for piece in choice.delta.tool_calls or []:
                    arguments.setdefault(piece.index, "")
                    arguments[piece.index] += piece.function.arguments or ""
    assert sorted(arguments) == [0, 1]
    assert all("city" in json.loads(text) for text in arguments.values())


def test_a_structured_answer_fits_its_schema(router):
    answer = router.chat.send(model="acme/echo", messages=ASK, response_format=CITY_SCHEMA)
    city = json.loads(answer.choices[0].message.content)
    assert isinstance(city["city"], str)
    assert isinstance(city["population"], int)


def test_reasoning_is_shown_with_details_counted_and_paid(router):
    answer = router.chat.send(model="acme/thinker", messages=ASK, reasoning={"effort": "low"})
    assert answer.choices[0].message.reasoning
    assert answer.choices[0].message.reasoning_details
    details = answer.usage.completion_tokens_details
    assert details.reasoning_tokens == harness.REASONING_TOKENS
    assert cost_is_exact(answer.usage)


def test_the_asynchronous_methods_answer_and_stream(bourse):
    async def work():
        async with openrouter_client(bourse) as own:
            whole = await own.chat.send_async(model="acme/five", messages=ASK)
            async with await own.chat.send_async(
                model="acme/five", messages=ASK, stream=True
            ) as stream:
                chunks = [chunk async for chunk in stream]
        return whole, chunks

    whole, chunks = asyncio.run(work())
    [streamed] = [c.usage for c in chunks if c.usage]
    assert cost_is_exact(whole.usage)
    assert cost_is_exact(streamed)
    assert whole.usage.completion_tokens == streamed.completion_tokens == harness.ANSWER_TOKENS


def test_an_abandoned_stream_is_cancelled_and_settled(bourse, router):
    with router.chat.send(model="acme/slow", messages=ASK, stream=True) as stream:
        first = next(iter(stream))
    record = bourse.generation(first.id)
    assert record["cancelled"] is True
    assert record["native_tokens_completion"] < harness.SLOW_TOKENS


# --- Errors -------------------------------------------------------------------


def refused(kind, client, model, **request):
    with pytest.raises(kind) as caught:
        client.chat.send(model=model, messages=ASK, **request)
    error = caught.value
    assert error.data.error.code == error.status_code
    assert error.data.error.message
    return error


def test_a_wrong_key_is_a_401(bourse):
    with openrouter_client(bourse, "sk-bourse-v1-" + "0" * 64) as wrong:
        refused(errors.UnauthorizedResponseError, wrong, "acme/echo")


def test_a_call_that_cannot_be_paid_is_a_402(bourse):
    with openrouter_client(bourse, bourse.poor_key) as poor:
        refused(errors.PaymentRequiredResponseError, poor, "acme/echo")


def test_an_unknown_model_is_a_400_that_names_it(router):
    error = refused(errors.BadRequestResponseError, router, "acme/nothing")
    assert "acme/nothing" in error.data.error.message


def test_a_rate_limit_says_when_to_come_back(router):
    error = refused(errors.TooManyRequestsResponseError, router, "acme/limited-openrouter")
    assert 0 < int(error.headers["retry-after"]) <= harness.RETRY_AFTER_SECONDS


@pytest.mark.parametrize("stream", [False, True])
def test_a_broken_upstream_is_a_typed_5xx(router, stream):
    refused(
        (
            errors.InternalServerResponseError,
            errors.BadGatewayResponseError,
            errors.ServiceUnavailableResponseError,
        ),
        router,
        "acme/broken-openrouter",
        stream=stream,
    )


@pytest.mark.parametrize("fault", ["cut", "confesses"])
def test_a_stream_that_breaks_ends_in_an_error_chunk(router, fault):
    with router.chat.send(
        model=f"acme/{fault}-openrouter", messages=ASK, stream=True
    ) as stream:
        chunks = list(stream)
    failed = [c for c in chunks if c.error]
    assert len(failed) == 1
    assert failed[0].error.message
    assert failed[0].choices[0].finish_reason == "error"
    assert chunks[0].choices[0].delta.content is not None


# --- Models, providers --------------------------------------------------------


def all_models(router):
    page = router.models.list()
    while page is not None:
        yield from page.result.data
        page = page.next()


def test_every_listed_model_is_valid_and_counted(router):
    listed = list(all_models(router))
    assert len({model.id for model in listed}) == len(listed)
    assert router.models.count().data.count == len(listed)
    [echo] = [model for model in listed if model.id == "acme/echo"]
    assert echo.context_length == harness.CONTEXT_LENGTH
    assert echo.pricing.prompt == per_token(harness.PROMPT_PRICE)
    assert echo.pricing.completion == per_token(harness.COMPLETION_PRICE)
    assert "tools" in echo.supported_parameters


def test_one_model_can_be_asked_for(router):
    model = router.models.get(author="acme", slug="echo").data
    assert model.id == "acme/echo"
    assert model.top_provider.max_completion_tokens == harness.MAX_OUTPUT


def test_an_unknown_model_page_is_a_typed_404(router):
    with pytest.raises(errors.NotFoundResponseError) as caught:
        router.models.get(author="acme", slug="nothing")
    assert caught.value.data.error.code == 404


def test_a_models_endpoints_are_listed(router):
    data = router.endpoints.list(author="acme", slug="echo").data
    assert data.id == "acme/echo"
    [endpoint] = data.endpoints
    assert endpoint.pricing.prompt == per_token(harness.PROMPT_PRICE)
    assert endpoint.context_length == harness.CONTEXT_LENGTH
    assert endpoint.max_completion_tokens == harness.MAX_OUTPUT


def test_providers_are_listed(router):
    slugs = [provider.slug for provider in router.providers.list().data]
    assert {"openai", "anthropic", "google-ai-studio"} <= set(slugs)
    assert len(slugs) == len(set(slugs))


# --- Keys, credits, generations -----------------------------------------------


def test_a_key_lives_and_dies(bourse, manager):
    made = manager.api_keys.create(name="short-lived", limit=2.5)
    assert made.key.startswith("sk-bourse-v1-")
    assert made.data.limit == 2.5
    assert made.data.limit_remaining == 2.5
    assert made.data.usage == 0

    hash_ = made.data.hash
    assert made.key not in made.data.label
    assert hash_ in [key.hash for key in manager.api_keys.list().data]
    assert manager.api_keys.get(hash=hash_).data.name == "short-lived"

    with openrouter_client(bourse, made.key) as own:
        assert own.chat.send(model="acme/five", messages=ASK).choices[0].message.content

        changed = manager.api_keys.update(hash=hash_, name="renamed", disabled=True).data
        assert changed.name == "renamed"
        assert changed.disabled is True
        with pytest.raises(errors.OpenRouterError) as caught:
            own.chat.send(model="acme/five", messages=ASK)
        assert caught.value.status_code in (401, 403)

        manager.api_keys.update(hash=hash_, disabled=False)
        assert own.chat.send(model="acme/five", messages=ASK).choices[0].message.content

        assert manager.api_keys.delete(hash=hash_).DELETED is True
        with pytest.raises(errors.UnauthorizedResponseError):
            own.chat.send(model="acme/five", messages=ASK)
    with pytest.raises(errors.NotFoundResponseError):
        manager.api_keys.get(hash=hash_)


def test_an_inference_key_cannot_manage_keys(router):
    with pytest.raises(errors.OpenRouterError) as caught:
        router.api_keys.list()
    assert caught.value.status_code in (401, 403)


def test_a_key_can_look_at_itself(router, manager):
    mine = router.api_keys.get_current_key_metadata().data
    assert mine.is_management_key is False
    assert mine.limit is None
    assert mine.usage >= 0
    assert manager.api_keys.get_current_key_metadata().data.is_management_key is True


def test_credits_fall_by_exactly_what_a_call_cost(bourse, manager):
    before = manager.credits.get_credits().data
    assert before.total_credits >= 100
    own = openai_client(bourse)
    cost = own.chat.completions.create(model="acme/echo", messages=ASK).usage.cost
    expected = harness.usd(before.total_usage) + harness.usd(cost)
    deadline = time.monotonic() + 5
    while True:
        after = manager.credits.get_credits().data
        if harness.usd(after.total_usage) == expected or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    assert harness.usd(after.total_usage) == expected
    assert after.total_credits == before.total_credits


def test_a_generation_can_be_looked_up(bourse, router):
    answer = router.chat.send(model="acme/five", messages=ASK)
    bourse.generation(answer.id)  # waits until it is recorded
    record = router.generations.get_generation(id=answer.id).data
    assert record.id == answer.id
    assert record.model == "acme/five"
    assert record.is_byok is False
    assert record.finish_reason == "stop"
    assert record.native_tokens_prompt == answer.usage.prompt_tokens
    assert record.native_tokens_completion == harness.ANSWER_TOKENS
    assert harness.usd(record.total_cost) == harness.usd(answer.usage.cost)
    assert harness.usd(record.usage) == harness.usd(answer.usage.cost)


def test_an_unknown_generation_is_a_typed_404(router):
    with pytest.raises(errors.NotFoundResponseError):
        router.generations.get_generation(id="gen-0000000000-nothing")

"""pydantic-ai against Bourse, with its models for OpenRouter, Responses and Anthropic."""

from __future__ import annotations

import asyncio
import base64

import anthropic
import openai
import pytest
from conftest import ASK, BAD_KEY, LOOP_MODELS, PICTURE, TIMEOUT_SECONDS, UNKNOWN, VENDOR_MODELS
from conftest import weather_of
from pydantic import BaseModel
from pydantic_ai import Agent, BinaryContent
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIResponsesModel
from pydantic_ai.models.openrouter import OpenRouterModel
from pydantic_ai.profiles.openai import OpenAIModelProfile
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.providers.openrouter import OpenRouterProvider

import harness


def openai_client(bourse, key):
    return openai.AsyncOpenAI(
        base_url=bourse.base_url,
        api_key=key or bourse.key,
        max_retries=0,
        timeout=TIMEOUT_SECONDS,
    )


def router(bourse, model, key=None):
    client = openai_client(bourse, key)
    return OpenRouterModel(model, provider=OpenRouterProvider(openai_client=client))


def responses(bourse, model, key=None):
    client = openai_client(bourse, key)
    # It knows OpenAI's own models to seal their thoughts, by their names.
    profile = OpenAIModelProfile(openai_supports_encrypted_reasoning_content=True)
    provider = OpenAIProvider(openai_client=client)
    return OpenAIResponsesModel(model, provider=provider, profile=profile)


def claude(bourse, model, key=None):
    client = anthropic.AsyncAnthropic(
        base_url=bourse.root,
        api_key=key or bourse.key,
        max_retries=0,
        timeout=TIMEOUT_SECONDS,
    )
    return AnthropicModel(model, provider=AnthropicProvider(anthropic_client=client))


KINDS = [router, responses, claude]
THINKING = {
    router: {"openrouter_reasoning": {"effort": "low"}},
    responses: {"openai_reasoning_effort": "low", "openai_reasoning_summary": "auto"},
    claude: {"anthropic_thinking": {"type": "enabled", "budget_tokens": 1024}},
}


class City(BaseModel):
    city: str
    population: int


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", VENDOR_MODELS)
def test_a_question_is_answered(bourse, kind, model):
    result = Agent(kind(bourse, model)).run_sync(ASK)
    assert result.output
    assert result.usage.input_tokens > 0


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_is_streamed_a_picture_shown_and_an_object_comes_back(bourse, kind):
    async def pieces():
        async with Agent(kind(bourse, "acme/echo")).run_stream(ASK) as result:
            return [piece async for piece in result.stream_text(delta=True, debounce_by=None)]

    assert len(asyncio.run(pieces())) > 1
    picture = BinaryContent(base64.b64decode(PICTURE), media_type="image/png")
    assert Agent(kind(bourse, "acme/echo")).run_sync([ASK, picture]).output
    made = Agent(kind(bourse, "acme/echo"), output_type=City).run_sync(ASK)
    assert isinstance(made.output, City)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", LOOP_MODELS)
def test_an_agent_calls_tools_until_there_is_an_answer(bourse, kind, model):
    agent = Agent(kind(bourse, model), model_settings={"max_tokens": 4000, **THINKING[kind]})
    seen = []

    @agent.tool_plain
    def get_weather(city: str) -> str:
        seen.append(("get_weather", city))
        return weather_of(city)

    @agent.tool_plain
    def show_map(city: str) -> BinaryContent:
        seen.append(("show_map", city))
        return BinaryContent(base64.b64decode(PICTURE), media_type="image/png")

    result = agent.run_sync("Where is it warmer?")
    assert result.output == harness.LOOP_ENDS
    assert sorted(seen[:2]) == [("get_weather", "Oslo"), ("get_weather", "Paris")]
    assert seen[2:] == [("show_map", "Paris")]


@pytest.mark.parametrize("kind", KINDS)
def test_a_refusal_is_its_own_exception_with_our_sentence(bourse, kind):
    rows = [
        ("acme/echo", BAD_KEY, (401,), "key"),
        ("acme/echo", bourse.poor_key, (402, 403), "limit"),
        (UNKNOWN, None, (400, 404), UNKNOWN),
        ("acme/limited-pydantic-ai", None, (429,), "acme/limited-pydantic-ai"),
    ]
    for model, key, statuses, sentence in rows:
        with pytest.raises(ModelHTTPError) as told:
            Agent(kind(bourse, model, key)).run_sync(ASK)
        assert told.value.status_code in statuses
        assert sentence in str(told.value.body), told.value.body

"""google-genai against Bourse: any model behind Google's API."""

from __future__ import annotations

import asyncio
import base64

import httpx
import pytest
from conftest import VENDOR_MODELS, google_client
from google.genai import errors, types
from pydantic import BaseModel

import harness

ASK = "Say a few words about tides."
WEATHER = types.FunctionDeclaration(
    name="get_weather",
    description="The weather in a city",
    parameters_json_schema={
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
)
# One pixel.
PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c49444154789c63606060000000040001f61738550000000049454e44ae426082"
)


class City(BaseModel):
    city: str
    population: int


def config(**members) -> types.GenerateContentConfig:
    return types.GenerateContentConfig(**{"max_output_tokens": 200, **members})


def completion(usage) -> int:
    return (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)


def assert_charged_exactly(bourse, response) -> None:
    """The record has the counts that were told, at the tests' prices."""
    usage = response.usage_metadata
    record = bourse.generation(response.response_id)
    assert record["native_tokens_prompt"] == usage.prompt_token_count
    assert record["native_tokens_completion"] == completion(usage)
    assert usage.total_token_count == usage.prompt_token_count + completion(usage)
    due = harness.price_of(usage.prompt_token_count, completion(usage))
    assert harness.usd(record["total_cost"]) == due


@pytest.mark.parametrize("base", ["", "/api"])
@pytest.mark.parametrize("model", VENDOR_MODELS)
def test_an_answer_is_given_and_charged_exactly(bourse, model, base):
    with google_client(bourse, base=base) as google:
        response = google.models.generate_content(model=model, contents=ASK, config=config())
    assert response.response_id.startswith("gen-")
    assert response.sdk_http_response.headers["x-generation-id"] == response.response_id
    assert response.model_version == model
    assert response.candidates[0].finish_reason == types.FinishReason.STOP
    assert response.text
    assert_charged_exactly(bourse, response)


@pytest.mark.parametrize("model", VENDOR_MODELS)
def test_a_stream_is_the_answer_in_pieces(bourse, google, model):
    chunks = list(
        google.models.generate_content_stream(model=model, contents=ASK, config=config())
    )
    assert len(chunks) > 1
    assert {chunk.response_id for chunk in chunks} == {chunks[0].response_id}
    assert "".join(chunk.text or "" for chunk in chunks)
    reasons = [chunk.candidates[0].finish_reason for chunk in chunks]
    assert reasons[:-1] == [None] * (len(chunks) - 1)
    assert reasons[-1] == types.FinishReason.STOP
    assert_charged_exactly(bourse, chunks[-1])
    assert bourse.generation(chunks[0].response_id)["streamed"] is True


@pytest.mark.parametrize("model", VENDOR_MODELS)
def test_the_limit_is_obeyed_and_named(google, model):
    response = google.models.generate_content(
        model=model, contents=ASK, config=config(max_output_tokens=3)
    )
    assert response.candidates[0].finish_reason == types.FinishReason.MAX_TOKENS
    assert completion(response.usage_metadata) == 3


@pytest.mark.parametrize("model", VENDOR_MODELS)
def test_a_chat_calls_a_tool_and_its_result_leads_to_an_answer(google, model):
    tools = [types.Tool(function_declarations=[WEATHER])]
    must = types.ToolConfig(function_calling_config=types.FunctionCallingConfig(mode="ANY"))
    thinking = types.ThinkingConfig(include_thoughts=True)
    for streams in (False, True):
        chat = google.chats.create(model=model, config=config(max_output_tokens=4000))
        asked = config(
            tools=tools, tool_config=must, thinking_config=thinking, max_output_tokens=4000
        )
        if streams:
            chunks = list(chat.send_message_stream(ASK, config=asked))
            [call] = [call for chunk in chunks for call in chunk.function_calls or []]
        else:
            [call] = chat.send_message(ASK, config=asked).function_calls
        assert call.name == "get_weather"
        assert isinstance(call.args["city"], str)
        # The SDK forgets a turn that it takes for broken.
        assert len(chat.get_history(curated=True)) > 1
        result = types.Part(
            function_response=types.FunctionResponse(
                id=call.id, name=call.name, response={"celsius": 21}
            )
        )
        follow = config(tools=tools, thinking_config=thinking, max_output_tokens=4000)
        if streams:
            last = list(chat.send_message_stream([result], config=follow))[-1]
        else:
            last = chat.send_message([result], config=follow)
        assert last.candidates[0].finish_reason == types.FinishReason.STOP
        assert not last.function_calls


def test_parallel_calls_arrive_together(google):
    tools = [types.Tool(function_declarations=[WEATHER])]
    response = google.models.generate_content(
        model="acme/two-tools", contents=ASK, config=config(tools=tools)
    )
    assert len({call.id for call in response.function_calls}) == 2


def test_thoughts_are_told_apart_and_only_on_request(google):
    def thoughts(**thinking):
        response = google.models.generate_content(
            model="acme/thinker",
            contents=ASK,
            config=config(thinking_config=types.ThinkingConfig(**thinking)),
        )
        assert response.usage_metadata.thoughts_token_count == harness.REASONING_TOKENS
        return [part for part in response.candidates[0].content.parts if part.thought]

    assert thoughts(include_thoughts=True)[0].text
    assert thoughts() == []


@pytest.mark.parametrize("model", VENDOR_MODELS)
def test_an_answer_follows_a_schema(google, model):
    response = google.models.generate_content(
        model=model,
        contents=ASK,
        config=config(
            max_output_tokens=1000, response_mime_type="application/json", response_schema=City
        ),
    )
    assert isinstance(response.parsed, City), response.text


@pytest.mark.parametrize("model", VENDOR_MODELS)
def test_a_picture_is_shown(google, model):
    picture = types.Part.from_bytes(data=PICTURE, mime_type="image/png")
    response = google.models.generate_content(
        model=model,
        contents=["What is this?", picture],
        config=config(system_instruction="Be brief.", temperature=0.5, seed=7),
    )
    assert response.text


@pytest.mark.parametrize("model", ["acme/embed", "acme/embed-via-google"])
def test_texts_become_vectors(google, model):
    one = google.models.embed_content(model=model, contents="one two three")
    assert len(one.embeddings) == 1
    several = google.models.embed_content(
        model=model,
        contents=["one", "two three"],
        config=types.EmbedContentConfig(
            task_type="RETRIEVAL_DOCUMENT", output_dimensionality=8
        ),
    )
    assert [len(vector.values) for vector in several.embeddings] == [8, 8]


def test_tokens_are_counted(google):
    few = google.models.count_tokens(model="acme/echo", contents="Hello there")
    many = google.models.count_tokens(model="acme/echo", contents="word " * 4000)
    assert 0 < few.total_tokens < 40 < 4000 <= many.total_tokens < 6000


def test_models_are_listed_and_shown(google):
    names = [model.name for model in google.models.list(config={"page_size": 3})]
    assert len(names) == len(set(names))
    assert "models/acme/echo" in names and "models/acme/embed" in names
    echo = google.models.get(model="acme/echo")
    assert echo.name == "models/acme/echo"
    assert echo.input_token_limit == harness.CONTEXT_LENGTH
    assert echo.output_token_limit == harness.MAX_OUTPUT
    assert "generateContent" in echo.supported_actions
    embed = google.models.get(model="models/acme/embed")
    assert "embedContent" in embed.supported_actions


def test_an_error_has_googles_shape(bourse, google):
    def failed(model="acme/echo", key=None, **members):
        with pytest.raises(errors.APIError) as raised:
            if key:
                with google_client(bourse, key) as other:
                    other.models.generate_content(model=model, contents=ASK, config=config())
            else:
                google.models.generate_content(
                    model=model, contents=ASK, config=config(**members)
                )
        return raised.value.code, raised.value.status

    assert failed(key="sk-bourse-v1-nonsense") == (401, "UNAUTHENTICATED")
    assert failed(key=bourse.poor_key)[0] == 402
    assert failed(model="acme/none") == (400, "INVALID_ARGUMENT")
    assert failed(tools=[types.Tool(google_search=types.GoogleSearch())])[0] == 400
    assert failed(model="acme/limited-google") == (429, "RESOURCE_EXHAUSTED")
    assert failed(model="acme/broken-google") == (502, "UNAVAILABLE")


@pytest.mark.parametrize("model", ["acme/cut-google", "acme/confesses-google"])
def test_a_stream_that_breaks_raises(google, model):
    chunks = google.models.generate_content_stream(model=model, contents=ASK, config=config())
    text = ""
    with pytest.raises(errors.ServerError) as raised:
        for chunk in chunks:
            text += chunk.text or ""
    assert text
    assert raised.value.code == 502


def test_the_asynchronous_client_is_answered_too(bourse):
    async def ask() -> tuple[str, str]:
        google = google_client(bourse).aio
        whole = await google.models.generate_content(
            model="acme/echo", contents=ASK, config=config()
        )
        stream = await google.models.generate_content_stream(
            model="acme/via-anthropic", contents=ASK, config=config()
        )
        return whole.text, "".join([chunk.text or "" async for chunk in stream])

    assert all(asyncio.run(ask()))


def test_without_events_a_stream_is_one_array(bourse):
    reply = httpx.post(
        f"{bourse.root}/v1beta/models/acme/echo:streamGenerateContent",
        headers={"x-goog-api-key": bourse.key},
        json={
            "contents": [{"parts": [{"text": ASK}]}],
            "generationConfig": {"maxOutputTokens": 50},
        },
        timeout=10,
        trust_env=False,
    )
    assert reply.headers["content-type"] == "application/json"
    last = reply.json()[-1]
    assert last["candidates"][0]["finishReason"] == "STOP"
    usage = last["usageMetadata"]
    completion_tokens = usage["candidatesTokenCount"] + usage.get("thoughtsTokenCount", 0)
    due = harness.price_of(usage["promptTokenCount"], completion_tokens)
    assert harness.usd(usage["cost"]) == due


def test_a_signature_of_another_vendor_survives_the_sdk(google):
    """Signatures are bytes there, and come back in another alphabet."""
    chat = google.chats.create(model="acme/via-anthropic")
    thinking = config(
        thinking_config=types.ThinkingConfig(thinking_budget=1024, include_thoughts=True),
        max_output_tokens=4000,
    )
    first = chat.send_message(ASK, config=thinking)
    seals = [part.thought_signature for part in first.candidates[0].content.parts if part.thought]
    assert seals and all(seal.startswith(b"bourse:t:anthropic") for seal in seals)
    replayed = base64.urlsafe_b64encode(seals[0]).decode()
    history = chat.get_history(curated=True)
    assert replayed in str([content.model_dump(mode="json") for content in history])
    assert chat.send_message("Go on.", config=thinking).text

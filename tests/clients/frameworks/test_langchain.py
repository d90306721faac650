"""langchain-openai and langchain-anthropic against Bourse."""

from __future__ import annotations

import anthropic
import openai
import pytest
from conftest import ASK, BAD_KEY, LOOP_MODELS, PICTURE, TIMEOUT_SECONDS, UNKNOWN, VENDOR_MODELS
from conftest import weather_of
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel

import harness

ROUNDS_MAX = 4


class City(BaseModel):
    """A city."""

    name: str
    population: int


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return weather_of(city)


@tool
def show_map(city: str) -> list:
    """A map of a city, as a picture."""
    return [{"type": "text", "text": f"The map of {city}:"}]


TOOLS = {one.name: one for one in (get_weather, show_map)}


def chat(bourse, model, key=None, **more):
    return ChatOpenAI(
        base_url=bourse.base_url,
        api_key=key or bourse.key,
        model=model,
        max_retries=0,
        timeout=TIMEOUT_SECONDS,
        **more,
    )


def responses(bourse, model, key=None, **more):
    return chat(bourse, model, key, use_responses_api=True, **more)


def claude(bourse, model, key=None, **more):
    return ChatAnthropic(
        base_url=bourse.root,
        api_key=key or bourse.key,
        model=model,
        max_retries=0,
        max_tokens=more.pop("max_tokens", 500),
        timeout=TIMEOUT_SECONDS,
        **more,
    )


KINDS = [chat, responses, claude]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", VENDOR_MODELS)
def test_a_question_is_answered_whole_and_streamed(bourse, kind, model):
    llm = kind(bourse, model)
    answer = llm.invoke(ASK)
    assert answer.text
    assert answer.usage_metadata["input_tokens"] > 0
    chunks = list(llm.stream(ASK))
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    assert len(chunks) > 2 and whole.text
    assert whole.usage_metadata["output_tokens"] > 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_is_shown_and_an_object_comes_back(bourse, kind):
    llm = kind(bourse, "acme/echo")
    picture = {"type": "image", "base64": PICTURE, "mime_type": "image/png"}
    message = HumanMessage(content=[{"type": "text", "text": ASK}, picture])
    assert llm.invoke([message]).text
    city = llm.with_structured_output(City).invoke(ASK)
    assert isinstance(city, City)


def thinking_of(kind):
    if kind is claude:
        return {"max_tokens": 4000, "thinking": {"type": "enabled", "budget_tokens": 1024}}
    if kind is responses:
        return {
            "reasoning": {"effort": "low", "summary": "auto"},
            "include": ["reasoning.encrypted_content"],
            "store": False,
            "max_tokens": 4000,
        }
    return {"extra_body": {"reasoning": {"effort": "low"}}, "max_tokens": 4000}


# langchain-openai keeps no thoughts of Chat Completions, so these are asked
# where none have to come back.
@pytest.mark.parametrize(
    ("kind", "model"),
    [(kind, model) for kind in (claude, responses) for model in LOOP_MODELS],
)
@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
def test_tools_are_called_until_there_is_an_answer(bourse, kind, model, streams):
    llm = kind(bourse, model, **thinking_of(kind)).bind_tools(list(TOOLS.values()))
    messages: list = [HumanMessage("Where is it warmer?")]
    counts = []
    for _ in range(ROUNDS_MAX):
        if streams:
            chunks = list(llm.stream(messages))
            answer = chunks[0]
            for chunk in chunks[1:]:
                answer += chunk
        else:
            answer = llm.invoke(messages)
        messages.append(answer)
        counts.append(len(answer.tool_calls))
        if not answer.tool_calls:
            break
        messages += [TOOLS[call["name"]].invoke(call) for call in answer.tool_calls]
    assert all(isinstance(m, ToolMessage) for m in (messages[2], messages[3], messages[5]))
    assert counts == [2, 1, 0]
    assert harness.LOOP_ENDS in messages[-1].text


@pytest.mark.parametrize("kind", KINDS)
def test_a_refusal_is_the_sdks_own_exception_with_our_sentence(bourse, kind):
    sdk = anthropic if kind is claude else openai
    rows = [
        (kind(bourse, "acme/echo", BAD_KEY), sdk.AuthenticationError, "key"),
        (kind(bourse, UNKNOWN), (sdk.BadRequestError, sdk.NotFoundError), UNKNOWN),
        (kind(bourse, "acme/limited-langchain"), sdk.RateLimitError, "acme/limited-langchain"),
    ]
    for llm, error, sentence in rows:
        with pytest.raises(error) as told:
            llm.invoke(ASK)
        assert sentence in str(told.value), told.value
    with pytest.raises(sdk.APIStatusError) as told:
        kind(bourse, "acme/echo", bourse.poor_key).invoke(ASK)
    assert told.value.status_code in (402, 403)


def test_texts_become_vectors(bourse):
    # Counting tokens by itself would need a file from elsewhere.
    embed = OpenAIEmbeddings(
        base_url=bourse.base_url,
        api_key=bourse.key,
        model="acme/embed",
        check_embedding_ctx_length=False,
    )
    vectors = embed.embed_documents(["one", "two three"])
    assert len(vectors) == 2 and len(vectors[0]) == len(vectors[1]) > 0

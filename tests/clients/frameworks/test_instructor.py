"""instructor against Bourse, around OpenAI's and Anthropic's SDKs."""

from __future__ import annotations

import anthropic
import instructor
import openai
import pytest
from conftest import ASK, BAD_KEY, TIMEOUT_SECONDS, UNKNOWN, VENDOR_MODELS
from instructor.core.exceptions import InstructorRetryException
from pydantic import BaseModel


class City(BaseModel):
    """A city."""

    city: str
    population: int


def chat(bourse, key=None, mode=instructor.Mode.TOOLS):
    client = openai.OpenAI(
        base_url=bourse.base_url,
        api_key=key or bourse.key,
        max_retries=0,
        timeout=TIMEOUT_SECONDS,
    )
    return instructor.from_openai(client, mode=mode)


def claude(bourse, key=None):
    client = anthropic.Anthropic(
        base_url=bourse.root,
        api_key=key or bourse.key,
        max_retries=0,
        timeout=TIMEOUT_SECONDS,
    )
    return instructor.from_anthropic(client)


def make(client, model, response_model=City):
    return client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": ASK}],
        response_model=response_model,
        max_retries=0,
        max_tokens=500,
    )


@pytest.mark.parametrize("kind", [chat, claude])
@pytest.mark.parametrize("model", VENDOR_MODELS)
def test_an_object_is_made_of_a_tools_arguments(bourse, kind, model):
    assert isinstance(make(kind(bourse), model), City)


@pytest.mark.parametrize("mode", [instructor.Mode.JSON, instructor.Mode.JSON_SCHEMA])
def test_an_object_is_made_of_a_text(bourse, mode):
    client = chat(bourse, mode=mode)
    # Any JSON is an object of no members.
    response_model = City if mode is instructor.Mode.JSON_SCHEMA else type("Any", (BaseModel,), {})
    assert make(client, "acme/echo", response_model)


def test_an_object_is_made_piece_by_piece(bourse):
    pieces = list(
        chat(bourse).chat.completions.create_partial(
            model="acme/echo",
            messages=[{"role": "user", "content": ASK}],
            response_model=City,
            max_retries=0,
        )
    )
    assert isinstance(pieces[-1].population, int)


@pytest.mark.parametrize("kind", [chat, claude])
def test_a_refusal_keeps_the_sdks_exception_and_our_sentence(bourse, kind):
    rows = [
        ("acme/echo", BAD_KEY, "key"),
        ("acme/echo", bourse.poor_key, "limit"),
        (UNKNOWN, None, UNKNOWN),
        ("acme/limited-instructor", None, "acme/limited-instructor"),
    ]
    for model, key, sentence in rows:
        with pytest.raises(
            (InstructorRetryException, openai.APIStatusError, anthropic.APIStatusError)
        ) as told:
            make(kind(bourse, key), model)
        assert sentence in str(told.value), told.value

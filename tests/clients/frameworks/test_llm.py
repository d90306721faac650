"""`llm` with its OpenRouter plugin against Bourse.

The plugin's address is fixed in it. It reads the list of models from a file
that it keeps, and each of its models has the address as a member: so the file
is Bourse's own list here, and the member says where Bourse is.
"""

from __future__ import annotations

import base64
import json
import os

import httpx
import pytest
from conftest import ASK, BAD_KEY, PICTURE, UNKNOWN, VENDOR_MODELS
from conftest import weather_of

import harness


@pytest.fixture(scope="module")
def model_of(bourse, tmp_path_factory):
    directory = tmp_path_factory.mktemp("llm")
    os.environ["LLM_USER_PATH"] = str(directory)
    models = httpx.get(f"{bourse.base_url}/models", trust_env=False).json()["data"]
    ours = [model for model in models if model["id"].startswith("acme/")]
    (directory / "openrouter_models.json").write_text(json.dumps({"data": ours}))
    keys = {"openrouter": bourse.key}
    (directory / "keys.json").write_text(json.dumps(keys))

    import llm

    def model(slug: str):
        found = llm.get_model(f"openrouter/{slug}")
        found.api_base = bourse.base_url
        return found

    return model


@pytest.mark.parametrize("chats", [False, True], ids=["responses", "chat"])
@pytest.mark.parametrize("slug", VENDOR_MODELS)
def test_a_question_is_answered_whole_and_streamed(model_of, slug, chats):
    options = {"chat_completions": True} if chats else {}
    assert model_of(slug).prompt(ASK, stream=False, **options).text()
    pieces = list(model_of(slug).prompt(ASK, stream=True, **options))
    assert len(pieces) > 1


def test_an_object_comes_back_and_a_picture_is_shown(model_of):
    import llm

    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    told = model_of("acme/echo").prompt(ASK, schema=schema, stream=False).text()
    assert isinstance(json.loads(told)["city"], str)
    picture = llm.Attachment(type="image/png", content=base64.b64decode(PICTURE))
    assert model_of("acme/echo").prompt(ASK, attachments=[picture], stream=False).text()


@pytest.mark.parametrize("name", harness.LOOP_MODELS)
def test_a_chain_calls_tools_until_there_is_an_answer(model_of, name):
    seen = []

    def get_weather(city: str) -> str:
        """The weather in a city."""
        seen.append(city)
        return weather_of(city)

    def show_map(city: str) -> str:
        """A map of a city."""
        seen.append(city)
        return "a map"

    chain = model_of(f"acme/loop-{name}").chain(
        "Where is it warmer?", tools=[get_weather, show_map], stream=False
    )
    assert chain.text().endswith(harness.LOOP_ENDS)
    assert sorted(seen) == ["Oslo", "Paris", "Paris"]


def test_a_refusal_has_our_sentence(bourse, model_of):
    for slug, key, sentence in (
        ("acme/echo", BAD_KEY, "key"),
        ("acme/echo", bourse.poor_key, "limit"),
        ("acme/limited-llm", None, "acme/limited-llm"),
    ):
        with pytest.raises(Exception) as told:  # noqa: PT011 - it has no class of its own
            model_of(slug).prompt(ASK, stream=False, key=key).text()
        assert sentence in str(told.value), told.value


def test_a_model_that_the_list_has_not_is_unknown(model_of):
    import llm

    with pytest.raises(llm.UnknownModelError):
        model_of(UNKNOWN)

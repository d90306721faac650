"""openai-python asks Bourse for pictures."""

from __future__ import annotations

import base64

import openai
import pytest

import harness

MODELS = list(harness.IMAGE_MODELS)


@pytest.mark.parametrize("model", MODELS)
def test_pictures_come_decoded_and_cost_what_came(bourse, client, model):
    raw = client.images.with_raw_response.generate(model=model, prompt="a red cat", n=2)
    reply = raw.parse()
    assert reply.created > 0
    assert len(reply.data) == 2
    for picture in reply.data:
        assert base64.b64decode(picture.b64_json).startswith(b"\x89PNG")
    assert reply.usage.total_tokens == reply.usage.input_tokens + reply.usage.output_tokens
    assert harness.usd(reply.usage.cost) == 2 * harness.usd(harness.PICTURE_PRICE)
    record = bourse.generation(raw.headers["x-generation-id"])
    assert record["api_type"] == "image"
    assert record["num_media_completion"] == 2
    assert harness.usd(record["total_cost"]) == 2 * harness.usd(harness.PICTURE_PRICE)


def test_openai_s_words_are_taken_and_what_made_the_picture_is_told(client):
    reply = client.images.generate(
        model="acme/draw",
        prompt="a red cat",
        size="1024x1024",
        quality="low",
        background="transparent",
        output_format="png",
        moderation="low",
        user="alice",
    )
    assert len(reply.data) == 1
    assert (reply.size, reply.quality, reply.output_format) == ("1024x1024", "low", "png")


@pytest.mark.parametrize(
    ("more", "field"),
    [({"n": 11}, "n: "), ({"size": "huge"}, "size: "), ({"stream": True}, "stream: ")],
)
def test_what_cannot_be_asked_is_a_bad_request_that_names_it(client, more, field):
    with pytest.raises(openai.BadRequestError) as refused:
        client.images.generate(model="acme/draw", prompt="a red cat", **more)
    assert refused.value.body["message"].startswith(field)

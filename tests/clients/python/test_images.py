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
    [({"n": 11}, "n: "), ({"size": "huge"}, "size: "), ({"stream": True, "n": 2}, "n: ")],
)
def test_what_cannot_be_asked_is_a_bad_request_that_names_it(client, more, field):
    with pytest.raises(openai.BadRequestError) as refused:
        client.images.generate(model="acme/draw", prompt="a red cat", **more)
    assert refused.value.body["message"].startswith(field)


PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def test_pictures_are_changed(bourse, client):
    given = [("cat.png", PNG, "image/png"), ("dog.png", PNG, "image/png")]
    raw = client.images.with_raw_response.edit(
        model="acme/draw",
        image=given,
        mask=("mask.png", PNG, "image/png"),
        prompt="a red cat",
        n=2,
        quality="low",
    )
    reply = raw.parse()
    assert len(reply.data) == 2
    assert reply.usage.input_tokens_details.image_tokens > 0
    assert harness.usd(reply.usage.cost) == 2 * harness.usd(harness.PICTURE_PRICE)
    assert bourse.generation(raw.headers["x-generation-id"])["api_type"] == "image"
    one = client.images.edit(model="acme/draw", image=("cat.png", PNG), prompt="a red cat")
    assert base64.b64decode(one.data[0].b64_json).startswith(b"\x89PNG")


def test_what_is_no_picture_is_a_bad_request_that_names_it(client):
    for image in [b"", b"GIF89a"]:
        with pytest.raises(openai.BadRequestError) as refused:
            client.images.edit(model="acme/draw", image=("cat.png", image), prompt="a red cat")
        assert refused.value.body["message"].startswith("image: ")


@pytest.mark.parametrize("is_edit", [False, True])
def test_a_picture_is_streamed_with_its_beginnings(client, is_edit):
    more = {"stream": True, "partial_images": 2}
    if is_edit:
        stream = client.images.edit(model="acme/draw", image=("a.png", PNG), prompt="a cat", **more)
        kind = "image_edit"
    else:
        stream = client.images.generate(model="acme/draw", prompt="a red cat", **more)
        kind = "image_generation"
    events = list(stream)
    kinds = [event.type for event in events]
    assert kinds == [f"{kind}.partial_image"] * 2 + [f"{kind}.completed"]
    assert [event.partial_image_index for event in events[:2]] == [0, 1]
    assert harness.usd(events[2].usage.cost) == harness.usd(harness.PICTURE_PRICE)

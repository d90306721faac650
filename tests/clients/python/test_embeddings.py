"""openai-python asks Bourse for vectors."""

from __future__ import annotations

import base64
import struct

import openai
import pytest

import harness

MODELS = list(harness.EMBEDDING_MODELS)
TEXTS = ["one two three", "tides"]


def floats(text: str) -> list[float]:
    """Vectors in base64 are 32-bit floats, the lowest byte first."""
    raw = base64.b64decode(text)
    return list(struct.unpack(f"<{len(raw) // 4}f", raw))


@pytest.mark.parametrize("model", MODELS)
def test_vectors_come_decoded_and_are_charged_exactly(bourse, client, model):
    # Without a format this library asks for base64 and decodes it.
    raw = client.embeddings.with_raw_response.create(model=model, input=TEXTS)
    reply = raw.parse()
    assert reply.object == "list"
    assert reply.model == model
    assert [item.index for item in reply.data] == [0, 1]
    assert all(item.object == "embedding" for item in reply.data)
    assert all(isinstance(number, float) for item in reply.data for number in item.embedding)
    assert len({len(item.embedding) for item in reply.data}) == 1
    assert reply.usage.prompt_tokens == reply.usage.total_tokens == 4
    assert harness.usd(reply.usage.cost) == harness.price_of(4, 0)
    record = bourse.generation(raw.headers["x-generation-id"])
    assert record["api_type"] == "embeddings"
    assert record["native_tokens_prompt"] == 4
    assert harness.usd(record["total_cost"]) == harness.usd(reply.usage.cost)


@pytest.mark.parametrize("model", MODELS)
def test_numbers_and_base64_are_the_same_vector_bit_by_bit(client, model):
    ask = {"model": model, "input": TEXTS, "dimensions": 16}
    numbers = client.embeddings.create(encoding_format="float", **ask)
    encoded = client.embeddings.create(encoding_format="base64", **ask)
    for as_numbers, in_base64 in zip(numbers.data, encoded.data, strict=True):
        assert len(as_numbers.embedding) == 16
        told = struct.pack("<16f", *as_numbers.embedding)
        assert list(struct.unpack("<16f", told)) == floats(in_base64.embedding)


def test_a_batch_has_the_vectors_that_its_texts_have_alone(client):
    batch = client.embeddings.create(model="acme/embed", input=TEXTS, dimensions=8)
    for text, item in zip(TEXTS, batch.data, strict=True):
        alone = client.embeddings.create(model="acme/embed", input=text, dimensions=8)
        assert alone.data[0].embedding == item.embedding


def test_a_hundred_inputs_and_tokens_are_counted(client):
    hundred = client.embeddings.create(model="acme/embed", input=["one two"] * 100)
    assert len(hundred.data) == 100
    assert hundred.usage.prompt_tokens == 200
    tokens = client.embeddings.create(model="acme/embed", input=[1, 2, 3])
    assert (len(tokens.data), tokens.usage.prompt_tokens) == (1, 3)
    several = client.embeddings.create(model="acme/embed", input=[[1, 2], [3]])
    assert (len(several.data), several.usage.prompt_tokens) == (2, 3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"input": ""},
        {"input": []},
        {"input": ["a"] * 2049},
        {"input": "a", "dimensions": 0},
        {"input": "a", "model": "acme/echo"},
        {"input": "a", "model": "no/such"},
    ],
)
def test_what_is_wrong_is_refused_with_a_sentence(client, wrong):
    with pytest.raises(openai.BadRequestError) as refused:
        client.embeddings.create(**{"model": "acme/embed", **wrong})
    assert refused.value.body["code"] == 400
    assert refused.value.body["message"]


def test_a_bad_key_is_refused(bourse, client):
    other = client.with_options(api_key="sk-or-v1-" + "0" * 64)
    with pytest.raises(openai.AuthenticationError):
        other.embeddings.create(model="acme/embed", input="a")


def test_what_makes_vectors_is_in_a_list_of_its_own(bourse):
    rows = bourse.get("/embeddings/models").json()["data"]
    ids = {row["id"] for row in rows}
    assert set(MODELS) <= ids
    assert all("embeddings" in row["architecture"]["output_modalities"] for row in rows)
    assert not ids & {row["id"] for row in bourse.get("/models").json()["data"]}

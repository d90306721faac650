"""openai-python talks with a model over a WebSocket, through Bourse."""

from __future__ import annotations

import asyncio
import base64
from decimal import ROUND_CEILING, Decimal

import openai
import pytest
import websockets

import harness
from conftest import TIMEOUT_SECONDS, openai_client

NANO = Decimal("0.000000001")


def worth(usage) -> Decimal:
    """What an answer costs, each kind of token in a line of its own."""
    given, made = usage.input_token_details, usage.output_token_details
    cached = given.cached_tokens_details
    lines = {
        "prompt": given.text_tokens - cached.text_tokens,
        "cache_read": cached.text_tokens,
        "audio": given.audio_tokens - cached.audio_tokens,
        "cache_read_audio": cached.audio_tokens,
        "completion": made.text_tokens,
        "audio_output": made.audio_tokens,
    }
    total = Decimal(0)
    for name, tokens in lines.items():
        line = tokens * Decimal(harness.REALTIME_PRICES[name]) / 1_000_000
        total += line.quantize(NANO, rounding=ROUND_CEILING)
    return total


def until(connection, kind: str):
    for event in connection:
        assert event.type != "error", event
        if event.type == kind:
            return event
    raise AssertionError(f"no {kind}")


def written(text: str) -> dict:
    content = [{"type": "input_text", "text": text}]
    return {"type": "message", "role": "user", "content": content}


def test_a_written_conversation(bourse, client):
    with client.realtime.connect(model=harness.REALTIME_MODEL) as connection:
        until(connection, "session.created")
        connection.session.update(
            session={
                "type": "realtime",
                "output_modalities": ["text"],
                "audio": {"input": {"turn_detection": None}},
            }
        )
        updated = until(connection, "session.updated")
        assert updated.session.output_modalities == ["text"]
        for turn in range(2):
            connection.conversation.item.create(item=written("Say a few words about tides."))
            connection.response.create()
            said = ""
            for event in connection:
                assert event.type != "error", event
                if event.type == "response.output_text.delta":
                    said += event.delta
                if event.type == "response.done":
                    break
            response = event.response
            assert response.status == "completed"
            assert response.output[0].content[0].text == said != ""
            assert harness.usd(event.cost) == worth(response.usage)
            record = bourse.generation(event.generation_id)
            assert record["api_type"] == "realtime"
            assert record["native_tokens_prompt"] == response.usage.input_tokens
            assert harness.usd(record["total_cost"]) == worth(response.usage)
            assert (response.usage.input_token_details.cached_tokens > 0) == (turn > 0)


def test_a_spoken_conversation_is_answered_when_the_speaker_is_silent(client):
    with client.realtime.connect(model=harness.REALTIME_MODEL) as connection:
        speech = base64.b64encode(b"\x09" * 48_000).decode()
        silence = base64.b64encode(b"\x00" * 28_800).decode()
        connection.input_audio_buffer.append(audio=speech)
        connection.input_audio_buffer.append(audio=silence)
        until(connection, "input_audio_buffer.speech_stopped")
        until(connection, "response.created")
        assert base64.b64decode(until(connection, "response.output_audio.delta").delta)
        done = until(connection, "response.done")
        assert done.response.usage.input_token_details.audio_tokens > 0
        assert harness.usd(done.cost) == worth(done.response.usage)


def test_the_asynchronous_client_by_an_address_of_its_own(bourse):
    async def talk():
        base = bourse.root.replace("http://", "ws://") + "/v1"
        client = openai.AsyncOpenAI(
            base_url="http://127.0.0.1:9/nowhere",
            websocket_base_url=base,
            api_key=bourse.key,
            timeout=TIMEOUT_SECONDS,
        )
        async with client.realtime.connect(model=harness.REALTIME_MODEL) as connection:
            await connection.response.create(response={"max_output_tokens": 3})
            async for event in connection:
                if event.type == "response.done":
                    return event.response

    response = asyncio.run(talk())
    assert response.status == "incomplete"
    assert response.status_details.reason == "max_output_tokens"
    assert response.usage.output_tokens == 3


def test_refusals_come_before_the_connection_or_as_events(bourse, client):
    stranger = openai_client(bourse, "sk-bourse-v1-nobody")
    for who, model, status in [
        (stranger, harness.REALTIME_MODEL, 401),
        (client, "acme/echo", 400),
        (client, "acme/none", 400),
    ]:
        with pytest.raises(websockets.exceptions.InvalidStatus) as refused:
            who.realtime.connect(model=model).enter()
        assert refused.value.response.status_code == status
        assert b'"error"' in refused.value.response.body
    with client.realtime.connect(model=harness.REALTIME_MODEL) as connection:
        until(connection, "session.created")
        tool = {"type": "mcp", "server_label": "a", "server_url": "https://mcp.example"}
        connection.session.update(session={"type": "realtime", "tools": [tool]})
        event = connection.recv()
        assert event.type == "error"
        assert event.error.param == "session.tools[0].type"

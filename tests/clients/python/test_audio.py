"""openai-python has Bourse speak and listen."""

from __future__ import annotations

import io
import wave
from decimal import Decimal

import openai
import pytest

import harness

SECONDS = 3


def sound(seconds: int = SECONDS) -> io.BytesIO:
    """Silence, as a file with a name: that says what it is."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8_000)
        out.writeframes(b"\0" * 16_000 * seconds)
    file.seek(0)
    file.name = "voice.wav"
    return file


def price_of_seconds(count: int) -> Decimal:
    return count * Decimal(harness.AUDIO_MODELS["acme/whisper"][3])


def test_a_text_is_read_aloud_and_charged_by_its_characters(bourse, client):
    ask = {"model": "acme/tts", "voice": "alloy", "input": "one two three"}
    whole = client.audio.speech.with_raw_response.create(**ask)
    assert whole.headers["content-type"] == "audio/mpeg"
    assert whole.parse().content[:2] == b"\xff\xfb"
    record = bourse.generation(whole.headers["x-generation-id"])
    assert record["api_type"] == "tts"
    price = Decimal(harness.AUDIO_MODELS["acme/tts"][3])
    assert harness.usd(record["total_cost"]) == harness.usd(13 * price)


def test_a_sound_is_streamed(client, tmp_path):
    ask = {"model": "acme/token-tts", "voice": "alloy", "input": "one two three", "response_format": "wav"}
    with client.audio.speech.with_streaming_response.create(**ask) as response:
        assert response.headers["content-type"] == "audio/wav"
        response.stream_to_file(tmp_path / "speech.wav")
    assert (tmp_path / "speech.wav").read_bytes().startswith(b"RIFF")


def test_a_sound_is_written_down(bourse, client):
    raw = client.audio.transcriptions.with_raw_response.create(model="acme/whisper", file=sound())
    told = raw.parse()
    assert isinstance(told.text, str) and told.text
    assert (told.usage.type, told.usage.seconds) == ("duration", SECONDS)
    assert harness.usd(told.usage.cost) == harness.usd(price_of_seconds(SECONDS))
    record = bourse.generation(raw.headers["x-generation-id"])
    assert record["api_type"] == "stt"
    assert harness.usd(record["total_cost"]) == harness.usd(told.usage.cost)


def test_every_form_of_a_transcript_is_given(client):
    def ask(form: str, **more):
        return client.audio.transcriptions.create(
            model="acme/whisper", file=sound(), response_format=form, **more
        )

    verbose = ask("verbose_json", timestamp_granularities=["segment"])
    assert verbose.duration == SECONDS
    assert verbose.segments[0].end == SECONDS
    assert verbose.text
    # What is no JSON comes as a text.
    assert isinstance(ask("text"), str)
    assert ask("srt").startswith("1\n00:00:00,000 --> 00:00:03,000\n")
    assert ask("vtt").startswith("WEBVTT\n")


def test_a_transcript_is_streamed_and_charged_by_its_tokens(client):
    events = list(
        client.audio.transcriptions.create(model="acme/transcribe", file=sound(), stream=True)
    )
    *deltas, done = events
    assert deltas and all(event.type == "transcript.text.delta" for event in deltas)
    assert done.type == "transcript.text.done"
    assert "".join(event.delta for event in deltas) == done.text
    usage = done.usage
    assert usage.input_tokens == SECONDS * 10
    assert harness.usd(usage.cost) == harness.price_of(usage.input_tokens, usage.output_tokens)


def test_speech_is_translated(client):
    english = client.audio.translations.create(model="acme/whisper", file=sound())
    assert english.text


def test_what_is_wrong_is_refused_with_a_sentence(client):
    with pytest.raises(openai.BadRequestError) as refused:
        client.audio.speech.create(model="acme/tts", voice="alloy", input="x" * 4_097)
    assert refused.value.body["message"].startswith("input: ")
    with pytest.raises(openai.BadRequestError) as refused:
        client.audio.transcriptions.create(model="acme/echo", file=sound())
    assert refused.value.body["code"] == 400
    large = io.BytesIO(b"\0" * ((25 << 20) + 1))
    large.name = "long.wav"
    with pytest.raises(openai.APIStatusError) as refused:
        client.audio.transcriptions.create(model="acme/whisper", file=large)
    assert refused.value.status_code == 413
    assert refused.value.body["message"].startswith("file: ")

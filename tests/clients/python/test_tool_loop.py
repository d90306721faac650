"""A conversation with tools, over each API of clients, against each format of providers.

The model thinks, says something and calls two tools at once; it thinks again
and asks for a map, which is a picture; then it answers. The client's own SDK
holds the conversation and sends it back whole. The simulator refuses what the
vendor would: a result that is missing or of another call, a signature or sealed
thought that it did not make, and thoughts that did not come back.
"""

from __future__ import annotations

import base64
import json

import pytest
from conftest import VENDOR_MODELS, google_client
from google.genai import types

import harness

ASK = "Where is it warmer, in Paris or in Oslo?"
MAX_OUTPUT = 4000
MODELS = [f"acme/loop-{name}" for name in harness.LOOP_MODELS]
# One pixel.
PICTURE = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
        "0000000c49444154789c63606060000000040001f61738550000000049454e44ae426082"
    )
).decode()
ROUNDS_MAX = 4

CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
TOOLS = {"get_weather": "The weather in a city", "show_map": "A map of a city, as a picture"}


class Rounds:
    """What was called and said, round by round."""

    def __init__(self):
        self.calls: list[list[tuple[str, str]]] = []
        self.texts: list[str] = []
        self.thoughts: list[str] = []
        self.ids: list[str] = []

    def note(self, text: str, thoughts: str, calls: list[tuple[str, str, str]]) -> None:
        self.texts.append(text)
        self.thoughts.append(thoughts)
        self.calls.append([(name, city) for _, name, city in calls])
        self.ids += [call_id for call_id, _, _ in calls if call_id]

    def assert_whole(self) -> None:
        assert self.calls == [
            [("get_weather", city) for city in harness.LOOP_CITIES],
            [("show_map", "Paris")],
            [],
        ]
        assert self.texts == [harness.LOOP_SAYS, "", harness.LOOP_ENDS]
        # A word of thought is a token here.
        assert all(len(thought.split()) == harness.REASONING_TOKENS for thought in self.thoughts)
        assert len(set(self.ids)) == len(self.ids)


def weather_of(city: str) -> str:
    return json.dumps({"city": city, "celsius": 21 if city == "Paris" else 4})


# --- Chat Completions ---------------------------------------------------------


def chat_tools():
    return [
        {"type": "function", "function": {"name": n, "description": d, "parameters": CITY}}
        for n, d in TOOLS.items()
    ]


def chat_result(call) -> dict:
    city = json.loads(call["function"]["arguments"])["city"]
    content = weather_of(city)
    if call["function"]["name"] == "show_map":
        picture = {"url": f"data:image/png;base64,{PICTURE}"}
        content = [
            {"type": "text", "text": "The map:"},
            {"type": "image_url", "image_url": picture},
        ]
    return {"role": "tool", "tool_call_id": call["id"], "content": content}


def joined_chat(stream) -> dict:
    """The message that a stream's chunks make; thoughts as OpenRouter documents it."""
    message: dict = {"role": "assistant", "content": "", "reasoning": ""}
    calls: dict[int, dict] = {}
    details: dict[int, dict] = {}
    for chunk in stream:
        for choice in chunk.choices:
            delta = choice.delta
            message["content"] += delta.content or ""
            extra = delta.model_extra or {}
            message["reasoning"] += extra.get("reasoning") or ""
            for piece in extra.get("reasoning_details") or []:
                known = details.setdefault(piece.get("index", 0), {})
                for name, value in piece.items():
                    if name in ("text", "summary", "data"):
                        known[name] = (known.get(name) or "") + (value or "")
                    elif value is not None:
                        known[name] = value
            for piece in delta.tool_calls or []:
                call = calls.setdefault(
                    piece.index, {"type": "function", "function": {"name": "", "arguments": ""}}
                )
                if piece.id:
                    call["id"] = piece.id
                call["function"]["name"] += piece.function.name or ""
                call["function"]["arguments"] += piece.function.arguments or ""
    message["tool_calls"] = [calls[index] for index in sorted(calls)]
    message["reasoning_details"] = [details[index] for index in sorted(details)]
    return message


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("model", MODELS)
def test_a_loop_over_chat_completions(client, model, streams):
    rounds = Rounds()
    messages: list = [{"role": "user", "content": ASK}]
    request = {
        "model": model,
        "tools": chat_tools(),
        "max_tokens": MAX_OUTPUT,
        "extra_body": {"reasoning": {"effort": "low", "summary": "auto"}},
    }
    for _ in range(ROUNDS_MAX):
        answer = client.chat.completions.create(messages=messages, stream=streams, **request)
        if streams:
            message = joined_chat(answer)
        else:
            message = answer.choices[0].message.model_dump(exclude_none=True)
        calls = message.get("tool_calls") or []
        if not calls:
            message.pop("tool_calls", None)
        messages.append(message)
        rounds.note(
            message.get("content") or "",
            message["reasoning"],
            [
                (c["id"], c["function"]["name"], json.loads(c["function"]["arguments"])["city"])
                for c in calls
            ],
        )
        if not calls:
            break
        messages += [chat_result(call) for call in calls]
    rounds.assert_whole()


# --- Messages -------------------------------------------------------------------


def message_result(call) -> dict:
    content = weather_of(call.input["city"])
    if call.name == "show_map":
        source = {"type": "base64", "media_type": "image/png", "data": PICTURE}
        content = [{"type": "text", "text": "The map:"}, {"type": "image", "source": source}]
    return {"type": "tool_result", "tool_use_id": call.id, "content": content}


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("model", MODELS)
def test_a_loop_over_messages(claude, model, streams):
    rounds = Rounds()
    messages: list = [{"role": "user", "content": ASK}]
    request = {
        "model": model,
        "max_tokens": MAX_OUTPUT,
        "thinking": {"type": "enabled", "budget_tokens": 1024, "display": "summarized"},
        "tools": [
            {"name": n, "description": d, "input_schema": CITY} for n, d in TOOLS.items()
        ],
    }
    for _ in range(ROUNDS_MAX):
        if streams:
            with claude.messages.stream(messages=messages, **request) as stream:
                message = stream.get_final_message()
        else:
            message = claude.messages.create(messages=messages, **request)
        blocks = message.content
        calls = [block for block in blocks if block.type == "tool_use"]
        assert message.stop_reason == ("tool_use" if calls else "end_turn")
        rounds.note(
            "".join(block.text for block in blocks if block.type == "text"),
            "".join(block.thinking for block in blocks if block.type == "thinking"),
            [(call.id, call.name, call.input["city"]) for call in calls],
        )
        messages.append({"role": "assistant", "content": blocks})
        if not calls:
            break
        messages.append({"role": "user", "content": [message_result(call) for call in calls]})
    rounds.assert_whole()


@pytest.mark.parametrize("first", ["acme/thinker", "acme/loop-responses", "acme/via-google-ai-studio"])
def test_messages_with_thoughts_of_one_vendor_are_answered_by_every_other(claude, first):
    request = {
        "max_tokens": MAX_OUTPUT,
        "thinking": {"type": "enabled", "budget_tokens": 1024, "display": "summarized"},
    }
    said = [{"role": "user", "content": ASK}]
    answer = claude.messages.create(model=first, messages=said, **request)
    thoughts = [block for block in answer.content if "thinking" in block.type]
    # Clients drop a thought without a signature.
    assert thoughts and all(getattr(it, "signature", "-") for it in thoughts)
    said += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": ASK}]
    for second in VENDOR_MODELS:
        claude.messages.create(model=second, messages=said, **request)


# --- Responses ------------------------------------------------------------------


def response_result(call) -> dict:
    output = weather_of(json.loads(call.arguments)["city"])
    if call.name == "show_map":
        picture = {"type": "input_image", "image_url": f"data:image/png;base64,{PICTURE}"}
        output = [{"type": "input_text", "text": "The map:"}, picture | {"detail": "auto"}]
    return {"type": "function_call_output", "call_id": call.call_id, "output": output}


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("model", MODELS)
def test_a_loop_over_responses(client, model, streams):
    rounds = Rounds()
    items: list = [{"role": "user", "content": ASK}]
    request = {
        "model": model,
        "max_output_tokens": MAX_OUTPUT,
        "reasoning": {"effort": "low", "summary": "auto"},
        "include": ["reasoning.encrypted_content"],
        "store": False,
        "tools": [
            {"type": "function", "name": n, "description": d, "parameters": CITY, "strict": False}
            for n, d in TOOLS.items()
        ],
    }
    for _ in range(ROUNDS_MAX):
        if streams:
            with client.responses.stream(input=items, **request) as stream:
                answer = stream.until_done().get_final_response()
        else:
            answer = client.responses.create(input=items, **request)
        assert answer.status == "completed"
        calls = [item for item in answer.output if item.type == "function_call"]
        thoughts = [item for item in answer.output if item.type == "reasoning"]
        shown = [part.text for item in thoughts for part in [*item.summary, *(item.content or [])]]
        rounds.note(
            answer.output_text,
            "".join(shown),
            [(call.call_id, call.name, json.loads(call.arguments)["city"]) for call in calls],
        )
        items += [item.model_dump(exclude_none=True) for item in answer.output]
        if not calls:
            break
        items += [response_result(call) for call in calls]
    rounds.assert_whole()


# --- Gemini -----------------------------------------------------------------------


def gemini_result(call) -> types.Part:
    response = {"result": weather_of(call.args["city"])}
    parts = None
    if call.name == "show_map":
        blob = types.FunctionResponseBlob(mime_type="image/png", data=base64.b64decode(PICTURE))
        parts = [types.FunctionResponsePart(inline_data=blob)]
    result = types.FunctionResponse(id=call.id, name=call.name, response=response, parts=parts)
    return types.Part(function_response=result)


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("model", MODELS)
def test_a_loop_over_gemini(bourse, model, streams):
    rounds = Rounds()
    declared = [
        types.FunctionDeclaration(name=n, description=d, parameters_json_schema=CITY)
        for n, d in TOOLS.items()
    ]
    config = types.GenerateContentConfig(
        max_output_tokens=MAX_OUTPUT,
        tools=[types.Tool(function_declarations=declared)],
        thinking_config=types.ThinkingConfig(include_thoughts=True),
    )
    with google_client(bourse) as google:
        chat = google.chats.create(model=model, config=config)
        said: object = ASK
        for _ in range(ROUNDS_MAX):
            if streams:
                answers = list(chat.send_message_stream(said))
            else:
                answers = [chat.send_message(said)]
            parts = [
                part
                for answer in answers
                for part in answer.candidates[0].content.parts or []
            ]
            calls = [part.function_call for part in parts if part.function_call]
            rounds.note(
                "".join(part.text for part in parts if part.text and not part.thought),
                "".join(part.text for part in parts if part.text and part.thought),
                [(call.id, call.name, call.args["city"]) for call in calls],
            )
            if not calls:
                break
            said = [gemini_result(call) for call in calls]
    rounds.assert_whole()

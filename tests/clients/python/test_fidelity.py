"""Everything that the tests of fidelity send to providers and tell to clients,
read by the vendors' own descriptions of their APIs.

The corpus is written by ``cargo test -p bourse-dataplane --test fidelity`` into
the folder that ``BOURSE_FIDELITY_CORPUS`` names (``scripts/suites.sh``).
"""

import base64
import collections
import json
import os
import pathlib
import typing

import pydantic
import pytest
from anthropic import types as anthropic_types
from anthropic.types import message_create_params
from google.genai import types as google_types
from openai import types as openai_types
from openai.types import chat as openai_chat
from openai.types import embedding_create_params, image_generate_params
from openai.types import responses as openai_responses
from openai.types.audio import speech_create_params
from openai.types.chat import completion_create_params
from openai.types.responses import response_create_params

import botocore.session
import botocore.validate
import cohere.v2.raw_client
from shapes import faults

CORPUS = pathlib.Path(os.environ.get("BOURSE_FIDELITY_CORPUS", ""))

# What we add to answers in shapes that allow for no more than they have, and
# the tier of service, which Google's documents have and its SDK has not.
OURS = {"provider", "openrouter_metadata", "cost", "cost_details", "is_byok", "serviceTier"}

# What is sent although the SDK does not describe it: a feature, or a member,
# and why.
BEYOND = {
    "openai-chat": {
        "video by data": "no model of OpenAI's in the catalogue takes videos, so none is asked",
        "video by address": "the same",
        "cut of a video": "the same",
        "picture as the answer": "no model of OpenAI's in the catalogue makes pictures in chat, so none is asked",
        "grammar of an answer": "a kind that the caller names, and that the vendor refuses in its own words",
        "member of a message that nobody knows": "what is in messages passes, for vendors invent members",
        "member of a tool that nobody knows": "the same",
    },
    "anthropic": {
        ".temperature": "spoken to in the version of 2023, which has them",
        ".top_p": "the same",
        ".top_k": "the same",
        ".context_management": "a beta, which has types of its own",
        "member of a tool that nobody knows": "what is in tools passes, for vendors invent members",
    },
    "gemini": {
        "member of a message that nobody knows": "what is in contents passes, for vendors invent members",
        "member of a tool that nobody knows": "the same",
    },
}


def read(name: str) -> list[dict]:
    file = CORPUS / name
    assert file.is_file(), f"{file} is missing: see the top of {__file__}"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(lines) > 100
    return lines


def report(found: dict[str, list[str]]) -> None:
    """Fails with each fault once, and where it was."""
    lines = [f"{fault}\n    {len(where)} times, such as {where[0]}" for fault, where in sorted(found.items())]
    assert not lines, f"{len(lines)} faults:\n" + "\n".join(lines)


def requests(format: str, *columns: str) -> list[dict]:
    """What is sent in a format; of chat completions, to these columns."""
    wanted = [one for one in read("requests.jsonl") if one["format"] == format]
    if columns:
        wanted = [one for one in wanted if one["column"] in columns]
    assert len(wanted) > 50
    return wanted


def check(requests: list[dict], find) -> None:
    found, beyond = collections.defaultdict(list), set()
    known = BEYOND.get(requests[0]["format"], {})
    for one in requests:
        for fault in find(one["body"]):
            named = {one["feature"], fault.split(": ")[0]} & set(known)
            beyond |= named
            if named:
                continue
            found[fault].append(f"{one['feature']} from {one['client']} to {one['column']}")
    # What has been described since is no longer beyond.
    for name in set(known) - beyond:
        found[f"{name}: is described by now"].append("in BEYOND")
    report(found)


def test_chat_requests_are_as_openai_describes_them():
    kind = completion_create_params.CompletionCreateParamsBase

    def find(body):
        return faults({name: value for name, value in body.items() if name != "stream"}, kind)

    check(requests("openai-chat", "openai", "openai-thinks"), find)


def test_responses_requests_are_as_openai_describes_them():
    kind = response_create_params.ResponseCreateParamsBase

    def find(body):
        return faults({name: value for name, value in body.items() if name != "stream"}, kind)

    check(requests("openai-responses"), find)


def test_messages_requests_are_as_anthropic_describes_them():
    kind = message_create_params.MessageCreateParamsBase

    def find(body):
        return faults({name: value for name, value in body.items() if name != "stream"}, kind)

    check(requests("anthropic"), find)


OPERATIONS = {
    "/v1/embeddings": embedding_create_params.EmbeddingCreateParams,
    "/v1/images/generations": image_generate_params.ImageGenerateParamsBase,
    "/v1/audio/speech": speech_create_params.SpeechCreateParams,
}


@pytest.mark.parametrize("path", OPERATIONS)
def test_requests_of_other_operations_are_as_openai_describes_them(path):
    sent = [one for one in read("requests.jsonl") if one["format"] == path]
    assert sent
    check(sent, lambda body: faults(body, OPERATIONS[path]))


class GenerateContentRequest(pydantic.BaseModel):
    """The body of Google's ``generateContent``, of the types that the SDK has."""

    model_config = pydantic.ConfigDict(extra="forbid", alias_generator=pydantic.alias_generators.to_camel)

    contents: list[google_types.Content]
    system_instruction: google_types.Content | None = None
    tools: list[google_types.Tool] | None = None
    tool_config: google_types.ToolConfig | None = None
    generation_config: google_types.GenerationConfig | None = None
    safety_settings: list[google_types.SafetySetting] | None = None


def test_generate_content_requests_are_as_google_describes_them():
    def find(body):
        # The tier has another name in the SDK (``ServiceTier`` of the config).
        body = {name: value for name, value in body.items() if name != "service_tier"}
        try:
            GenerateContentRequest.model_validate(body)
            return []
        except pydantic.ValidationError as error:
            return [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]

    check(requests("gemini"), find)


def as_parameters(value, shape):
    """JSON as botocore's parameters: what is base64 on the wire is bytes there."""
    if shape.type_name == "blob" and isinstance(value, str):
        return base64.b64decode(value, validate=True)
    if shape.type_name == "structure" and isinstance(value, dict) and not getattr(shape, "is_document_type", False):
        members = shape.members
        return {name: as_parameters(one, members[name]) if name in members else one for name, one in value.items()}
    if shape.type_name == "list" and isinstance(value, list):
        return [as_parameters(one, shape.member) for one in value]
    return value


def test_converse_requests_are_as_amazon_describes_them():
    service = botocore.session.get_session().get_service_model("bedrock-runtime")
    shape = service.operation_model("Converse").input_shape
    validator = botocore.validate.ParamValidator()

    def find(body):
        parameters = as_parameters({"modelId": "m", **body}, shape)
        told = validator.validate(parameters, shape)
        return told.generate_report().splitlines() if told.has_errors() else []

    check(requests("bedrock-converse"), find)


def unknown(value, path=""):
    """Members that an SDK's model has taken in and does not describe."""
    if isinstance(value, pydantic.BaseModel):
        found = [f"{path}.{name}: is not described" for name in value.model_extra or {}]
        for name in value.model_fields_set & set(type(value).model_fields):
            found += unknown(getattr(value, name), f"{path}.{name}")
        return found
    if isinstance(value, list):
        return [fault for one in value for fault in unknown(one, f"{path}[]")]
    return []


def test_cohere_requests_are_as_cohere_describes_them():
    # What the SDK's method takes is what it sends, under the same names.
    described = typing.get_type_hints(cohere.v2.raw_client.RawV2Client.chat, include_extras=True)

    def find(body):
        told = []
        for name, value in body.items():
            if name == "stream":
                continue
            if name not in described:
                told.append(f".{name}: is not described")
                continue
            try:
                read = pydantic.TypeAdapter(described[name]).validate_python(value)
                told += unknown(list(read) if isinstance(value, list) else read, f".{name}")
            except pydantic.ValidationError as error:
                told += [f".{name}.{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        return told

    check(requests("cohere-chat"), find)


def without_ours(value):
    if isinstance(value, dict):
        return {name: without_ours(one) for name, one in value.items() if name not in OURS}
    if isinstance(value, list):
        return [without_ours(one) for one in value]
    return value


ANSWERS = {
    ("chat", "reply"): openai_chat.ChatCompletion,
    ("chat", "stream"): openai_chat.ChatCompletionChunk,
    ("text", "reply"): openai_types.Completion,
    ("text", "stream"): openai_types.Completion,
    ("messages", "reply"): anthropic_types.Message,
    ("messages", "stream"): anthropic_types.RawMessageStreamEvent,
    ("responses", "reply"): openai_responses.Response,
    ("responses", "stream"): openai_responses.ResponseStreamEvent,
    ("gemini", "reply"): google_types.GenerateContentResponse,
    ("gemini", "stream"): google_types.GenerateContentResponse,
}


@pytest.mark.parametrize(("client", "kind"), ANSWERS)
def test_answers_are_as_their_vendor_describes_them(client, kind):
    adapter = pydantic.TypeAdapter(ANSWERS[client, kind])
    found, seen = collections.defaultdict(list), 0
    for one in read("answers.jsonl"):
        # An error in a stream is told as the SDKs look for it, and no chunk.
        if (one["client"], one["kind"]) != (client, kind) or one["case"] == "stream-error-midway":
            continue
        # Anthropic's own words of before its pages were counted pass as they are.
        if (client, one["format"], one["case"]) == ("messages", "anthropic", "citations"):
            continue
        for body in one["body"] if kind == "stream" else [one["body"]]:
            # The SDKs skip pings, and read a text's end that has not come yet.
            if body.get("type") == "ping":
                continue
            if client == "text" and kind == "stream":
                body["choices"] = [one for one in body["choices"] if one["finish_reason"]]
            seen += 1
            try:
                adapter.validate_json(json.dumps(without_ours(body)), strict=True)
            except pydantic.ValidationError as error:
                for fault in error.errors():
                    place = ".".join(str(step) for step in fault["loc"])
                    found[f"{place}: {fault['msg']}"].append(f"{one['case']} of {one['format']}: {body}")
    assert seen > 10
    report(found)

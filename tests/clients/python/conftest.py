"""What the Python client tests share: one gateway, and clients that point at it."""

from __future__ import annotations

import sys
from pathlib import Path

import anthropic
import openai
import openrouter
import pytest
from google import genai

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import harness  # noqa: E402

TIMEOUT_SECONDS = 30

# What every client asks, and the tool that it offers.
ASK = [{"role": "user", "content": "Say a few words about tides."}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
# The same call through every format that an upstream may speak.
VENDOR_MODELS = ["acme/echo", *(f"acme/via-{name}" for name in harness.VENDORS)]


@pytest.fixture(scope="session")
def bourse(tmp_path_factory):
    with harness.simulated(tmp_path_factory.mktemp("bourse")) as running:
        yield running
        # Whatever the tests did, the books balance afterwards.
        running.verify_ledger()


def openai_client(bourse, key=None, kind=openai.OpenAI):
    # No retries: a test wants to see the first answer, not the third.
    return kind(
        base_url=bourse.base_url,
        api_key=key or bourse.key,
        max_retries=0,
        timeout=TIMEOUT_SECONDS,
    )


def openrouter_client(bourse, key=None):
    return openrouter.OpenRouter(
        server_url=bourse.base_url,
        api_key=key or bourse.key,
        # This SDK retries 5xx for an hour unless told otherwise.
        retry_config=None,
        timeout_ms=TIMEOUT_SECONDS * 1000,
    )


def anthropic_client(bourse, key=None, base="/api", kind=anthropic.Anthropic):
    # This SDK adds /v1 itself.
    return kind(
        base_url=bourse.root + base,
        api_key=key or bourse.key,
        max_retries=0,
        timeout=TIMEOUT_SECONDS,
    )


def google_client(bourse, key=None, base=""):
    # This SDK adds the version itself, and its timeout is in milliseconds.
    return genai.Client(
        api_key=key or bourse.key,
        http_options={"base_url": bourse.root + base, "timeout": TIMEOUT_SECONDS * 1000},
    )


@pytest.fixture(scope="session")
def google(bourse):
    with google_client(bourse) as it:
        yield it


@pytest.fixture(scope="session")
def claude(bourse):
    with anthropic_client(bourse) as it:
        yield it


@pytest.fixture(scope="session")
def client(bourse):
    with openai_client(bourse) as it:
        yield it


@pytest.fixture(scope="session")
def router(bourse):
    with openrouter_client(bourse) as it:
        yield it


@pytest.fixture(scope="session")
def manager(bourse):
    with openrouter_client(bourse, bourse.management_key) as it:
        yield it


def cost_is_exact(usage) -> bool:
    """Whether a usage block's cost is its own tokens times the tests' prices."""
    cost = getattr(usage, "cost", None)
    return cost is not None and harness.usd(cost) == harness.price_of(
        usage.prompt_tokens, usage.completion_tokens
    )

"""What the tests of frameworks share: one gateway, and where it is."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# Before any of them is imported: nothing is told or fetched elsewhere.
os.environ.update(
    LITELLM_LOCAL_MODEL_COST_MAP="True",
    LANGCHAIN_TRACING_V2="false",
    LANGSMITH_TRACING="false",
    OTEL_SDK_DISABLED="true",
    NO_PROXY="127.0.0.1,localhost",
    # Nobody listens there: whoever calls home is refused at once.
    **{name: "http://127.0.0.1:9" for name in ("HTTP_PROXY", "HTTPS_PROXY")},
)

import pytest  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import harness  # noqa: E402

TIMEOUT_SECONDS = 30
ASK = "Say a few words about tides."
# One pixel.
PICTURE = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGNgYGAAAAAEAAH2FzhVAAAAAElFTkSuQmCC"
)
# The same call through every format that an upstream may speak.
VENDOR_MODELS = ["acme/echo", *(f"acme/via-{name}" for name in harness.VENDORS)]
LOOP_MODELS = [f"acme/loop-{name}" for name in harness.LOOP_MODELS]
LIMITED = "Rate limit"
UNKNOWN = "acme/none"
# What is said to who has no key, no money, or asks for what there is not.
BAD_KEY = "sk-bourse-v1-wrong"


def weather_of(city: str) -> str:
    return f'{{"city": "{city}", "celsius": {21 if city == "Paris" else 4}}}'


@pytest.fixture(scope="session")
def bourse(tmp_path_factory):
    with harness.simulated(tmp_path_factory.mktemp("bourse")) as running:
        yield running
        # Whatever the tests did, the books balance afterwards.
        running.verify_ledger()

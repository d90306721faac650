"""openai-python asks Bourse for verdicts."""

from __future__ import annotations

import openai
import pytest

import harness

MODEL = harness.MODERATION_MODEL


def test_each_text_has_a_verdict_and_costs_nothing(bourse, client):
    raw = client.moderations.with_raw_response.create(model=MODEL, input=["to harm", "tides"])
    reply = raw.parse()
    assert [result.flagged for result in reply.results] == [True, False]
    first = reply.results[0]
    assert first.categories.violence is True
    assert first.categories.self_harm_intent is False
    assert first.category_scores.violence == 0.97
    assert first.category_applied_input_types.violence == ["text"]
    record = bourse.generation(raw.headers["x-generation-id"])
    assert record["api_type"] == "moderation"
    assert harness.usd(record["total_cost"]) == 0


def test_no_model_means_openai_s_and_parts_are_judged_together(client):
    picture = "data:image/png;base64,iVBORw0KGgo="
    reply = client.moderations.create(
        input=[
            {"type": "text", "text": "tides"},
            {"type": "image_url", "image_url": {"url": picture}},
        ]
    )
    assert [result.flagged for result in reply.results] == [False]
    assert [r.flagged for r in client.moderations.create(input="harm").results] == [True]


@pytest.mark.parametrize("wrong", [[], ["a", {"type": "text", "text": "b"}]])
def test_what_cannot_be_asked_is_a_bad_request_that_names_it(client, wrong):
    with pytest.raises(openai.BadRequestError) as refused:
        client.moderations.create(model=MODEL, input=wrong)
    assert refused.value.body["message"].startswith("input")

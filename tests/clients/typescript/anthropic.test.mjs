// Anthropic's SDK for TypeScript against Bourse.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import Anthropic from "@anthropic-ai/sdk";

import {
  ASK,
  CITY_SCHEMA,
  VENDOR_MODELS,
  anthropicClient,
  generation,
  nanos,
  priceOf,
  start,
} from "./harness.mjs";

let bourse;
let claude;

before(async () => {
  bourse = await start();
  claude = anthropicClient(bourse);
});
after(() => bourse?.stop());

const WEATHER = {
  name: "get_weather",
  description: "The weather in a city",
  input_schema: {
    type: "object",
    properties: { city: { type: "string" } },
    required: ["city"],
  },
};

function assertCostIsExact(usage) {
  assert.equal(nanos(usage.cost), priceOf(bourse, usage.input_tokens, usage.output_tokens));
}

const textOf = (message) =>
  message.content.map((block) => (block.type === "text" ? block.text : "")).join("");

for (const model of VENDOR_MODELS) {
  test(`${model}: a message is answered and charged exactly`, async () => {
    for (const base of ["", "/api"]) {
      const client = anthropicClient(bourse, bourse.key, base);
      const { data, request_id } = await client.messages
        .create({ model, max_tokens: 100, messages: ASK })
        .withResponse();
      assert.match(data.id, /^gen-/);
      assert.equal(request_id, data.id);
      assert.equal(data.model, model);
      assert.equal(data.stop_reason, "end_turn");
      assert.ok(textOf(data));
      assertCostIsExact(data.usage);
      const record = await generation(bourse, data.id);
      assert.equal(nanos(record.total_cost), nanos(data.usage.cost));
    }
  });

  test(`${model}: a stream is the message that its events make`, async () => {
    const kinds = [];
    let text = "";
    const stream = claude.messages
      .stream({ model, max_tokens: 100, messages: ASK })
      .on("streamEvent", (event) => kinds.push(event.type))
      .on("text", (piece) => (text += piece));
    const message = await stream.finalMessage();
    assert.equal(kinds.at(0), "message_start");
    assert.equal(kinds.at(-1), "message_stop");
    assert.equal(kinds.filter((kind) => kind === "message_delta").length, 1);
    assert.equal(text, textOf(message));
    assert.equal(message.stop_reason, "end_turn");
    const record = await generation(bourse, message.id);
    assert.equal(record.native_tokens_completion, message.usage.output_tokens);
  });

  test(`${model}: a tool is called, and its result leads to an answer`, async () => {
    const request = { model, max_tokens: 200, tools: [WEATHER] };
    const first = await claude.messages
      .stream({ ...request, messages: ASK, tool_choice: { type: "any" } })
      .finalMessage();
    assert.equal(first.stop_reason, "tool_use");
    const [call] = first.content.filter((block) => block.type === "tool_use");
    assert.equal(call.name, "get_weather");
    assert.equal(typeof call.input.city, "string");
    const result = { type: "tool_result", tool_use_id: call.id, content: "21 degrees" };
    const second = await claude.messages.create({
      ...request,
      messages: [
        ...ASK,
        { role: "assistant", content: first.content },
        { role: "user", content: [result] },
      ],
    });
    assert.equal(second.stop_reason, "end_turn");
    assert.ok(textOf(second));
  });

  test(`${model}: an answer keeps to a schema`, async () => {
    const message = await claude.messages.create({
      model,
      max_tokens: 300,
      messages: ASK,
      output_config: { format: { type: "json_schema", schema: CITY_SCHEMA } },
    });
    assert.equal(typeof JSON.parse(textOf(message)).city, "string");
  });

  test(`${model}: tokens are counted`, async () => {
    const alone = await claude.messages.countTokens({ model, messages: ASK });
    const more = await claude.messages.countTokens({ model, messages: ASK, tools: [WEATHER] });
    assert.ok(alone.input_tokens > 5 && alone.input_tokens < more.input_tokens);
  });
}

test("parallel calls arrive whole in a stream", async () => {
  const message = await claude.messages
    .stream({ model: "acme/two-tools", max_tokens: 200, messages: ASK, tools: [WEATHER] })
    .finalMessage();
  const calls = message.content.filter((block) => block.type === "tool_use");
  assert.equal(calls.length, 2);
  assert.notEqual(calls[0].id, calls[1].id);
  for (const call of calls) assert.equal(typeof call.input.city, "string");
});

for (const model of ["acme/thinker", "acme/via-anthropic", "acme/via-google-ai-studio"]) {
  test(`${model}: thoughts are shown and can be sent back`, async () => {
    const request = {
      model,
      max_tokens: 2000,
      thinking: { type: "enabled", budget_tokens: 1024 },
    };
    const first = await claude.messages.stream({ ...request, messages: ASK }).finalMessage();
    assert.deepEqual(
      first.content.map((block) => block.type),
      ["thinking", "text"],
    );
    const second = await claude.messages.create({
      ...request,
      messages: [
        ...ASK,
        { role: "assistant", content: first.content },
        { role: "user", content: "And the moon?" },
      ],
    });
    assert.ok(textOf(second));
  });
}

for (const [model, kind, type] of [
  ["acme/none", Anthropic.BadRequestError, "invalid_request_error"],
  ["acme/limited-anthropic", Anthropic.RateLimitError, "rate_limit_error"],
  ["acme/broken-anthropic", Anthropic.InternalServerError, "api_error"],
]) {
  test(`${model}: a refusal is the error that the SDK has for it`, async () => {
    await assert.rejects(
      claude.messages.create({ model, max_tokens: 9, messages: ASK }),
      (error) => {
        assert.ok(error instanceof kind, `${error}`);
        assert.equal(error.type, type);
        assert.match(error.requestID, /^gen-/);
        return true;
      },
    );
  });
}

test("a wrong key is an authentication error", async () => {
  const stranger = anthropicClient(bourse, "sk-bourse-v1-wrong");
  await assert.rejects(
    stranger.messages.create({ model: "acme/echo", max_tokens: 9, messages: ASK }),
    Anthropic.AuthenticationError,
  );
});

for (const model of ["acme/cut-anthropic", "acme/confesses-anthropic"]) {
  test(`${model}: a stream that breaks is an error and never ends well`, async () => {
    const seen = [];
    await assert.rejects(async () => {
      const stream = await claude.messages.create({
        model,
        max_tokens: 100,
        messages: ASK,
        stream: true,
      });
      for await (const event of stream) seen.push(event.type);
    }, Anthropic.APIError);
    assert.ok(seen.includes("content_block_delta"));
    assert.ok(!seen.includes("message_stop"));
  });
}

// openai-node against Bourse.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

import {
  ASK,
  VENDOR_MODELS,
  WEATHER,
  eventually,
  generation,
  nanos,
  openaiClient,
  priceOf,
  start,
} from "./harness.mjs";

let bourse;
let client;

before(async () => {
  bourse = await start();
  client = openaiClient(bourse);
});
after(() => bourse?.stop());

function assertCostIsExact(usage) {
  assert.equal(
    nanos(usage.cost),
    priceOf(bourse, usage.prompt_tokens, usage.completion_tokens),
  );
}

const streamOf = (request) =>
  client.chat.completions.create({
    stream: true,
    stream_options: { include_usage: true },
    messages: ASK,
    ...request,
  });

async function collect(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

for (const model of VENDOR_MODELS) {
  test(`${model}: a call is answered and charged exactly`, async () => {
    const { data, response } = await client.chat.completions
      .create({ model, messages: ASK })
      .withResponse();
    assert.match(data.id, /^gen-/);
    assert.equal(response.headers.get("x-generation-id"), data.id);
    assert.equal(data.model, model);
    assert.equal(data.choices[0].finish_reason, "stop");
    assert.ok(data.choices[0].message.content);
    assertCostIsExact(data.usage);
    const record = await generation(bourse, data.id);
    assert.equal(nanos(record.total_cost), nanos(data.usage.cost));
  });

  test(`${model}: a stream ends with its usage and is charged exactly`, async () => {
    const chunks = await collect(await streamOf({ model }));
    const text = chunks.map((c) => c.choices[0]?.delta.content ?? "").join("");
    const finishes = chunks.map((c) => c.choices[0]?.finish_reason).filter(Boolean);
    const usages = chunks.map((c) => c.usage).filter(Boolean);
    assert.ok(text);
    assert.deepEqual(finishes, ["stop"]);
    assert.equal(usages.length, 1);
    assertCostIsExact(usages[0]);
  });

  test(`${model}: a tool is called and its result leads to an answer`, async () => {
    const first = await client.chat.completions.create({
      model,
      messages: ASK,
      tools: [WEATHER],
      tool_choice: "required",
    });
    const { message, finish_reason } = first.choices[0];
    assert.equal(finish_reason, "tool_calls");
    assert.equal(message.tool_calls.length, 1);
    const [call] = message.tool_calls;
    assert.equal(call.function.name, "get_weather");
    assert.equal(typeof JSON.parse(call.function.arguments).city, "string");
    const second = await client.chat.completions.create({
      model,
      messages: [
        ...ASK,
        message,
        { role: "tool", tool_call_id: call.id, content: '{"celsius": 21}' },
      ],
      tools: [WEATHER],
    });
    assert.equal(second.choices[0].finish_reason, "stop");
    assert.ok(second.choices[0].message.content);
    assertCostIsExact(second.usage);
  });
}

test("parallel tool calls arrive whole in a stream", async () => {
  const runner = client.chat.completions.stream({
    model: "acme/two-tools",
    messages: ASK,
    tools: [WEATHER],
  });
  const final = await runner.finalChatCompletion();
  const calls = final.choices[0].message.tool_calls;
  assert.equal(calls.length, 2);
  assert.notEqual(calls[0].id, calls[1].id);
  for (const call of calls) assert.ok("city" in JSON.parse(call.function.arguments));
});

test("a structured answer parses into its type", async () => {
  const City = z.object({ city: z.string(), population: z.number().int() });
  const answer = await client.chat.completions.parse({
    model: "acme/echo",
    messages: ASK,
    response_format: zodResponseFormat(City, "city"),
  });
  const { parsed } = answer.choices[0].message;
  assert.equal(typeof parsed.city, "string");
  assert.ok(Number.isInteger(parsed.population));
  assertCostIsExact(answer.usage);
});

test("reasoning is shown, counted and paid", async () => {
  const answer = await client.chat.completions.create({
    model: "acme/thinker",
    messages: ASK,
    reasoning: { effort: "low" },
  });
  assert.ok(answer.choices[0].message.reasoning);
  assert.equal(
    answer.usage.completion_tokens_details.reasoning_tokens,
    bourse.reasoningTokens,
  );
  assert.equal(answer.usage.completion_tokens, bourse.reasoningTokens + bourse.answerTokens);
  assertCostIsExact(answer.usage);
});

async function refused(kind, call) {
  let error;
  await assert.rejects(call, (caught) => {
    error = caught;
    return true;
  });
  assert.ok(error instanceof kind, `${error.constructor.name}: ${error.message}`);
  assert.equal(error.error.code, error.status);
  assert.ok(error.error.message);
  return error;
}

const callWith = (who, model, more) => () =>
  who.chat.completions.create({ model, messages: ASK, ...more });

test("a wrong key is a 401", async () => {
  const wrong = openaiClient(bourse, `sk-bourse-v1-${"0".repeat(64)}`);
  await refused(OpenAI.AuthenticationError, callWith(wrong, "acme/echo"));
});

test("a call that cannot be paid is a 402", async () => {
  const poor = openaiClient(bourse, bourse.poorKey);
  const error = await refused(OpenAI.APIError, callWith(poor, "acme/echo"));
  assert.equal(error.status, 402);
});

test("an unknown model is a 400 that names it", async () => {
  const error = await refused(OpenAI.BadRequestError, callWith(client, "acme/nothing"));
  assert.match(error.error.message, /acme\/nothing/);
});

test("a rate limit says when to come back", async () => {
  const error = await refused(OpenAI.RateLimitError, callWith(client, "acme/limited-openai"));
  const seconds = Number(error.headers.get("retry-after"));
  assert.ok(seconds > 0 && seconds <= bourse.retryAfterSeconds, `retry-after ${seconds}`);
});

test("a broken upstream is a 5xx, also when a stream was asked", async () => {
  for (const stream of [false, true]) {
    const call = callWith(client, "acme/broken-openai", { stream });
    await refused(OpenAI.InternalServerError, call);
  }
});

for (const fault of ["cut", "confesses"]) {
  test(`a stream that breaks (${fault}) ends in a typed error`, async () => {
    let text = "";
    await assert.rejects(
      async () => {
        for await (const chunk of await streamOf({ model: `acme/${fault}-openai` })) {
          text += chunk.choices[0]?.delta.content ?? "";
        }
      },
      (error) => error instanceof OpenAI.APIError && Number.isInteger(error.error?.code),
    );
    assert.ok(text, "what came before the break is not held back");
  });
}

test("an aborted stream is cancelled and settled", async () => {
  const stream = await streamOf({ model: "acme/slow" });
  let id;
  for await (const chunk of stream) {
    id = chunk.id;
    stream.controller.abort();
    break;
  }
  const record = await generation(bourse, id);
  assert.equal(record.cancelled, true);
  assert.ok(record.native_tokens_completion < bourse.slowTokens);
});

test("models are listed", async () => {
  const ids = [];
  for await (const model of client.models.list()) ids.push(model.id);
  assert.ok(ids.includes("acme/echo"));
  assert.equal(new Set(ids).size, ids.length);
});

test("a key's usage is the sum of its calls", async () => {
  const read = async () => {
    const reply = await client.get("/key");
    return nanos(reply.data.usage);
  };
  // Earlier tests' calls may still be settling: wait until it stands still.
  let before = await read();
  await eventually(async () => {
    await new Promise((resolve) => setTimeout(resolve, 300));
    const now = await read();
    if (now === before) return true;
    before = now;
    return undefined;
  });
  const answers = await Promise.all(
    Array.from({ length: 8 }, (_, n) =>
      client.chat.completions.create({
        model: "acme/echo",
        messages: [{ role: "user", content: `number ${n}` }],
      }),
    ),
  );
  const spent = answers.reduce((sum, answer) => sum + nanos(answer.usage.cost), 0n);
  await eventually(async () => ((await read()) === before + spent ? true : undefined));
});

// OpenRouter's own TypeScript SDK against Bourse. Its zod schemas validate
// every answer: a missing key is a failed test even where nothing asserts it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import * as errors from "@openrouter/sdk/models/errors";

import {
  ASK,
  CITY_SCHEMA,
  VENDOR_MODELS,
  WEATHER,
  eventually,
  generation,
  nanos,
  openrouterClient,
  priceOf,
  start,
} from "./harness.mjs";

let bourse;
let router;
let manager;

before(async () => {
  bourse = await start();
  router = openrouterClient(bourse);
  manager = openrouterClient(bourse, bourse.managementKey);
});
after(() => bourse?.stop());

const send = (request, who = router) =>
  who.chat.send({ chatRequest: { messages: ASK, ...request } });

function assertCostIsExact(usage) {
  assert.equal(nanos(usage.cost), priceOf(bourse, usage.promptTokens, usage.completionTokens));
}

async function collect(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

// --- Calls --------------------------------------------------------------------

for (const model of VENDOR_MODELS) {
  test(`${model}: a call is answered and charged exactly`, async () => {
    const answer = await send({ model });
    assert.match(answer.id, /^gen-/);
    assert.equal(answer.model, model);
    assert.equal(answer.choices[0].finishReason, "stop");
    assert.ok(answer.choices[0].message.content);
    assertCostIsExact(answer.usage);
  });

  test(`${model}: a stream is valid chunk by chunk`, async () => {
    const chunks = await collect(await send({ model, stream: true }));
    const text = chunks.map((c) => c.choices[0]?.delta.content ?? "").join("");
    const usages = chunks.map((c) => c.usage).filter(Boolean);
    assert.ok(text);
    assert.equal(usages.length, 1);
    assertCostIsExact(usages[0]);
  });
}

test("a tool is called and its result leads to an answer", async () => {
  const first = await send({ model: "acme/echo", tools: [WEATHER], toolChoice: "required" });
  const { message, finishReason } = first.choices[0];
  assert.equal(finishReason, "tool_calls");
  assert.equal(message.toolCalls.length, 1);
  const [call] = message.toolCalls;
  assert.ok("city" in JSON.parse(call.function.arguments));
  const second = await send({
    model: "acme/echo",
    messages: [...ASK, message, { role: "tool", toolCallId: call.id, content: "fine" }],
    tools: [WEATHER],
  });
  assert.ok(second.choices[0].message.content);
  assertCostIsExact(second.usage);
});

test("parallel tool calls arrive whole in a stream", async () => {
  const chunks = await collect(
    await send({ model: "acme/two-tools", tools: [WEATHER], stream: true }),
  );
  const texts = new Map();
  for (const chunk of chunks) {
    for (const piece of chunk.choices[0]?.delta.toolCalls ?? []) {
      const so_far = texts.get(piece.index) ?? "";
      texts.set(piece.index, so_far + (piece.function?.arguments ?? ""));
    }
  }
  assert.deepEqual([...texts.keys()].sort(), [0, 1]);
  for (const text of texts.values()) assert.ok("city" in JSON.parse(text));
});

test("a structured answer fits its schema", async () => {
  const answer = await send({
    model: "acme/echo",
    responseFormat: {
      type: "json_schema",
      jsonSchema: { name: "city", strict: true, schema: CITY_SCHEMA },
    },
  });
  const city = JSON.parse(answer.choices[0].message.content);
  assert.equal(typeof city.city, "string");
  assert.ok(Number.isInteger(city.population));
});

test("reasoning is shown with details, counted and paid", async () => {
  const answer = await send({ model: "acme/thinker", reasoning: { effort: "low" } });
  assert.ok(answer.choices[0].message.reasoning);
  assert.ok(answer.choices[0].message.reasoningDetails.length > 0);
  assert.equal(answer.usage.completionTokensDetails.reasoningTokens, bourse.reasoningTokens);
  assertCostIsExact(answer.usage);
});

test("an abandoned stream is cancelled and settled", async () => {
  let id;
  for await (const chunk of await send({ model: "acme/slow", stream: true })) {
    id = chunk.id;
    break;
  }
  const record = await generation(bourse, id);
  assert.equal(record.cancelled, true);
  assert.ok(record.native_tokens_completion < bourse.slowTokens);
});

// --- Errors -------------------------------------------------------------------

async function refused(kinds, call) {
  let error;
  await assert.rejects(call, (caught) => {
    error = caught;
    return true;
  });
  const typed = [kinds].flat().some((kind) => error instanceof kind);
  assert.ok(typed, `${error.constructor.name}: ${error.message}`);
  assert.equal(error.error.code, error.statusCode);
  assert.ok(error.error.message);
  return error;
}

test("a wrong key is a 401", async () => {
  const wrong = openrouterClient(bourse, `sk-bourse-v1-${"0".repeat(64)}`);
  await refused(errors.UnauthorizedResponseError, () => send({ model: "acme/echo" }, wrong));
});

test("a call that cannot be paid is a 402", async () => {
  const poor = openrouterClient(bourse, bourse.poorKey);
  await refused(errors.PaymentRequiredResponseError, () => send({ model: "acme/echo" }, poor));
});

test("an unknown model is a 400 that names it", async () => {
  const call = () => send({ model: "acme/nothing" });
  const error = await refused(errors.BadRequestResponseError, call);
  assert.match(error.error.message, /acme\/nothing/);
});

test("a rate limit says when to come back", async () => {
  const call = () => send({ model: "acme/limited-openrouter" });
  const error = await refused(errors.TooManyRequestsResponseError, call);
  const seconds = Number(error.headers.get("retry-after"));
  assert.ok(seconds > 0 && seconds <= bourse.retryAfterSeconds, `retry-after ${seconds}`);
});

test("a broken upstream is a typed 5xx, also when a stream was asked", async () => {
  for (const stream of [false, true]) {
    await refused(
      [
        errors.InternalServerResponseError,
        errors.BadGatewayResponseError,
        errors.ServiceUnavailableResponseError,
      ],
      () => send({ model: "acme/broken-openrouter", stream }),
    );
  }
});

for (const fault of ["cut", "confesses"]) {
  test(`a stream that breaks (${fault}) ends in an error chunk`, async () => {
    const chunks = await collect(
      await send({ model: `acme/${fault}-openrouter`, stream: true }),
    );
    const failed = chunks.filter((chunk) => chunk.error);
    assert.equal(failed.length, 1);
    assert.ok(Number.isInteger(failed[0].error.code));
    assert.equal(failed[0].choices[0].finishReason, "error");
  });
}

// --- Models, providers --------------------------------------------------------

test("every listed model is valid and counted", async () => {
  const ids = [];
  for await (const page of await router.models.list()) {
    ids.push(...page.result.data.map((model) => model.id));
  }
  assert.equal(new Set(ids).size, ids.length);
  assert.ok(ids.includes("acme/echo"));
  assert.equal((await router.models.count()).data.count, ids.length);
});

test("one model and its endpoints can be asked for", async () => {
  const model = (await router.models.get({ author: "acme", slug: "echo" })).data;
  assert.equal(model.id, "acme/echo");
  assert.equal(model.contextLength, bourse.contextLength);
  const { data } = await router.endpoints.list({ author: "acme", slug: "echo" });
  assert.equal(data.endpoints.length, 1);
  assert.equal(Number(data.endpoints[0].pricing.prompt), Number(bourse.promptPrice) / 1e6);
});

test("an unknown model page is a typed 404", async () => {
  await refused(errors.NotFoundResponseError, () =>
    router.models.get({ author: "acme", slug: "nothing" }),
  );
});

test("providers are listed", async () => {
  const slugs = (await router.providers.list()).data.map((provider) => provider.slug);
  for (const slug of ["openai", "anthropic", "google-ai-studio"]) assert.ok(slugs.includes(slug));
});

// --- Keys, credits, generations -----------------------------------------------

test("a key lives and dies", async () => {
  const made = await manager.apiKeys.create({ requestBody: { name: "short-lived", limit: 2.5 } });
  const { hash } = made.data;
  assert.equal(made.data.limitRemaining, 2.5);
  const listed = await manager.apiKeys.list();
  assert.ok(listed.data.some((key) => key.hash === hash));
  assert.equal((await manager.apiKeys.get({ hash })).data.name, "short-lived");

  const own = openrouterClient(bourse, made.key);
  assert.ok((await send({ model: "acme/five" }, own)).choices[0].message.content);
  const changed = await manager.apiKeys.update({ hash, requestBody: { disabled: true } });
  assert.equal(changed.data.disabled, true);
  await assert.rejects(
    () => send({ model: "acme/five" }, own),
    (error) => [401, 403].includes(error.statusCode),
  );
  assert.equal((await manager.apiKeys.delete({ hash })).deleted, true);
  await refused(errors.UnauthorizedResponseError, () => send({ model: "acme/five" }, own));
  await refused(errors.NotFoundResponseError, () => manager.apiKeys.get({ hash }));
});

test("a key can look at itself", async () => {
  assert.equal((await router.apiKeys.getCurrentKeyMetadata()).data.isManagementKey, false);
  assert.equal((await manager.apiKeys.getCurrentKeyMetadata()).data.isManagementKey, true);
});

test("credits fall by exactly what a call cost", async () => {
  const used = async () => nanos((await manager.credits.getCredits()).data.totalUsage);
  let before = await used();
  // Earlier tests' calls may still be settling: wait until it stands still.
  await eventually(async () => {
    await new Promise((resolve) => setTimeout(resolve, 300));
    const now = await used();
    if (now === before) return true;
    before = now;
    return undefined;
  });
  const cost = nanos((await send({ model: "acme/echo" })).usage.cost);
  await eventually(async () => ((await used()) === before + cost ? true : undefined));
});

test("a generation can be looked up", async () => {
  const answer = await send({ model: "acme/five" });
  await generation(bourse, answer.id);
  const record = (await router.generations.getGeneration({ id: answer.id })).data;
  assert.equal(record.model, "acme/five");
  assert.equal(record.nativeTokensCompletion, bourse.answerTokens);
  assert.equal(nanos(record.totalCost), nanos(answer.usage.cost));
});

test("an unknown generation is a typed 404", async () => {
  await refused(errors.NotFoundResponseError, () =>
    router.generations.getGeneration({ id: "gen-0000000000-nothing" }),
  );
});

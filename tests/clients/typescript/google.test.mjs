// Google's SDK for TypeScript against Bourse.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { VENDOR_MODELS, generation, googleClient, nanos, priceOf, start } from "./harness.mjs";

const ASK = "Say a few words about tides.";
const CONFIG = { maxOutputTokens: 200 };
const WEATHER = {
  name: "get_weather",
  description: "The weather in a city",
  parametersJsonSchema: {
    type: "object",
    properties: { city: { type: "string" } },
    required: ["city"],
  },
};

// It asks for 22 itself, and runs on 20.
const isTooOld = Number(process.versions.node.split(".")[0]) < 20;

describe("@google/genai", { skip: isTooOld && "it needs Node.js 20" }, () => {
  let bourse;
  let google;

  before(async () => {
    bourse = await start();
    google = await googleClient(bourse);
  });
  after(() => bourse?.stop());

  async function assertChargedExactly(response) {
    const usage = response.usageMetadata;
    const completion = usage.candidatesTokenCount + (usage.thoughtsTokenCount ?? 0);
    const due = priceOf(bourse, usage.promptTokenCount, completion);
    assert.equal(nanos(usage.cost), due);
    const record = await generation(bourse, response.responseId);
    assert.equal(nanos(record.total_cost), due);
  }

  for (const model of VENDOR_MODELS) {
    test(`${model}: an answer is given and charged exactly`, async () => {
      for (const base of ["", "/api"]) {
        const client = await googleClient(bourse, bourse.key, base);
        const request = { model, contents: ASK, config: CONFIG };
        const response = await client.models.generateContent(request);
        assert.match(response.responseId, /^gen-/);
        assert.equal(response.modelVersion, model);
        assert.equal(response.candidates[0].finishReason, "STOP");
        assert.ok(response.text);
        await assertChargedExactly(response);
      }
    });

    test(`${model}: a stream is the answer in pieces`, async () => {
      const request = { model, contents: ASK, config: CONFIG };
      const chunks = [];
      for await (const chunk of await google.models.generateContentStream(request)) {
        chunks.push(chunk);
      }
      assert.ok(chunks.map((chunk) => chunk.text ?? "").join(""));
      assert.equal(chunks.at(-1).candidates[0].finishReason, "STOP");
      await assertChargedExactly(chunks.at(-1));
    });

    test(`${model}: a chat calls a tool, and its result leads to an answer`, async () => {
      const tools = [{ functionDeclarations: [WEATHER] }];
      const toolConfig = { functionCallingConfig: { mode: "ANY" } };
      const chat = google.chats.create({ model });
      const stream = await chat.sendMessageStream({
        message: ASK,
        config: { ...CONFIG, tools, toolConfig },
      });
      const calls = [];
      for await (const chunk of stream) calls.push(...(chunk.functionCalls ?? []));
      assert.equal(calls.length, 1);
      assert.equal(typeof calls[0].args.city, "string");
      const { id, name } = calls[0];
      const functionResponse = { id, name, response: { celsius: 21 } };
      const last = await chat.sendMessage({
        message: [{ functionResponse }],
        config: { ...CONFIG, tools },
      });
      assert.equal(last.candidates[0].finishReason, "STOP");
      assert.ok(last.text);
    });
  }

  test("texts become vectors", async () => {
    for (const model of ["acme/embed", "acme/embed-via-google"]) {
      const { embeddings } = await google.models.embedContent({
        model,
        contents: ["one", "two three"],
        config: { outputDimensionality: 8 },
      });
      assert.deepEqual(embeddings.map((one) => one.values.length), [8, 8]);
    }
  });

  test("tokens are counted, and models are shown", async () => {
    const model = "acme/echo";
    const { totalTokens } = await google.models.countTokens({ model, contents: "Hello there" });
    assert.ok(totalTokens > 0 && totalTokens < 40);
    const shown = await google.models.get({ model });
    assert.equal(shown.inputTokenLimit, bourse.contextLength);
    const names = [];
    for await (const one of await google.models.list({ config: { pageSize: 3 } })) {
      names.push(one.name);
    }
    assert.ok(names.includes("models/acme/echo"));
    assert.equal(new Set(names).size, names.length);
  });

  test("an error has its status, before the stream and in it", async () => {
    const failed = async (model, key = bourse.key) => {
      const client = await googleClient(bourse, key);
      const request = { model, contents: ASK, config: CONFIG };
      try {
        for await (const chunk of await client.models.generateContentStream(request)) {
          assert.ok(chunk);
        }
      } catch (error) {
        return error.status;
      }
      return undefined;
    };
    assert.equal(await failed("acme/echo", "sk-bourse-v1-nonsense"), 401);
    assert.equal(await failed("acme/echo", bourse.poorKey), 402);
    assert.equal(await failed("acme/none"), 400);
    assert.equal(await failed("acme/limited-google"), 429);
    assert.equal(await failed("acme/cut-google"), 502);
  });
});

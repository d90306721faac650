// Vercel's AI SDK with OpenRouter's provider for it, against Bourse.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { createOpenRouter } from "@openrouter/ai-sdk-provider";
import {
  APICallError,
  embedMany,
  generateObject,
  generateText,
  jsonSchema,
  stepCountIs,
  streamText,
  tool,
} from "ai";

import { CITY_SCHEMA, VENDOR_MODELS, start } from "./harness.mjs";

const prompt = "Say a few words about tides.";
const LOOP_MODELS = ["chat", "responses", "anthropic", "gemini", "bedrock"].map(
  (name) => `acme/loop-${name}`,
);
const LOOP_ENDS = "Paris is the warmer of the two.";
const PICTURE =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGNgYGAAAAAEAAH2FzhVAAAAAElFTkSuQmCC";
const inputSchema = jsonSchema({
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
});

describe("@openrouter/ai-sdk-provider with ai", () => {
  let bourse;
  let router;
  const routerOf = (apiKey) => createOpenRouter({ baseURL: bourse.baseUrl, apiKey });

  before(async () => {
    bourse = await start();
    router = routerOf(bourse.key);
  });
  after(() => bourse?.stop());

  for (const id of VENDOR_MODELS) {
    test(`${id}: a question is answered whole and streamed`, async () => {
      const model = router(id, { usage: { include: true } });
      const answer = await generateText({ model, prompt, maxRetries: 0 });
      assert.ok(answer.text);
      assert.ok(answer.providerMetadata.openrouter.usage.cost > 0);
      const stream = streamText({ model, prompt, maxRetries: 0 });
      const pieces = [];
      for await (const piece of stream.textStream) pieces.push(piece);
      assert.ok(pieces.length > 1);
      assert.equal(await stream.finishReason, "stop");
    });
  }

  test("an object comes back, and a picture is shown", async () => {
    const model = router("acme/echo");
    const schema = jsonSchema(CITY_SCHEMA);
    const { object } = await generateObject({ model, prompt, schema, maxRetries: 0 });
    assert.equal(typeof object.population, "number");
    const content = [
      { type: "text", text: prompt },
      { type: "image", image: PICTURE, mediaType: "image/png" },
    ];
    const messages = [{ role: "user", content }];
    assert.ok((await generateText({ model, messages, maxRetries: 0 })).text);
  });

  for (const id of LOOP_MODELS) {
    for (const streams of [false, true]) {
      test(`${id}: tools are called to the end, ${streams ? "streamed" : "whole"}`, async () => {
        const seen = [];
        const made = (name) =>
          tool({
            inputSchema,
            execute: async ({ city }) => {
              seen.push(`${name} ${city}`);
              return { city, celsius: 21 };
            },
          });
        const request = {
          model: router(id, { reasoning: { effort: "low" } }),
          prompt: "Where is it warmer?",
          tools: { get_weather: made("weather"), show_map: made("map") },
          stopWhen: stepCountIs(4),
          maxOutputTokens: 4000,
          maxRetries: 0,
        };
        const result = streams ? streamText(request) : await generateText(request);
        if (streams) await result.consumeStream();
        assert.equal(await result.text, LOOP_ENDS);
        assert.equal((await result.steps).length, 3);
        assert.deepEqual(seen.slice(0, 2).sort(), ["weather Oslo", "weather Paris"]);
        assert.deepEqual(seen.slice(2), ["map Paris"]);
      });
    }
  }

  test("a refusal is its own error with our sentence", async () => {
    for (const [id, key, statuses, sentence] of [
      ["acme/echo", "sk-bourse-v1-wrong", [401], /key/],
      ["acme/echo", bourse.poorKey, [402, 403], /limit/],
      ["acme/none", bourse.key, [400, 404], /acme\/none/],
      ["acme/limited-ai-sdk", bourse.key, [429], /Rate limit/],
    ]) {
      const model = routerOf(key)(id);
      const failed = generateText({ model, prompt, maxRetries: 0 });
      await assert.rejects(failed, (error) => {
        assert.ok(APICallError.isInstance(error), String(error));
        assert.ok(statuses.includes(error.statusCode), String(error.statusCode));
        assert.match(error.message, sentence);
        return true;
      });
    }
  });

  test("texts become vectors", async () => {
    const model = router.textEmbeddingModel("acme/embed");
    const { embeddings } = await embedMany({ model, values: ["one", "two three"] });
    assert.equal(embeddings.length, 2);
    assert.ok(embeddings[0].length > 0);
  });
});

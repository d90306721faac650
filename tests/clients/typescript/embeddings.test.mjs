// openai-node asks Bourse for vectors.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import OpenAI from "openai";

import { nanos, openaiClient, priceOf, start } from "./harness.mjs";

const MODELS = ["acme/embed", "acme/embed-via-google"];
const TEXTS = ["one two three", "tides"];

let bourse;
let client;

before(async () => {
  bourse = await start();
  client = openaiClient(bourse);
});
after(() => bourse?.stop());

for (const model of MODELS) {
  test(`${model}: vectors come decoded and are charged exactly`, async () => {
    // Without a format this library asks for base64 and decodes it.
    const reply = await client.embeddings.create({ model, input: TEXTS });
    assert.equal(reply.object, "list");
    assert.equal(reply.model, model);
    assert.deepEqual(
      reply.data.map((item) => item.index),
      [0, 1],
    );
    for (const { embedding } of reply.data) {
      assert.equal(embedding.length, reply.data[0].embedding.length);
      assert.ok(embedding.every((number) => Number.isFinite(number)));
    }
    assert.equal(reply.usage.prompt_tokens, 4);
    assert.equal(reply.usage.total_tokens, 4);
    assert.equal(nanos(reply.usage.cost), priceOf(bourse, 4, 0));
  });

  test(`${model}: numbers are those of the default, as 32-bit floats`, async () => {
    const ask = { model, input: TEXTS, dimensions: 16 };
    const usual = await client.embeddings.create(ask);
    const numbers = await client.embeddings.create({ ...ask, encoding_format: "float" });
    for (const [at, { embedding }] of numbers.data.entries()) {
      assert.equal(embedding.length, 16);
      assert.deepEqual([...new Float32Array(embedding)], [...usual.data[at].embedding]);
    }
  });
}

test("a hundred inputs and tokens are counted", async () => {
  const ask = (input) => client.embeddings.create({ model: "acme/embed", input });
  const hundred = await ask(Array(100).fill("one two"));
  assert.equal(hundred.data.length, 100);
  assert.equal(hundred.usage.prompt_tokens, 200);
  const tokens = await ask([[1, 2], [3]]);
  assert.equal(tokens.data.length, 2);
  assert.equal(tokens.usage.prompt_tokens, 3);
});

test("what is wrong is refused with a sentence", async () => {
  for (const wrong of [
    { input: "" },
    { input: [] },
    { input: Array(2049).fill("a") },
    { input: "a", dimensions: 0 },
    { input: "a", model: "acme/echo" },
  ]) {
    await assert.rejects(
      client.embeddings.create({ model: "acme/embed", ...wrong }),
      (error) => error instanceof OpenAI.BadRequestError && error.message.length > 0,
    );
  }
});

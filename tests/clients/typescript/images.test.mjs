// openai-node asks Bourse for pictures.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import OpenAI from "openai";

import { nanos, openaiClient, start } from "./harness.mjs";

const MODELS = ["acme/draw", "acme/draw-via-google"];
const PICTURE_NANOS = 40_000_000n;

let bourse;
let client;

before(async () => {
  bourse = await start();
  client = openaiClient(bourse);
});
after(() => bourse?.stop());

for (const model of MODELS) {
  test(`${model}: pictures come and cost what came`, async () => {
    const reply = await client.images.generate({ model, prompt: "a red cat", n: 2 });
    assert.equal(reply.data.length, 2);
    for (const { b64_json } of reply.data) {
      assert.equal(Buffer.from(b64_json, "base64").subarray(1, 4).toString(), "PNG");
    }
    assert.equal(nanos(reply.usage.cost), 2n * PICTURE_NANOS);
  });
}

test("what cannot be asked is a bad request that names it", async () => {
  await assert.rejects(
    client.images.generate({ model: "acme/draw", prompt: "a red cat", n: 11 }),
    (error) => error instanceof OpenAI.BadRequestError && error.error.message.startsWith("n: "),
  );
});

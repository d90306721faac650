// openai-node asks Bourse for pictures.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import OpenAI, { toFile } from "openai";

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

const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

test("pictures are changed", async () => {
  const picture = () => toFile(PNG, "cat.png", { type: "image/png" });
  const image = [await picture(), await picture()];
  const reply = await client.images.edit({ model: "acme/draw", image, prompt: "a red cat" });
  assert.equal(reply.data.length, 1);
  assert.equal(nanos(reply.usage.cost), PICTURE_NANOS);
});

test("a picture is streamed with its beginnings", async () => {
  const stream = await client.images.generate({
    model: "acme/draw",
    prompt: "a red cat",
    stream: true,
    partial_images: 1,
  });
  const kinds = [];
  for await (const event of stream) kinds.push(event.type);
  assert.deepEqual(kinds, ["image_generation.partial_image", "image_generation.completed"]);
});

// openai-node asks Bourse for verdicts.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import OpenAI from "openai";

import { openaiClient, start } from "./harness.mjs";

const MODEL = "openai/omni-moderation-2024-09-26";

let bourse;
let client;

before(async () => {
  bourse = await start();
  client = openaiClient(bourse);
});
after(() => bourse?.stop());

test("each text has a verdict", async () => {
  const reply = await client.moderations.create({ model: MODEL, input: ["to harm", "tides"] });
  assert.deepEqual(
    reply.results.map((result) => result.flagged),
    [true, false],
  );
  assert.equal(reply.results[0].categories.violence, true);
  assert.equal(reply.results[0].category_scores.violence, 0.97);
});

test("no model means OpenAI's", async () => {
  const reply = await client.moderations.create({ input: "harm" });
  assert.equal(reply.results[0].flagged, true);
});

test("what cannot be asked is a bad request that names it", async () => {
  await assert.rejects(
    client.moderations.create({ model: MODEL, input: [] }),
    (error) => error instanceof OpenAI.BadRequestError && error.error.message.startsWith("input: "),
  );
});

// Batches with openai-node and Anthropic's SDK for TypeScript, unmodified.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { toFile } from "openai";

import { ASK, anthropicClient, openaiClient, start } from "./harness.mjs";

const PATIENCE_MS = 60_000;

let bourse;

before(async () => {
  bourse = await start();
});
after(() => bourse?.stop());

async function until(read, isSo) {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await read();
    if (isSo(found)) return found;
    assert.ok(Date.now() < deadline, JSON.stringify(found));
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test("OpenAI's batch is made, polled and read", async () => {
  const client = openaiClient(bourse);
  const line = (name) =>
    JSON.stringify({
      custom_id: name,
      method: "POST",
      url: "/v1/chat/completions",
      body: { model: "acme/echo", messages: ASK },
    });
  const file = await client.files.create({
    file: await toFile(Buffer.from(`${line("a")}\n${line("b")}\n`), "lines.jsonl"),
    purpose: "batch",
  });
  const batch = await client.batches.create({
    input_file_id: file.id,
    endpoint: "/v1/chat/completions",
    completion_window: "24h",
  });
  const ended = await until(
    () => client.batches.retrieve(batch.id),
    (one) => one.status === "completed",
  );
  assert.deepEqual(ended.request_counts, { total: 2, completed: 2, failed: 0 });
  const content = await (await client.files.content(ended.output_file_id)).text();
  const answers = content.trimEnd().split("\n").map((one) => JSON.parse(one));
  assert.deepEqual(answers.map((one) => one.custom_id), ["a", "b"]);
  assert.ok(answers[0].response.body.choices[0].message.content);
  const listed = [];
  for await (const one of client.batches.list()) listed.push(one.id);
  assert.ok(listed.includes(batch.id));
  assert.equal((await client.files.delete(file.id)).deleted, true);
});

test("Anthropic's batch is made, polled, read and deleted", async () => {
  const claude = anthropicClient(bourse);
  const request = (name, model = "acme/echo") => ({
    custom_id: name,
    params: { model, max_tokens: 50, messages: ASK },
  });
  const batch = await claude.messages.batches.create({
    requests: [request("a"), request("bad", "no/such")],
  });
  const ended = await until(
    () => claude.messages.batches.retrieve(batch.id),
    (one) => one.processing_status === "ended",
  );
  assert.equal(ended.request_counts.succeeded, 1);
  const results = {};
  for await (const one of await claude.messages.batches.results(batch.id)) {
    results[one.custom_id] = one.result;
  }
  assert.equal(results.a.type, "succeeded");
  assert.ok(results.a.message.content[0].text);
  assert.equal(results.bad.error.error.type, "invalid_request_error");
  assert.equal((await claude.messages.batches.delete(batch.id)).id, batch.id);
});

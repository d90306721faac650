// openai-node has Bourse speak and listen.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { after, before, test } from "node:test";

import OpenAI, { toFile } from "openai";

import { nanos, openaiClient, priceOf, start } from "./harness.mjs";

let bourse;
let client;

before(async () => {
  bourse = await start();
  client = openaiClient(bourse);
});
after(() => bourse?.stop());

/** Silence: a WAV of 8,000 samples of 16 bits a second. */
async function sound(seconds) {
  const data = Buffer.alloc(44 + 16_000 * seconds);
  data.write("RIFF\0\0\0\0WAVEfmt ", 0, "latin1");
  data.writeUInt32LE(16, 16);
  data.writeUInt16LE(1, 20);
  data.writeUInt16LE(1, 22);
  data.writeUInt32LE(8_000, 24);
  data.writeUInt32LE(16_000, 28);
  data.writeUInt16LE(2, 32);
  data.writeUInt16LE(16, 34);
  data.write("data", 36, "latin1");
  data.writeUInt32LE(16_000 * seconds, 40);
  return toFile(data, "voice.wav", { type: "audio/wav" });
}

test("a text is read aloud, whole and as it comes", async () => {
  const ask = { model: "acme/tts", voice: "alloy", input: "one two three" };
  const response = await client.audio.speech.create(ask);
  assert.equal(response.headers.get("content-type"), "audio/mpeg");
  const whole = Buffer.from(await response.arrayBuffer());
  assert.equal(whole.readUInt16BE(0), 0xfffb);
  const streamed = await client.audio.speech.create({ ...ask, model: "acme/token-tts" });
  let bytes = 0;
  for await (const piece of streamed.body) bytes += piece.length;
  assert.equal(bytes, whole.length);
});

test("a sound is written down and charged by its seconds", async () => {
  const ask = { model: "acme/whisper", file: await sound(3) };
  const told = await client.audio.transcriptions.create(ask);
  assert.ok(told.text);
  assert.equal(told.usage.type, "duration");
  assert.equal(told.usage.seconds, 3);
  assert.equal(nanos(told.usage.cost), 300_000n);
  const text = await client.audio.transcriptions.create({ ...ask, response_format: "text" });
  assert.equal(typeof text, "string");
  const english = await client.audio.translations.create(ask);
  assert.ok(english.text);
});

test("a transcript is streamed and charged by its tokens", async () => {
  const stream = await client.audio.transcriptions.create({
    model: "acme/transcribe",
    file: await sound(2),
    stream: true,
  });
  const events = [];
  for await (const event of stream) events.push(event);
  const done = events.pop();
  assert.equal(done.type, "transcript.text.done");
  assert.equal(events.map((event) => event.delta).join(""), done.text);
  const { input_tokens, output_tokens, cost } = done.usage;
  assert.equal(input_tokens, 20);
  assert.equal(nanos(cost), priceOf(bourse, input_tokens, output_tokens));
});

test("what is wrong is refused with the field", async () => {
  const long = { model: "acme/tts", voice: "alloy", input: "x".repeat(4_097) };
  await assert.rejects(client.audio.speech.create(long), (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.match(error.message, /input: /);
    return true;
  });
});

// openai-node's Responses against Bourse.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { openaiClient, start } from "./harness.mjs";

const ASK = "Say a few words about tides.";
const WEATHER = {
  type: "function",
  name: "get_weather",
  description: "The weather in a city",
  parameters: {
    type: "object",
    properties: { city: { type: "string" } },
    required: ["city"],
  },
  strict: false,
};

let bourse;
let client;

before(async () => {
  bourse = await start();
  client = openaiClient(bourse);
});
after(() => bourse.stop());

test("a response is answered", async () => {
  const answer = await client.responses.create({ model: "acme/echo", input: ASK });
  assert.equal(answer.status, "completed");
  assert.ok(answer.output_text);
  assert.ok(answer.usage.cost > 0);
});

test("a stream is gathered into the response that ends it", async () => {
  const stream = client.responses.stream({ model: "acme/echo", input: ASK });
  let said = "";
  stream.on("response.output_text.delta", (event) => {
    said += event.delta;
  });
  const final = await stream.finalResponse();
  assert.equal(final.output_text, said);
});

test("a tool is called and its result leads to an answer", async () => {
  const first = await client.responses.create({
    model: "acme/via-openai",
    input: ASK,
    tools: [WEATHER],
    tool_choice: "required",
  });
  const call = first.output.find((item) => item.type === "function_call");
  assert.equal(typeof JSON.parse(call.arguments).city, "string");
  const second = await client.responses.create({
    model: "acme/via-openai",
    input: [
      { role: "user", content: ASK },
      ...first.output,
      { type: "function_call_output", call_id: call.call_id, output: "21" },
    ],
    tools: [WEATHER],
  });
  assert.ok(second.output_text);
});

test("what is not kept is refused with its name", async () => {
  await assert.rejects(
    client.responses.create({ model: "acme/echo", input: ASK, previous_response_id: "resp_1" }),
    (error) => error.status === 400 && /previous_response_id/.test(error.message),
  );
});

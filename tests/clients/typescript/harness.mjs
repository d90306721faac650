// Starts the same gateway as the Python tests do, through their harness,
// and gives each client what it needs to reach it.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import Anthropic from "@anthropic-ai/sdk";
import { OpenRouter } from "@openrouter/sdk";
import OpenAI from "openai";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const VENV_PYTHON = `${ROOT}.cache/venv/bin/python`;
const TIMEOUT_MS = 30_000;

// OpenRouter's SDK cancels a reply's body when it has read `[DONE]`. The fetch
// of Node.js 18, which Debian 12 has, may still put bytes into the cancelled
// body, and the rejection, which has no owner, would end the test process.
// Newer releases look first; here we look for them.
if (Number(process.versions.node.split(".")[0]) < 20) {
  const { prototype } = ReadableStreamDefaultController;
  const { enqueue } = prototype;
  prototype.enqueue = function (chunk) {
    try {
      return enqueue.call(this, chunk);
    } catch (error) {
      if (error.code !== "ERR_INVALID_STATE") throw error;
      return undefined;
    }
  };
}

/** Starts the gateway; `stop` ends it. */
export async function start() {
  const python = existsSync(VENV_PYTHON) ? VENV_PYTHON : "python3";
  const child = spawn(python, [`${ROOT}tests/clients/harness.py`], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const exited = new Promise((resolve) => child.once("exit", resolve));
  const line = await Promise.race([
    new Promise((resolve) => createInterface({ input: child.stdout }).once("line", resolve)),
    exited.then((status) => {
      throw new Error(`the harness ended with status ${status} before the gateway was ready`);
    }),
  ]);
  return {
    ...JSON.parse(line),
    async stop() {
      child.stdin.end();
      await exited;
    },
  };
}

/** openai-node, without retries: a test wants to see the first answer. */
export function openaiClient(bourse, apiKey = bourse.key) {
  return new OpenAI({ baseURL: bourse.baseUrl, apiKey, maxRetries: 0, timeout: TIMEOUT_MS });
}

/** Anthropic's SDK, likewise; it adds /v1 itself. */
export function anthropicClient(bourse, apiKey = bourse.key, base = "/api") {
  return new Anthropic({
    baseURL: bourse.root + base,
    apiKey,
    maxRetries: 0,
    timeout: TIMEOUT_MS,
  });
}

/** Google's SDK, likewise; it adds the version itself. */
export async function googleClient(bourse, apiKey = bourse.key, base = "") {
  // Imported late: releases of Node.js before 20, which Debian 12 has, cannot.
  const { GoogleGenAI } = await import("@google/genai");
  return new GoogleGenAI({
    apiKey,
    httpOptions: { baseUrl: bourse.root + base, timeout: TIMEOUT_MS },
  });
}

/** OpenRouter's SDK, likewise. */
export function openrouterClient(bourse, apiKey = bourse.key) {
  return new OpenRouter({
    serverURL: bourse.baseUrl,
    apiKey,
    retryConfig: { strategy: "none" },
    timeoutMs: TIMEOUT_MS,
  });
}

/** A decimal number of US dollars as whole nano-dollars. */
export function nanos(usd) {
  // Nine decimals hold a nano-dollar, and a double holds 15 digits, so
  // rounding finds the decimal that was written.
  return BigInt(Math.round(Number(usd) * 1e9));
}

/** What the tests' prices make of a usage, in nano-dollars. */
export function priceOf(bourse, promptTokens, completionTokens) {
  // Prices are USD per million tokens, and whole nano-dollars per token.
  const perToken = (price) => nanos(price) / 1_000_000n;
  return (
    BigInt(promptTokens) * perToken(bourse.promptPrice) +
    BigInt(completionTokens) * perToken(bourse.completionPrice)
  );
}

/** Polls until `look` gives something, because settling follows the answer. */
export async function eventually(look, ms = 10_000) {
  const deadline = Date.now() + ms;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`nothing after ${ms} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A settled generation's record, as the API tells it. */
export function generation(bourse, id) {
  return eventually(async () => {
    const reply = await fetch(`${bourse.baseUrl}/generation?id=${id}`, {
      headers: { authorization: `Bearer ${bourse.key}` },
    });
    if (reply.status === 404) return undefined;
    if (reply.status !== 200) throw new Error(`${reply.status}: ${await reply.text()}`);
    return (await reply.json()).data;
  });
}

export const ASK = [{ role: "user", content: "Say a few words about tides." }];

export const WEATHER = {
  type: "function",
  function: {
    name: "get_weather",
    description: "The weather in a city",
    parameters: {
      type: "object",
      properties: { city: { type: "string" } },
      required: ["city"],
    },
  },
};

export const CITY_SCHEMA = {
  type: "object",
  properties: { city: { type: "string" }, population: { type: "integer" } },
  required: ["city", "population"],
  additionalProperties: false,
};

export const VENDOR_MODELS = [
  "acme/echo",
  "acme/via-openai",
  "acme/via-anthropic",
  "acme/via-google-ai-studio",
];

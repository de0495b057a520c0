// Makes calls with the real SDKs for tests that are written in Python.
//
// `node driver.mjs FOLDER [URL]`: FOLDER holds node_modules, URL is where llmtest serves; without it the SDKs go where the
// environment sends them. Each line on stdin is a call,
// `{"call": "chat", "client": {"maxRetries": 0}, "abortAfter": 50, ...}`, the last in milliseconds; each line on stdout
// says what came of it: `value` (what the SDK returned), `chunks` (what a stream gave, also before it broke), `error`,
// `requests` (how often the SDK asked), `waits` (milliseconds between one answer and the next request), `took`
// (milliseconds of the whole call) and `aborted`.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

import * as aiSdkCalls from './ai_sdk.mjs';
import * as sdkCalls from './calls.mjs';

const LONGEST_MS = 20_000;
const [folder, url] = process.argv.slice(2);

const calls = { ...sdkCalls, ...aiSdkCalls };
const load = (name, entry = 'index.mjs') => import(pathToFileURL(path.join(folder, 'node_modules', name, entry)));
const version = (name) => JSON.parse(readFileSync(path.join(folder, 'node_modules', name, 'package.json'))).version;
const { default: OpenAI } = await load('openai');
const { default: Anthropic } = await load('@anthropic-ai/sdk');

function countingFetch(told) {
  let answeredAt;
  return async (...request) => {
    told.requests += 1;
    if (answeredAt !== undefined) told.waits.push(performance.now() - answeredAt);
    try {
      return await fetch(...request);
    } finally {
      answeredAt = performance.now();
    }
  };
}

function clients(told, options, signal) {
  const common = { logLevel: 'off', fetch: countingFetch(told), ...options };
  const here = (path) => (url ? { apiKey: 'sk-test-of-the-node-sdk', baseURL: `${url}${path}` } : {});
  return {
    url,
    load,
    chunks: told.chunks,
    request: signal ? { signal } : {},
    openai: new OpenAI({ ...here('/v1'), ...common }),
    anthropic: new Anthropic({ ...here(''), ...common }),
  };
}

function classes(error) {
  const names = [];
  for (let kind = error?.constructor; kind?.name && kind !== Object; kind = Object.getPrototypeOf(kind)) {
    names.push(kind.name);
  }
  return names;
}

function describe(error) {
  const { message, status, code, type, param, requestID, errorCode } = error;
  const causes = [];
  for (let cause = error.cause; cause; cause = cause.cause) causes.push(cause.code ?? cause.message);
  return { classes: classes(error), message, status, code, type, param, requestID, errorCode, causes };
}

async function run({ call, client = {}, abortAfter, ...given }) {
  const told = { value: undefined, chunks: [], error: null, requests: 0, waits: [] };
  const signal = abortAfter === undefined ? undefined : AbortSignal.timeout(abortAfter);
  const startedAt = performance.now();
  try {
    told.value = await calls[call](clients(told, client, signal), given);
  } catch (error) {
    told.error = describe(error);
  }
  told.took = performance.now() - startedAt;
  told.aborted = Boolean(signal?.aborted);
  return told;
}

function limited(promise) {
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(() => resolve({ hung: true }), LONGEST_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

say({ node: process.version, openai: version('openai'), anthropic: version('@anthropic-ai/sdk') });
for await (const line of createInterface({ input: process.stdin })) say(await limited(run(JSON.parse(line))));
process.exit(0);

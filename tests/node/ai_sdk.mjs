// Calls through Vercel's AI SDK, which has clients of its own and checks every answer against a schema.

async function parts({ url, load }, provider) {
  const { generateText, streamText, embed, jsonSchema, stepCountIs, tool } = await load('ai', 'dist/index.mjs');
  const { createOpenAI } = await load('@ai-sdk/openai', 'dist/index.mjs');
  const { createAnthropic } = await load('@ai-sdk/anthropic', 'dist/index.mjs');
  const options = { baseURL: `${url}/v1`, apiKey: 'key' };
  const openai = createOpenAI(options);
  const models = { openai: openai.chat('gpt-4o'), anthropic: createAnthropic(options)('claude-sonnet-4-6') };
  const weather = tool({
    description: 'The weather in a city.',
    inputSchema: jsonSchema({ type: 'object', properties: { city: { type: 'string' } } }),
    execute: async ({ city }) => `${city}: 18 degrees`,
  });
  const ask = { model: models[provider], prompt: 'Capital of France?', maxRetries: 2 };
  return { ask, embed, embedder: openai.textEmbeddingModel('text-embedding-3-small'), generateText, streamText, weather, stepCountIs };
}

export async function aiText(context, { provider }) {
  const { ask, generateText } = await parts(context, provider);
  const { text, reasoningText, finishReason, usage } = await generateText(ask);
  return { text, reasoningText, finishReason, inputTokens: usage.inputTokens, outputTokens: usage.outputTokens };
}

export async function aiStream(context, { provider }) {
  const { ask, streamText } = await parts(context, provider);
  const errors = [];
  const result = streamText({ ...ask, onError: ({ error }) => errors.push(error?.message ?? String(error)) });
  for await (const text of result.textStream) context.chunks.push(text);
  if (errors.length) return { errors };
  const usage = await result.usage;
  return { finishReason: await result.finishReason, outputTokens: usage.outputTokens };
}

export async function aiTools(context, { provider }) {
  const { ask, generateText, stepCountIs, weather } = await parts(context, provider);
  const { text, steps } = await generateText({ ...ask, tools: { weather }, stopWhen: stepCountIs(3) });
  return { text, steps: steps.length };
}

export async function aiEmbed(context) {
  const { embed, embedder } = await parts(context, 'openai');
  return (await embed({ model: embedder, value: 'Paris' })).embedding.length;
}

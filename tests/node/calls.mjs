// The calls that tests make, as an application would write them. Each gets the clients and what the test gave it.

const PROMPT = 'Capital of France?';
const CHAT = { model: 'gpt-4o', messages: [{ role: 'user', content: PROMPT }] };
const MESSAGE = { model: 'claude-sonnet-4-6', max_tokens: 200, messages: [{ role: 'user', content: PROMPT }] };

async function collect(stream, chunks) {
  for await (const chunk of stream) chunks.push(chunk);
}

// OpenAI

export async function chat({ openai, request }, { body = {} }) {
  const { data, request_id, response } = await openai.chat.completions
    .create({ ...CHAT, ...body }, request)
    .withResponse();
  return typeof data === 'object' ? { ...data, request_id, headers: Object.fromEntries(response.headers) } : data;
}

export async function chatStream({ openai, chunks, request }, { body = {} }) {
  const stream = await openai.chat.completions.create({ ...CHAT, ...body, stream: true }, request);
  await collect(stream, chunks);
}

export async function chatStreamHelper({ openai, chunks }, { body = {} }) {
  const stream = openai.chat.completions.stream({ ...CHAT, ...body });
  stream.on('content', (delta) => chunks.push(delta));
  return stream.finalChatCompletion();
}

export async function runTools({ openai, chunks }, { result }) {
  const weather = {
    type: 'function',
    function: {
      name: 'weather',
      description: 'The weather in a city.',
      parameters: { type: 'object', properties: { city: { type: 'string' } } },
      parse: JSON.parse,
      function: (given) => {
        chunks.push(given);
        return result;
      },
    },
  };
  return openai.chat.completions.runTools({ ...CHAT, tools: [weather] }).finalContent();
}

export const embeddings = ({ openai }, { body }) =>
  openai.embeddings.create({ model: 'text-embedding-3-small', ...body });

export const models = async ({ openai, chunks }) => collect(await openai.models.list(), chunks);

export const model = ({ openai }, { id }) => openai.models.retrieve(id);

export async function manyChats({ openai }, { count }) {
  const answers = await Promise.all(
    Array.from({ length: count }, (_, number) =>
      openai.chat.completions.create({ ...CHAT, messages: [{ role: 'user', content: `number ${number}` }] }),
    ),
  );
  return answers.map((answer) => answer.choices[0].message.content);
}

// Opens many streams, and says how many.
const held = [];
export async function open({ openai, anthropic }, { count }) {
  const streams = await Promise.all(
    Array.from({ length: count }, (_, number) =>
      number % 2
        ? openai.chat.completions.create({ ...CHAT, stream: true })
        : anthropic.messages.create({ ...MESSAGE, stream: true }),
    ),
  );
  held.push(...streams);
  return streams.length;
}

// Opens many streams, reads the first chunk of each, and leaves them all.
export async function vanish(clients, { count }) {
  const opened = await open(clients, { count });
  await Promise.all(
    held.splice(0).map(async (stream) => {
      for await (const _ of stream) break;
    }),
  );
  return opened;
}

// Anthropic

export async function message({ anthropic, request }, { body = {} }) {
  const { data, request_id, response } = await anthropic.messages
    .create({ ...MESSAGE, ...body }, request)
    .withResponse();
  return typeof data === 'object' ? { ...data, request_id, headers: Object.fromEntries(response.headers) } : data;
}

export async function messageStream({ anthropic, chunks, request }, { body = {} }) {
  const stream = await anthropic.messages.create({ ...MESSAGE, ...body, stream: true }, request);
  await collect(stream, chunks);
}

export async function messageStreamHelper({ anthropic, chunks }, { body = {} }) {
  const stream = anthropic.messages.stream({ ...MESSAGE, ...body });
  stream.on('text', (delta) => chunks.push(delta));
  return stream.finalMessage();
}

export async function toolRunner({ anthropic, chunks }, { result }) {
  const weather = {
    type: 'custom',
    name: 'weather',
    description: 'The weather in a city.',
    input_schema: { type: 'object', properties: { city: { type: 'string' } } },
    parse: (given) => given,
    run: (given) => {
      chunks.push(given);
      return result;
    },
  };
  return anthropic.beta.messages.toolRunner({ ...MESSAGE, tools: [weather] });
}

export const countTokens = ({ anthropic }, { body = {} }) => {
  const { model: name, messages } = MESSAGE;
  return anthropic.messages.countTokens({ model: name, messages, ...body });
};

export const anthropicModels = async ({ anthropic, chunks }) => collect(await anthropic.models.list(), chunks);

export const anthropicModel = ({ anthropic }, { id }) => anthropic.models.retrieve(id);

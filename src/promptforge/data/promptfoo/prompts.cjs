// Makes what is sent: the compiled prompt of an agent, byte for byte, then the question of the case.
// promptfoo would render {{ … }} and {% … %} in it; so what begins or ends a tag is handed over as a tag that prints it.
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const read = (name) => JSON.parse(fs.readFileSync(path.join(__dirname, name), 'utf8'));
const suite = read('cases.json');
const untouched = (text) => text.replace(/\{(?=[{%#])|#(?=\})/g, (sign) => `{{ "${sign}" }}`);
const filled = (text, names) =>
  Object.entries(names).reduce((now, [name, value]) => now.split(`{{ ${name} }}`).join(value), text);

// Without promptforge in promptfoo's Python no answer could be scored: better said before anything is sent.
const tried = (python) => spawnSync(python, ['-c', 'import promptforge.bench.promptfooscore'], { encoding: 'utf8' });
const pythons = process.env.PROMPTFOO_PYTHON ? [process.env.PROMPTFOO_PYTHON] : ['python', 'python3'];
const found = pythons.map(tried).find(({ error }) => !error);
if (!found || found.status !== 0) {
  throw new Error(
    `no answer could be scored: ${found ? 'promptforge is not installed for' : 'there is no'} ${pythons.join(' or ')}; ` +
      'install it there from where yours came from (the bare name is another project on the public index), ' +
      'or name a Python that has it: PROMPTFOO_PYTHON=/path/to/python'
  );
}

module.exports = ({ vars, config }) => {
  const model = suite.models[config.model];
  const one = suite.cases[vars.case];
  if (model.key && !process.env[model.key]) {
    // promptfoo would send the key of OPENAI_API_KEY instead, to whatever server this is.
    throw new Error(`the environment variable ${model.key} is not set: it holds the key of ${config.model}`);
  }
  const turns = one.messages.map(([role, content]) => ({ role, content }));
  const messages = [...read(config.messages), ...turns].map(({ role, content }) => ({
    role,
    content: untouched(filled(content, one.vars)),
  }));
  const tools = one.tools.length ? { tools: one.tools.map((tool) => ({ type: 'function', function: tool })) } : {};
  return { prompt: messages, config: { passthrough: { model: model.model, ...model.params, ...tools } } };
};

"""The baseline: what a careful engineer would write in an afternoon with jinja2 and PyYAML's C loader.

    python benchmarks/handwritten.py FOLDER

Reads knowledge.yaml and agents.yaml, renders one template an agent, counts tokens (rs-bpe, o200k), checks the budget
and writes agent_prompts.yaml. No positions, no provenance, no locks, no validation.
"""

import os
import sys
from pathlib import Path

import jinja2
import yaml
from rs_bpe.bpe import openai

TEMPLATE = """{{ agent.persona }}
{% for table, rows in tables %}
## {{ table }}
| {{ rows[0] | join(' | ') }} |
|{% for column in rows[0] %}---|{% endfor %}

{% for row in rows %}| {{ row.values() | join(' | ') }} |
{% endfor %}{% endfor %}
## Examples
{% for shot in agent.shots %}Q: {{ shot.q }}
A: {{ shot.a }}
{% endfor %}"""


class _Dumper(yaml.CSafeDumper):
    pass


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None),
)


def main(folder: Path) -> None:
    with (folder / "knowledge.yaml").open() as file:
        knowledge = yaml.load(file, Loader=yaml.CSafeLoader)
    with (folder / "agents.yaml").open() as file:
        agents = yaml.load(file, Loader=yaml.CSafeLoader)
    template = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True).from_string(TEMPLATE)
    tokenizer = openai.o200k_base()
    prompts = {}
    for name, agent in agents.items():
        tables = [(t, [{"name": n, **knowledge[t][n]} for n in names]) for t, names in agent["uses"].items()]
        system = template.render(agent=agent, tables=tables)
        tokens = tokenizer.count(system)
        if tokens > agent["budget"]:
            raise SystemExit(f"{name} is over its budget: {tokens}")
        prompts[name] = {"system": system, "tokens": tokens}
    place = folder / "agent_prompts.yaml"
    with place.with_suffix(".tmp").open("w") as file:
        yaml.dump(prompts, file, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10**9)
    os.replace(place.with_suffix(".tmp"), place)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""YAML by place: layout, comments, quotes; keys of the format; files with mistakes."""

import re
from pathlib import Path

from promptforge.compiler.link import link
from promptforge.compiler.load import load
from promptforge.files import Tree
from promptforge.redaction.key import Key
from promptforge.redaction.redaction import Redaction, make_redaction

KEY = Key(b"a key of thirty-two bytes or so.")


def of(**files: str) -> tuple[Redaction, dict[str, str]]:
    """A project of knowledge files and agents, and what became of them."""
    texts = {("knowledge/" if name != "keeper" else "agents/") + f"{name}.yaml": text for name, text in files.items()}
    tree = Tree(
        root=Path("/nowhere"), files={"promptforge.yaml": b"name: x\n", **{p: t.encode() for p, t in texts.items()}}
    )
    tables = link(load(tree)[0])[0].tables
    redaction = make_redaction(KEY, tables, texts.values())
    return redaction, {path.split("/")[1][:-5]: redaction.file(path, text)[0] for path, text in texts.items()}


HOSTS = (
    "# the mini, and Mini's brother   \r\n"
    "hosts:\r\n"
    "    mini :   {role: hub,lan_ip: 192.168.1.20 ,  mac: '3c22.fb0a.1b2c'}   # mini!\r\n"
    "\r\n"
    '    "nas":\r\n'
    "        notes: >-\r\n"
    "            below the mini,\r\n"
    "            192.168.1.21\r\n"
    "    ? gate\r\n"
    "    : {ssh: &way mini, os: *way}\r\n"
)


def test_only_what_names_is_touched():
    """Each byte between two replacements is the byte that was there."""
    redaction, made = of(a=HOSTS)
    names = redaction.names.exact
    wanted = HOSTS
    for name in ("mini", "nas", "gate"):
        wanted = re.sub(rf"\b{name}\b", names[name], wanted)
    wanted = wanted.replace("Mini", names["mini"].capitalize())
    for written in re.findall(r"192\.168\.1\.2\d|3c22\.fb0a\.1b2c", HOSTS):
        wanted = wanted.replace(written, redaction.redactor.text(written))
    assert made["a"] == wanted


def test_a_host_may_be_called_like_a_column():
    """`role` is a key of the format and here also a host: the key stays."""
    redaction, made = of(a="hosts:\n  role: {role: role}\n  tcp: {}\nports:\n- {host: tcp, port: 1, proto: tcp}\n")
    role, tcp = redaction.names.exact["role"], redaction.names.exact["tcp"]
    assert (
        made["a"]
        == f"hosts:\n  {role}: {{role: role}}\n  {tcp}: {{}}\nports:\n- {{host: {tcp}, port: 1, proto: tcp}}\n"
    )


def test_quotes_and_escapes():
    """What is written with escapes is read first."""
    text = "hosts: {Ada: {}}\npeople:\n- {name: \"Ada's\\u0020twin\", notes: 'Ada''s', role: \"x\\tAda\\u0027s\"}\n"
    redaction, made = of(a=text)
    ada, twin = redaction.names.exact["Ada"], redaction.names.exact["Ada's twin"]
    wanted = f"hosts: {{{ada}: {{}}}}\npeople:\n- {{name: \"{twin}\", notes: '{ada}''s', role: \"x\\t{ada}'s\"}}\n"
    assert made["a"] == wanted


def test_a_where_selects_what_it_selected():
    """Values are compared with cells, so they are replaced as cells are."""
    hosts = "hosts: {local: {site: any}, b: {site: any}}\nsites: {any: {}}\n"
    keeper = "name: keeper\nsections: [persona, {table: hosts, where: {name: [local, b], site: {not: any}, site.name: any}}]\n"
    redaction, made = of(a=hosts, keeper=keeper)
    names = redaction.names.exact
    assert (
        f"where: {{name: [{names['local']}, {names['b']}], site: {{not: {names['any']}}}, site.name: {names['any']}}}"
        in made["keeper"]
    )


def test_a_file_with_a_mistake_is_read_as_text():
    """A broken project is what bug reports are about."""
    redaction, made = of(a="hosts: {mini: {}}\n", keeper="name: keeper\npersona: [You are mini's, 192.168.1.20\n")
    mini = redaction.names.exact["mini"]
    assert re.fullmatch(rf"name: keeper\npersona: \[You are {mini}'s, \d+\.\d+\.\d+\.\d+\n", made["keeper"])
    assert redaction.file("agents/keeper.yaml", "a: [\n")[1] is False


def test_a_secret_is_taken_out_everywhere():
    """Told by its column in one place, it may stand in a sentence in another."""
    redaction, made = of(
        a="wifi:\n- {ssid: Net, password: correct-horse-99}\n", b="hosts:\n  x: {notes: correct-horse-99 again}\n"
    )
    assert redaction.redactor.secrets == {"correct-horse-99"}
    assert redaction.redactor.without_secrets(made["b"]).endswith("{notes: <removed> again}\n")


def test_secrets_are_taken_out():
    """A redacted project has none, whatever they are."""
    _, made = of(a="wifi:\n- {ssid: Net, password: correct-horse-99, note: 'PIN of the alarm: 482913'}\n")
    assert "correct" not in made["a"]
    assert "482913" not in made["a"]
    assert made["a"].count("<removed>") == 2

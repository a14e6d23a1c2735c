"""A small invented house, written so that each trap of redaction is in it once."""

from pathlib import Path

__all__ = ["FILES", "NOTHING_OF", "make"]

FILES = {
    "promptforge.yaml": (
        "# Odette's house, mailto:odette.quill@quill-family.net\n"
        "name: quills\n"
        "models:\n"
        '  small: {backend: compatible, base_url: "http://192.168.178.20:1338/v1", model: gpt-4o-mini, tier: local}\n'
        '  other: {backend: openai, model: gpt-4.1, tier: cloud, api_key: "env:KEY"}\n'
    ),
    "knowledge/house.yaml": (
        "sites:\n"
        "  home: {subnet: 192.168.178.0/24}\n"
        "hosts:\n"
        "  mini: {site: home, lan_ip: 192.168.178.20, mac: 3C:22:FB:0A:1B:2C, tailscale_ip: 100.101.102.103,"
        " dns: mini.quill.net}   # the mini, 3c22.fb0a.1b2c\n"
        "  local:   {site: home, lan_ip: 192.168.178.21, mac: 'b8-27-eb-aa-bb-cc'}\n"
        "  gate: {lan_ip: 192.168.178.1, notes: \"reaches fd12:3456:789a:1::5/64, Odette''s\"}\n"
        "ports:\n"
        "  - {host: mini, port: 8123, codename: port, service: Home Assistant}\n"
        '  - {host: local, port: 8123, codename: 1337, service: "Mini\\u0027s spare"}\n'
        "people:\n"
        '  Odette Quill: {role: mother, phone: "+49 170 1234567"}\n'
        "  Jörg: {role: father}\n"
        "devices:\n"
        '  - {name: "Lina\'s iPhone", owner: Odette Quill, mac: 3c:22:fb:a:1b:2d}\n'
        "entities:\n"
        "  - {entity_id: light.odettes_lamp, name: Odette's lamp}\n"
        "  - entity_id: sensor.0x00158d0001abcdef_temperature\n"
        "    name: >-\n"
        "      Bed\n"
        "      Sensor\n"
        "wifi:\n"
        "  - {ssid: QuillNet, channel: 6}\n"
    ),
    "agents/mini.yaml": (
        "name: mini\n"
        "model: small\n"
        "persona: |\n"
        "  You are Mini, guard of Odette's house at quill-family.net.  Call odette on +49 170 1234567.\n"
        "  JÖRG and Joerg and Jörg's. 3C22FB0A1B2C; mini's light.odettes_lamp; ODETTES_LAMP; /home/odette/x.yaml\n"
        "sections:\n"
        "  - persona\n"
        "  - {table: hosts, where: {name: local}}\n"
        "  - {table: ports, where: {codename: 1337}}\n"
        "  - {template: mini.md.j2}\n"
        "  - {fewshot: 1}\n"
    ),
    "agents/templates/mini.md.j2": (
        "{{ hosts.mini.lan_ip }} {{ hosts['local'].lan_ip }} {{ people['Odette Quill'].role }}\n"
        "{{ one('ports', codename='port').port }} Odette lives at home; {{ ports['mini:8123'].service }}\n"
    ),
    "fewshot/x.yaml": (
        "examples:\n"
        "  - {id: a, user: 'Where''s Lina''s iPhone?',"
        ' assistant: "{{ devices[\\"Lina\'s iPhone\\"].mac }} at http://nas.quill.lan/x"}\n'
    ),
    "training/replay/a.jsonl": '{"q": "Odette\\u0027s J\\u00f6rg said \\"hi\\" at 192.168.178.20"}\n',
}
NOTHING_OF = (
    *("odette", "quill", "jörg", "joerg", "lina", "iphone", "odettes", "quillnet", "bed sensor", "158d0001abcdef"),
    *("192.168.178", "3c22fb0a1b2c", "3c:22:fb", "3c22.fb0a", "b8-27", "100.101.102", "fd12:3456", "1234567", "mini."),
)
"""Parts of what was there, in small letters."""


def make(root: Path) -> Path:
    """The house in a folder."""
    for path, text in FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(text.encode())
    return root

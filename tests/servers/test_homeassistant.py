"""A real Home Assistant with its demo integration: its states, its registries on disk, and its websocket's answers.

PROMPTFORGE_HOMEASSISTANT_PYTHON is a Python with requirements-homeassistant.txt.
"""

import json
import os
import socket
import subprocess
import time
from pathlib import Path
from types import MappingProxyType

import pytest

from promptforge.sources.all import SOURCES, guess
from promptforge.sources.base import Observation, SourceError

pytestmark = pytest.mark.servers

KEY = "0123456789abcdef0123456789abcdef"
USER = {"id": "u1", "group_ids": ["system-admin"], "is_owner": True, "is_active": True, "name": "Mara"}
TOKEN = {
    "id": "r1", "user_id": "u1", "client_id": None, "client_name": "test", "client_icon": None,
    "token_type": "long_lived_access_token", "created_at": "2026-01-01T00:00:00+00:00", "token": "t1", "jwt_key": KEY,
    "access_token_expiration": 315360000.0, "last_used_at": None, "last_used_ip": None, "credential_id": None,
    "version": None,
}  # fmt: skip
AUTH = {
    "version": 1,
    "minor_version": 1,
    "key": "auth",
    "data": {
        "users": [USER | {"system_generated": False, "local_only": False}],
        "groups": [{"id": "system-admin", "name": "Administrators"}],
        "credentials": [],
        "refresh_tokens": [TOKEN],
    },
}
SCRIPT = """
import asyncio, json, sys, time
import aiohttp, jwt

port, key, folder = sys.argv[1:]
url = f"http://127.0.0.1:{port}/api/"
token = jwt.encode({"iss": "r1", "iat": int(time.time()) - 60, "exp": int(time.time()) + 9000}, key, algorithm="HS256")


def keep(name, text):
    with open(f"{folder}/{name}", "w") as handle:
        handle.write(text)


async def main():
    async with aiohttp.ClientSession() as session:
        held = {"Authorization": f"Bearer {token}"}
        for _ in range(90):
            try:
                async with session.get(url + "states", headers=held) as answer:
                    if answer.status == 200 and len(await answer.json()) > 60:
                        break
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(1)
        async with session.get(url + "states", headers={"Authorization": "Bearer no"}) as answer:
            keep("refused", await answer.text())
        async with session.ws_connect(url + "websocket", max_msg_size=0) as ws:
            await ws.receive_json()
            await ws.send_json({"type": "auth", "access_token": token})
            await ws.receive_json()
            number = 0

            async def call(kind, **more):
                nonlocal number
                number += 1
                await ws.send_json({"id": number, "type": kind, **more})
                while (answer := await ws.receive_json()).get("id") != number:
                    pass
                assert answer["success"], answer
                return answer

            area = (await call("config/area_registry/create", name="Library"))["result"]["area_id"]
            change = "config/entity_registry/update"
            await call(change, entity_id="light.bed_light", new_entity_id="light.reading_lamp", name="Lamp | {{ x }}", area_id=area)
            await call(change, entity_id="switch.ac", disabled_by="user")
            await call(change, entity_id="light.kitchen_lights", hidden_by="user")
            for kind, name in (
                ("config/entity_registry/list", "entities"),
                ("config/entity_registry/list_for_display", "display"),
                ("config/device_registry/list", "devices"),
                ("config/area_registry/list", "areas"),
            ):
                keep(name, json.dumps(await call(kind)))
        await asyncio.sleep(2)  # the renamed entity is loaded anew
        async with session.get(url + "states", headers=held) as answer:
            keep("states", await answer.text())


asyncio.run(main())
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with every dump of a house that was changed by hand; its Home Assistant has ended."""
    python, folder = os.environ["PROMPTFORGE_HOMEASSISTANT_PYTHON"], tmp_path_factory.mktemp("homeassistant")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = f"http:\n  server_host: 127.0.0.1\n  server_port: {port}\napi:\nwebsocket_api:\nconfig:\ndemo:\n"
    (folder / "configuration.yaml").write_text(settings)
    (folder / ".storage").mkdir()
    (folder / ".storage" / "auth").write_text(json.dumps(AUTH))
    (folder / "talk.py").write_text(SCRIPT)
    command = [python, "-m", "homeassistant", "-c", str(folder), "--skip-pip"]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            talk = [python, str(folder / "talk.py"), str(port), KEY, str(folder)]
            subprocess.run(talk, check=True, timeout=150)
        finally:
            process.terminate()
            deadline = time.monotonic() + 60
            while process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.2)
            process.kill()
    return folder


def read(folder: Path, *names: str) -> Observation:
    """What some of the dumps show together."""
    files = [folder / ".storage" / name if name.startswith("core.") else folder / name for name in names]
    assert {guess(file) for file in files} == {"homeassistant"}
    return SOURCES["homeassistant"].read(files, options=MappingProxyType({}))


ON_DISK = ("core.entity_registry", "core.device_registry", "core.area_registry")


def test_the_registries_name_entities_as_home_assistant_does(house):
    """Names that are put together from the registries are those that Home Assistant shows in its states."""
    shown = {seen.key: seen.values.get("name") for seen in read(house, "states").seen}
    made = read(house, *ON_DISK)
    named = {seen.key: seen.values.get("name") for seen in made.seen if seen.table == "entities"}
    both = shown.keys() & named.keys()
    assert len(both) > 40
    assert {key: named[key] for key in both} == {key: shown[key] for key in both}
    assert not [note for note in made.notes if "not known here" in note]


def test_what_was_changed_by_hand_is_seen(house):
    """A new id, a name that would break a table, an area, an entity that is disabled and one that is hidden."""
    made = read(house, *ON_DISK, "states")
    seen = {one.key: one for one in made.seen if one.table == "entities"}
    lamp = seen["light.reading_lamp"]
    assert lamp.values == {"entity_id": "light.reading_lamp", "name": "Lamp / (( x ))", "area": "Library"}
    assert lamp.identity[0] == ("unique_id", "light.demo:light_1")
    assert lamp.cleaned == ("name: 5 signs replaced",)
    assert seen["switch.ac"].noise == "disabled entity"
    assert seen["light.kitchen_lights"].noise == "hidden entity"
    assert "diagnostic entity" in {one.noise for one in seen.values()}
    assert made.whole == {"entities"}


def test_the_websocket_says_the_same(house):
    """The lists of the websocket hold what the files of `.storage` hold."""
    facts = [
        {(seen.table, seen.key, str(seen.values), seen.identity, seen.noise) for seen in made.seen}
        for made in (read(house, *ON_DISK), read(house, "entities", "devices", "areas"))
    ]
    assert facts[0] == facts[1]


def test_the_short_list_leaves_out_what_is_disabled(house):
    """`list_for_display` is no whole list."""
    made = read(house, "display")
    assert made.whole == frozenset()
    assert "switch.ac" not in {seen.key for seen in made.seen}
    assert {seen.key: seen.noise for seen in made.seen}["light.kitchen_lights"] == "hidden entity"


def test_a_refused_token_is_named(house):
    """What is kept in place of the states when the token is wrong."""
    with pytest.raises(SourceError, match="found an error message"):
        SOURCES["homeassistant"].read([house / "refused"], options={})
